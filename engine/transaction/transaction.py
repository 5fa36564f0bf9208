"""A transaction: reads of one view, writes in a buffer, all or nothing at the commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import TracebackType
from typing import Any, Final, Protocol

from lithograph.environment import Environment
from lithograph.errors import ClosedError, InvalidArgumentError, NodeNotFoundError
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.moment import encode_moment
from lithograph.formats.node_patch import UNCHANGED, NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.properties import EMPTY, encode_properties
from lithograph.formats.text import check_name, check_short_text, check_texts
from lithograph.ids import ABSENT
from lithograph.kernel import memory
from lithograph.read.records import Edge, Node
from lithograph.transaction.commit_request import CommitRequest
from lithograph.transaction.committer import Committer
from lithograph.transaction.edge_lines import (
    LinesTaken,
    check_delimiter,
    put_lines,
    take_lines,
)
from lithograph.transaction.intents import EdgeName, Intents
from lithograph.transaction.reads_made import ReadsMade
from lithograph.transaction.sizes import too_large


class Unset(Enum):
    """The value of an argument that was not passed: leave the field as it is."""

    UNSET = "unchanged"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


class BaseView(Protocol):
    """What a transaction reads from; texts are checked before."""

    @property
    def sequence(self) -> int: ...
    def find(self, name: str) -> int | None: ...
    def node(self, name: str) -> Node | None: ...
    def edge(self, source: str, type_name: str, target: str, key: str) -> Edge | None: ...


class Transaction:
    """Writes that become visible together, or not at all.

    Made by `Graph.transaction()`. Reads see the graph as it was at the beginning plus the
    transaction's own writes; nothing is locked before the commit. Used by the thread that made it.

    Attributes
    ----------
    sequence : after the commit, its number; None before, and where nothing changed.
    """

    def __init__(
        self,
        view: BaseView,
        committer: Committer,
        environment: Environment,
        size_max: int,
        at: int | None,
        check_graph: Callable[[], None],
        on_end: Callable[[Transaction], None],
    ) -> None:
        self.sequence: int | None = None
        self._view = view
        self._committer = committer
        self._environment = environment
        self._size_max = size_max
        self._at = at
        self._check_graph = check_graph
        self._on_end = on_end
        self._thread = threading.get_ident()
        self._intents = Intents()
        # Puts go here as long as nothing else is wanted of what they put.
        self._draft = (
            None if memory is None else memory.Draft(UNSET, view.find, size_max, too_large)
        )
        self._reads = ReadsMade(view.sequence)
        # What the view says of names, so that a hub's many edges look it up once.
        self._found: dict[str, int | None] = {}
        self._ended = ""

    # Reading -----------------------------------------------------------------------------------

    def get_node(self, name: str) -> Node | None:
        """Return the node as this transaction leaves it, or None. A later change of it by somebody
        else makes the commit fail with ConflictError."""
        self._check()
        return self._read_node(check_name(name))

    def node(self, name: str) -> Node:
        """Return the node as this transaction leaves it; NodeNotFoundError if there is none."""
        found = self.get_node(name)
        if found is None:
            raise NodeNotFoundError(name)
        return found

    def __contains__(self, name: object) -> bool:
        self._check()
        return isinstance(name, str) and name != "" and self._read_exists(name)

    def get_edge(self, source: str, type: str, target: str, *, key: str = "") -> Edge | None:
        """Return the edge as this transaction leaves it, or None; conflicts as in `get_node`."""
        self._check()
        edge = _edge_name(source, type, target, key)
        self._spill_if_known(source)
        self._spill_if_known(target)
        present = self._read_edge(edge)
        intent = self._intents.edges.get(edge)
        if intent is None or not intent.put:
            return present
        now = self._environment.clock_us()
        if present is None:
            present = Edge(
                source,
                type,
                target,
                key,
                source_id=self._visible_id(source),
                target_id=self._visible_id(target),
                created_at=now,
                valid_from=NO_MOMENT,
                valid_to=NO_MOMENT,
                properties=EMPTY,
                born=now,
            )
        return present.changed(intent.patch)

    # Writing nodes -----------------------------------------------------------------------------

    def put_node(
        self,
        name: str,
        *,
        type: str | Unset | None = UNSET,
        observations: Iterable[str] | Unset | None = UNSET,
        properties: Mapping[str, Any] | Unset | None = UNSET,
        created_at: datetime | Unset | None = UNSET,
    ) -> None:
        """Create the node, or replace exactly the arguments passed; None clears.

        observations, properties : replaced whole. created_at : None goes back to the commit time of
        the creation. Without a read: of two blind puts the later commit wins.

        Raises
        ------
        InvalidArgumentError : nothing of this call is kept.
        """
        self._check()
        draft = self._draft
        if draft is not None:
            draft.put_node(name, type, observations, properties, created_at)
            return
        check_name(name)
        patch = NodePatch(
            created_at=_moment(created_at, "created_at"),
            observations=None
            if observations is UNSET
            else check_texts(observations, "observations")
            if observations is not None
            else (),
            properties=_properties(properties),
        )
        type_name = (
            None if type is UNSET else "" if type is None else check_short_text(type, "type")
        )
        self._grow(len(name), patch.observations or (), patch.properties or b"")
        intent = self._intents.node(name)
        intent.put = True
        intent.patch = patch if intent.patch is UNCHANGED else intent.patch.then(patch)
        if type_name is not None:
            intent.type_name = type_name

    def add_observations(
        self, name: str, observations: Iterable[str], unique: bool = False
    ) -> list[str]:
        """Append observations, duplicates kept; return what was added.

        unique : add only what the node does not have yet, once each; this reads the node.

        Raises
        ------
        NodeNotFoundError
        """
        self._check()
        self._spill()
        added = check_texts(observations, "observations")
        self._require(check_name(name))
        if unique:
            node = self._read_node(name)
            assert node is not None
            there = frozenset(node.observations)
            added = tuple(text for text in dict.fromkeys(added) if text not in there)
        if added:
            self._patch(name, NodePatch(appended=added))
        return list(added)

    def remove_observations(self, name: str, observations: Iterable[str]) -> None:
        """Remove every observation equal to one of these. Raises NodeNotFoundError."""
        self._check()
        self._spill()
        removed = check_texts(observations, "observations")
        self._require(check_name(name))
        if removed:
            self._patch(name, NodePatch(removed=tuple(dict.fromkeys(removed))))

    def update_properties(
        self, name: str, changes: Mapping[str, Any], remove: Iterable[str] = ()
    ) -> None:
        """Set single properties, after removing those whose keys are in `remove`.

        Raises
        ------
        NodeNotFoundError, InvalidArgumentError
        """
        self._check()
        self._spill()
        set_ = encode_properties(changes, "changes")
        unset = tuple(dict.fromkeys(check_texts(remove, "remove")))
        self._require(check_name(name))
        if set_ != EMPTY or unset:
            self._patch(
                name,
                NodePatch(
                    properties_set=None if set_ == EMPTY else set_, properties_unset=unset or None
                ),
            )

    def delete_node(self, name: str) -> bool:
        """Delete the node and its edges in both directions; return whether there was one."""
        self._check()
        self._spill()
        there = self._read_exists(check_name(name))
        if there:
            self._intents.delete_node(name)
        return there

    # Writing edges -----------------------------------------------------------------------------

    def put_edge(
        self,
        source: str,
        type: str,
        target: str,
        *,
        key: str = "",
        properties: Mapping[str, Any] | Unset | None = UNSET,
        valid_from: datetime | Unset | None = UNSET,
        valid_to: datetime | Unset | None = UNSET,
        created_at: datetime | Unset | None = UNSET,
        create_missing: bool = False,
    ) -> None:
        """Create the edge, or replace exactly the arguments passed; None clears.

        key : tells parallel edges of one type apart. valid_from, valid_to : half-open.
        create_missing : make ends that do not exist, instead of raising.

        Raises
        ------
        NodeNotFoundError : an end does not exist.   InvalidArgumentError
        """
        self._check()
        draft = self._draft
        if draft is not None:
            if draft.put_edge(
                source,
                type,
                target,
                key,
                properties,
                valid_from,
                valid_to,
                created_at,
                create_missing,
            ):
                return
            self._spill()
        edge = _edge_name(source, type, target, key)
        patch = EdgePatch(
            _moment(created_at, "created_at"),
            _moment(valid_from, "valid_from"),
            _moment(valid_to, "valid_to"),
            _properties(properties),
        )
        if patch.ends_before_it_starts():
            raise InvalidArgumentError("valid_to must not be earlier than valid_from")
        if not create_missing:
            self._require(source)
            self._require(target)
        self._grow(len(source) + len(target), (), patch.properties or b"")
        if create_missing:
            self._intents.node(source).put = True
            self._intents.node(target).put = True
        intent = self._intents.edge(edge)
        intent.put = True
        intent.patch = intent.patch.then(patch)

    def put_edge_lines(
        self,
        text: bytes,
        *,
        type: str = "",
        delimiter: str | None = None,
        line_count_max: int = 2**63 - 1,
    ) -> LinesTaken:
        """Put the edge that each line of a text says: source, target and perhaps a type.

        As `put_edge(source, type, target, create_missing=True)` for each, much faster. A line that
        says none is passed over; comments begin with "#" or "%".

        Parameters
        ----------
        text : UTF-8, whole lines.
        type : of lines with two columns, or an empty third.
        delimiter : the character between columns; None: runs of spaces and tabs.
        line_count_max : stop behind so many lines.

        Returns
        -------
        LinesTaken : bytes, lines and edges taken, and which lines were refused, and why.

        Raises
        ------
        InvalidArgumentError : `type` or `delimiter` cannot be, or the transaction grows too large;
            the lines before are put.
        """
        self._check()
        byte = check_delimiter(delimiter)
        check_short_text(type, "type")
        draft = self._draft
        if draft is None:
            return take_lines(self._put_missing_edge, text, byte, type, line_count_max)
        return put_lines(draft, text, byte, type, line_count_max)

    def _put_missing_edge(self, source: str, type: str, target: str) -> None:
        self.put_edge(source, type, target, create_missing=True)

    def delete_edge(self, source: str, type: str, target: str, *, key: str = "") -> bool:
        """Delete one edge; return whether there was one."""
        self._check()
        self._spill()
        edge = _edge_name(source, type, target, key)
        present = self._read_edge(edge)
        intent = self._intents.edges.get(edge)
        if present is None and (intent is None or not intent.put):
            return False
        intent = self._intents.edge(edge)
        intent.delete, intent.put, intent.patch = True, False, EdgePatch()
        return True

    # Ending ------------------------------------------------------------------------------------

    def commit(self) -> int | None:
        """Commit and end; return the sequence, or None where nothing changed.

        Raises
        ------
        ConflictError : something this transaction read has changed; run it again.
        InvalidArgumentError, LockedError, StorageError, FailedStateError : nothing was written.
        """
        self._check()
        self._end("committed")
        if self._intents or self._draft:
            self.sequence = self._committer.commit(
                CommitRequest(self._intents, self._reads, self._at, self._found, self._draft)
            )
        return self.sequence

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return not self._ended

    def rollback(self) -> None:
        """End without writing anything."""
        self._check()
        self._end("rolled back")

    def __enter__(self) -> Transaction:
        self._check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._ended:
            return
        if kind is None:
            self.commit()
        else:
            self._end("rolled back")

    def _end(self, how: str) -> None:
        self._ended = how
        # Old layers go as soon as nobody reads them any more.
        del self._view
        if self._draft is not None:
            self._draft.forget_view()
        self._on_end(self)

    def _check(self) -> None:
        if self._ended:
            raise ClosedError(f"the transaction was {self._ended}; begin a new one")
        if threading.get_ident() != self._thread:
            raise InvalidArgumentError("a transaction belongs to the thread that began it")
        self._check_graph()

    # Own writes over the view ------------------------------------------------------------------

    def _spill(self) -> None:
        """Go on the plain way, with what the draft has taken."""
        draft, self._draft = self._draft, None
        if draft is not None:
            self._intents.take(draft)
            self._found.update(draft.found())

    def _spill_if_known(self, name: str) -> None:
        """Go on the plain way if the draft says anything of a name."""
        if self._draft is not None and self._draft.knows(name):
            self._spill()

    def _read_exists(self, name: str) -> bool:
        """Return whether the name has a node now; what comes from the view must hold at commit."""
        self._spill_if_known(name)
        intent = self._intents.nodes.get(name)
        if intent is not None and (intent.put or intent.delete):
            return intent.put
        if name not in self._reads.names:
            self._reads.names[name] = self._find(name)
        return self._reads.names[name] is not None

    def _require(self, name: str) -> None:
        """Raise NodeNotFoundError unless the node exists. No read: the commit looks again."""
        intent = self._intents.nodes.get(name)
        there = (
            intent.put
            if intent is not None and (intent.put or intent.delete)
            else self._find(name) is not None
        )
        if not there:
            raise NodeNotFoundError(name)

    def _read_node(self, name: str) -> Node | None:
        self._spill_if_known(name)
        intent = self._intents.nodes.get(name)
        base = None
        if intent is None or not intent.delete:
            base = self._view.node(name)
            self._reads.names[name] = None if base is None else base.id
            self._reads.nodes.add(name)
        if intent is None:
            return base
        if base is None:
            if not intent.put:
                return None
            now = self._environment.clock_us()
            base = Node(ABSENT, name, "", (), EMPTY, now, now, now)
        elif intent.patch == UNCHANGED and intent.type_name is None:
            return base
        return base.changed(base.id, intent.type_name, intent.patch, self._environment.clock_us())

    def _read_edge(self, edge: EdgeName) -> Edge | None:
        """Return the edge of the view, unless this transaction ended it or one of its ends."""
        intent = self._intents.edges.get(edge)
        if intent is not None and intent.delete:
            return None
        if self._ends_here(edge[0]) or self._ends_here(edge[2]):
            return None
        found = self._view.edge(*edge)
        self._reads.edges[edge] = found is not None
        return found

    def _ends_here(self, name: str) -> bool:
        intent = self._intents.nodes.get(name)
        return intent is not None and intent.delete

    def _visible_id(self, name: str) -> int:
        if self._ends_here(name):
            return ABSENT
        node_id = self._find(name)
        return ABSENT if node_id is None else node_id

    def _find(self, name: str) -> int | None:
        """Return the id that the view knows a name by, or None."""
        if name not in self._found:
            self._found[name] = self._view.find(name)
        return self._found[name]

    def _patch(self, name: str, patch: NodePatch) -> None:
        self._grow(
            len(name),
            patch.appended or patch.removed or patch.properties_unset or (),
            patch.properties_set or b"",
        )
        intent = self._intents.node(name)
        intent.patch = intent.patch.then(patch)

    def _grow(self, size: int, texts: tuple[str, ...], properties: bytes) -> None:
        """Count what a write takes at least; refuse it where the commit would be refused."""
        size += 16 + len(properties) + sum(map(len, texts))
        if self._intents.size_min + size > self._size_max:
            raise too_large(self._intents.size_min + size, self._size_max)
        self._intents.size_min += size


def _edge_name(source: str, type: str, target: str, key: str) -> EdgeName:
    return (
        check_name(source, "source"),
        check_short_text(type, "type"),
        check_name(target, "target"),
        check_short_text(key, "key"),
    )


def _moment(time: datetime | Unset | None, what: str) -> int | None:
    if time is UNSET:
        return None
    return NO_MOMENT if time is None else encode_moment(time, what)


def _properties(properties: Mapping[str, Any] | Unset | None) -> bytes | None:
    if properties is UNSET:
        return None
    return EMPTY if properties is None else encode_properties(properties)
