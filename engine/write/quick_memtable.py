"""The memtable as a structure of the kernel; the plain twin is `plain_memtable`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lithograph.formats.operations import AdjacentEdge
from lithograph.kernel import memory
from lithograph.segments.layer import NO_EDGE, Change, Direction
from lithograph.segments.version import EdgeVersion, NodeVersion
from lithograph.write.commit import Commit
from lithograph.write.folded_node import FOLD_FROM, folded_node
from lithograph.write.memtable import Beginning, EdgeVersions, Memtable

if TYPE_CHECKING:
    from lithograph.kernel._memory import MemtableCore


class QuickMemtable(Memtable):
    """Implements `Memtable` over the kernel's `MemtableCore`: commits go into it as bytes."""

    core: MemtableCore

    def _begin(self, behind: Beginning) -> None:
        assert memory is not None
        commits = memory.Commits(*behind)
        self.core = memory.MemtableCore(commits, NodeVersion, EdgeVersion)
        self.commits = commits
        # The newest version of a node that many commits changed, folded: readers go on from it.
        self._folded: dict[int, NodeVersion] = {}

    @property
    def version_count(self) -> int:
        return self.core.version_count

    @property
    def size_bytes(self) -> int:
        return self.core.size_bytes

    def apply(self, commit: Commit) -> None:
        self.core.apply(
            commit.sequence, commit.time, commit.payload, commit.operation_count, self.types
        )

    def apply_record(self, record: bytes) -> None:
        self.core.apply_record(record, self.types)

    def is_sound(self, payload: bytes, count: int) -> bool:
        return self.core.is_sound(payload, count, self.next_id, self.type_count)

    def find_name(self, name: str, sequence: int) -> int | None:
        return self.core.find_name(name, sequence)

    def versions_of_name(self, name: str) -> list[tuple[int, int]]:
        return self.core.versions_of_name(name)

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        return self.core.names_after(start, after, count)

    def name_of(self, node_id: int) -> str | None:
        return self.core.name_of(node_id)

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        known = self._folded.get(node_id)
        if known is not None and known.sequence <= sequence:
            found = self.core.versions_after(node_id, known.sequence, sequence)
            if not found or not (found[-1].full or found[-1].change is None):
                found.append(known)
        else:
            found = self.core.node_versions(node_id, sequence)
        if len(found) > FOLD_FROM and found[-1].change is not None and found[-1].full:
            found = [folded_node(found)]
            self._folded[node_id] = found[0]
        return found

    def all_node_versions(self, node_id: int) -> list[NodeVersion]:
        return self.core.all_node_versions(node_id)

    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        return self.core.adjacency(node_id, direction, sequence)

    def out_edges(self, node_id: int, sequence: int) -> list[EdgeVersions]:
        return self.core.out_edges(node_id, sequence)

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]:
        return self.core.edge_versions(source, *adjacent, sequence)

    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None:
        return self.core.degree(node_id, direction, sequence)

    def sources(self, start: int, count: int) -> Sequence[int]:
        return self.core.sources(start, count)

    def changes(self, first: int, last: int) -> Iterator[Change]:
        for node_id, _, versions in self.all_nodes():
            for version in versions:
                if first <= version.sequence <= last:
                    yield Change(version.sequence, False, node_id, NO_EDGE)
        for source, edges in self.all_lists(Direction.OUT):
            for adjacent, changes in edges:
                for change in changes:
                    if first <= change.sequence <= last:
                        yield Change(change.sequence, True, source, adjacent)

    def names_source(self) -> object:
        """Return all names with their versions, as the kernel's runs take them."""
        assert memory is not None
        return memory.MemtableNames(self.core).capsule()

    def all_names(self) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        start, after = "", False
        while page := self.core.names_after(start, after, 1024):
            for name in page:
                yield name, self.core.versions_of_name(name)
            start, after = page[-1], True

    def all_nodes(self) -> Iterator[tuple[int, str | None, list[NodeVersion]]]:
        core = self.core
        for node_id in core.node_ids():
            yield node_id, core.name_of(node_id), core.all_node_versions(node_id)

    def all_lists(self, direction: Direction) -> Iterator[tuple[int, list[EdgeVersions]]]:
        for node_id in self.core.ids_with_edges(direction):
            yield node_id, self.core.all_edges(node_id, direction)
