"""The memtable: every version of the newest commits, in memory, readable while it grows.

Entries carry the sequence of their commit, so a reader at sequence s sees exactly the commits up
to s however many came since. Commits are applied by one thread at a time and may be applied again
(after an interruption): the second time changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from lithograph.formats.manifest import Manifest
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.wal_record import WalRecord
from lithograph.segments.layer import Change, Direction
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.write.commit import Commit
from lithograph.write.type_table import TypeTable

if TYPE_CHECKING:
    from lithograph.kernel._memory import MemtableCore

EdgeVersions = tuple[AdjacentEdge, list[EdgeVersion]]
"""An edge as one of its ends sees it, and its versions."""


class CommitRows(Protocol):
    """Time, counts, next id and next type code as of every commit since the memtable began."""

    @property
    def first_sequence(self) -> int: ...

    @property
    def last_sequence(self) -> int: ...

    @property
    def next_id(self) -> int: ...

    @property
    def type_count(self) -> int: ...

    def next_id_at(self, sequence: int) -> int: ...
    def sequence_at(self, time: int) -> int | None: ...
    def time(self, sequence: int) -> int: ...
    def node_count(self, sequence: int) -> int: ...
    def edge_count(self, sequence: int) -> int: ...


class Beginning(NamedTuple):
    """The commit that a memtable begins behind, and the state as of it."""

    sequence: int
    time: int
    node_count: int
    edge_count: int
    next_id: int
    type_count: int


class Memtable(ABC):
    """The newest layer; implements `segments.layer.NameLayer` and `GraphLayer`.

    Attributes
    ----------
    types : the store's type codes.   commits : times and counts, by sequence.
    core : what the kernel reads; None on the reference.
    """

    types: TypeTable
    commits: CommitRows
    core: MemtableCore | None = None

    def __init__(
        self,
        *,
        sequence: int = 0,
        commit_time: int = 0,
        next_id: int = 0,
        node_count: int = 0,
        edge_count: int = 0,
        types: Sequence[str] | TypeTable = (),
        type_count: int | None = None,
    ) -> None:
        self.types = types if isinstance(types, TypeTable) else TypeTable(types)
        count = len(self.types) if type_count is None else type_count
        self._begin(Beginning(sequence, commit_time, node_count, edge_count, next_id, count))
        self._first_id = next_id

    @abstractmethod
    def _begin(self, behind: Beginning) -> None:
        """Begin empty behind a commit: set `commits`."""

    @classmethod
    def above(cls, manifest: Manifest) -> Self:
        """Return an empty memtable above what a manifest's files hold."""
        return cls(
            sequence=manifest.last_sequence,
            commit_time=manifest.last_commit_time,
            next_id=manifest.next_id,
            node_count=manifest.node_count,
            edge_count=manifest.edge_count,
            types=manifest.types,
        )

    def successor(self) -> Self:
        """Return an empty memtable above this one, which takes no commits any more."""
        last = self.commits.last_sequence
        return type(self)(
            sequence=last,
            commit_time=self.commits.time(last),
            next_id=self.next_id,
            node_count=self.commits.node_count(last),
            edge_count=self.commits.edge_count(last),
            types=self.types,
            type_count=self.type_count,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no commit was applied since the memtable began."""
        return self.commits.last_sequence < self.commits.first_sequence

    @property
    def first_id(self) -> int:
        return self._first_id

    @property
    def first_sequence(self) -> int:
        return self.commits.first_sequence

    @property
    def next_id(self) -> int:
        """The id of the next new node, as of the last commit that was applied whole."""
        return self.commits.next_id

    @property
    def type_count(self) -> int:
        """The code of the next new type, as of the last commit that was applied whole."""
        return self.commits.type_count

    def commit_time(self, sequence: int) -> int:
        return self.commits.time(sequence)

    def sequence_at(self, time: int) -> int | None:
        return self.commits.sequence_at(time)

    @property
    @abstractmethod
    def version_count(self) -> int:
        """Versions held, of nodes and edges."""

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """Memory taken, about."""

    # Writing -----------------------------------------------------------------------------------

    @abstractmethod
    def apply(self, commit: Commit) -> None:
        """Add the versions of a commit; readers see them once its sequence is published."""

    def apply_record(self, record: bytes) -> None:
        """Add the versions of the commit in a record that was made here, as `apply` does."""
        logged, _, _ = WalRecord.decode(record)
        self.apply(
            Commit(
                logged.sequence, logged.commit_time, logged.payload, logged.operation_count, None
            )
        )

    def is_sound(self, payload: bytes, count: int) -> bool:
        """Return whether the next commit may hold these operations; False where only decoding them
        can tell."""
        return False

    # Reading; see `segments.layer` -------------------------------------------------------------

    @abstractmethod
    def find_name(self, name: str, sequence: int) -> int | None: ...

    @abstractmethod
    def versions_of_name(self, name: str) -> list[tuple[int, int]]: ...

    @abstractmethod
    def names_after(self, start: str, after: bool, count: int) -> list[str]: ...

    @abstractmethod
    def name_of(self, node_id: int) -> str | None: ...

    @abstractmethod
    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]: ...

    @abstractmethod
    def all_node_versions(self, node_id: int) -> list[NodeVersion]: ...

    @abstractmethod
    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]: ...

    @abstractmethod
    def out_edges(self, node_id: int, sequence: int) -> list[EdgeVersions]: ...

    @abstractmethod
    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]: ...

    @abstractmethod
    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None: ...

    @abstractmethod
    def sources(self, start: int, count: int) -> Sequence[int]: ...

    @abstractmethod
    def changes(self, first: int, last: int) -> Iterator[Change]: ...

    # Everything, in order, of a memtable that takes no commits any more --------------------------

    @abstractmethod
    def all_names(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Yield every name, ascending, with (sequence, id or ABSENT), newest first."""

    @abstractmethod
    def all_nodes(self) -> Iterator[tuple[int, str | None, list[NodeVersion]]]:
        """Yield every id, ascending, with its name where it is known here, and what each commit
        made of the node, oldest first."""

    @abstractmethod
    def all_lists(self, direction: Direction) -> Iterator[tuple[int, list[EdgeVersions]]]:
        """Yield every id with edges, ascending, with these, ascending, and what each commit made
        of them, oldest first."""

    def _check(self) -> list[str]:
        """Return what contradicts itself; [] when all is well. Cost: O(everything)."""
        return [
            *_broken_names(self),
            *_broken_nodes(self),
            *_broken_edges(self),
            *_broken_counts(self),
        ]


def _broken_names(memtable: Memtable) -> Iterator[str]:
    previous = ""
    for name, versions in memtable.all_names():
        if name <= previous:
            yield f"the name {name!r} stands behind {previous!r}"
        if not _ascends([sequence for sequence, _ in reversed(versions)], strictly=False):
            yield f"versions of the name {name!r} do not ascend"
        node_id = versions[0][1] if versions else -1
        if node_id >= 0 and memtable.name_of(node_id) != name:
            yield f"the name {name!r} leads to id {node_id}, which has another name"
        previous = name


def _broken_nodes(memtable: Memtable) -> Iterator[str]:
    for node_id, _, versions in memtable.all_nodes():
        if not _ascends([version.sequence for version in versions]):
            yield f"versions of node {node_id} do not ascend"


def _broken_edges(memtable: Memtable) -> Iterator[str]:
    """Each edge must stand, with the same versions, in the lists of both its ends."""
    outgoing = {
        (source, *adjacent): [version.sequence for version in versions]
        for source, edges in memtable.all_lists(Direction.OUT)
        for adjacent, versions in edges
    }
    count = 0
    for target, edges in memtable.all_lists(Direction.IN):
        for (code, source, key), versions in edges:
            sequences = [version.sequence for version in versions]
            count += 1
            if outgoing.get((source, code, target, key)) != sequences:
                yield f"the edge {source} -> {target} is in one direction only"
            if not _ascends(sequences):
                yield f"versions of the edge {source} -> {target} do not ascend"
    if count != len(outgoing):
        yield "the two directions hold different numbers of edges"


def _broken_counts(memtable: Memtable) -> Iterator[str]:
    nodes = sum(_added(versions) for _, _, versions in memtable.all_nodes())
    edges = sum(
        _added(versions)
        for _, listed in memtable.all_lists(Direction.OUT)
        for _, versions in listed
    )
    commits = memtable.commits
    first, last = commits.first_sequence - 1, commits.last_sequence
    for what, found, kept in (
        ("nodes", nodes, commits.node_count(last) - commits.node_count(first)),
        ("edges", edges, commits.edge_count(last) - commits.edge_count(first)),
    ):
        if found != kept:
            yield f"{found} {what} were added, the commit table counts {kept}"


def _added(versions: Sequence[Any]) -> int:
    """Return 1 for what is alive and was not before the memtable, -1 the other way round, or 0."""
    if not versions:
        return 0
    return (versions[-1].change is not None) - (not versions[0].full)


def _ascends(sequences: Sequence[int], *, strictly: bool = True) -> bool:
    return all(
        sequences[place - 1] < sequences[place] + (not strictly)
        for place in range(1, len(sequences))
    )
