"""One slice of a store as columns: a segment with its history, or what a log holds.

What `segments.segment_check` asks of a segment and of its history is checked on the way, but for
what the caller does with all slices together.
"""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.operations import TYPE_CODE_END
from lithograph.formats.segment_shape import ON_DISK
from lithograph.kernel import survey
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.name_sum import KEY_SIZE
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.table_columns import (
    Commits,
    EdgeVersionStream,
    HashArray,
    IdArray,
    ListColumns,
    ListStream,
    NameStream,
    NodeColumns,
    NodeStream,
)

HAS_CHANGE: Final = 1
IS_FULL: Final = 2
"""Bits of `heads`."""

SUM_END: Final = 2**64

STRETCH: Final = 2**15
"""Ids at a time."""

COMMITS_MAX: Final = 2**22
"""Commits of which times and counts are kept in memory, 48 bytes each."""


class EdgeColumns(NamedTuple):
    """Versions of edges that leave nodes, by source, those of one edge oldest first.

    sources, targets, hashes, marks : of the edge.   sequences, born, heads : as of nodes.
    """

    sources: IdArray
    targets: IdArray
    hashes: HashArray
    marks: IdArray
    sequences: IdArray
    born: IdArray
    heads: IdArray


class SliceColumns(Protocol):
    """A slice, taken in stretches of ids. Each method goes on where it stopped; of what comes in
    pairs the first is history, the second end states.

    path : for messages.   first_id, end_id : of the ids born in it.
    """

    @property
    def first_id(self) -> int: ...

    @property
    def end_id(self) -> int: ...

    def commits(self) -> IdArray:
        """Return (sequence, time, node count, edge count) of every commit, in rows."""

    def names(self, end: int) -> tuple[IdArray, HashArray]: ...

    def nodes(self, end: int) -> tuple[NodeColumns, NodeColumns]: ...

    def edges(self, end: int) -> tuple[EdgeColumns, EdgeColumns]: ...

    def incoming(self, end: int) -> tuple[ListColumns, ListColumns]: ...

    def check_end(self) -> None:
        """Raise NotPlainError unless all was taken, and fits what the slice says of itself."""


class StoredColumns:
    """A segment and its history, whose blocks and padding were checked."""

    def __init__(
        self,
        segment: SegmentReader,
        history: HistoryReader | None,
        rows: IdArray,
        type_count: int,
        key: bytes,
    ) -> None:
        footer = segment.footer
        if segment.shape is not ON_DISK:
            raise NotPlainError
        self.first_id, self.end_id = footer.first_id, footer.end_id
        self._footer = footer
        self._rows = rows
        commits: Commits = (footer.first_sequence, np.ascontiguousarray(rows[:, 1]))
        seed = int.from_bytes(key[:8], "little")
        self._names = NameStream(segment.names, seed)
        self._nodes = [
            NodeStream(table, commits, end, type_count)
            for table, end in (
                (segment.sparse_nodes, self.first_id),
                (segment.dense_nodes, self.end_id),
            )
        ]
        ends = (self.end_id, type_count)
        self._lists: list[list[ListStream]] = []
        for direction, lists in zip(Direction, segment.lists, strict=True):
            assert lists.dense is not None
            is_out = direction == Direction.OUT
            self._lists.append(
                [
                    ListStream(lists.sparse, key, self.first_id, *ends, 0 if is_out else None),
                    ListStream(
                        lists.dense,
                        key,
                        self.end_id,
                        *ends,
                        footer.sparse_edge_count if is_out else None,
                    ),
                ]
            )
        self._versions = EdgeVersionStream(segment.edge_table, segment.span, commits)
        self._sums = dict.fromkeys(Mark, 0)
        self._superseding = 0
        self._history: _PastColumns | None = None
        if history is not None:
            self._history = _PastColumns(history, segment, commits, type_count, key)

    def commits(self) -> IdArray:
        return self._rows

    def names(self, end: int) -> tuple[IdArray, HashArray]:
        return self._names.take(end)

    def nodes(self, end: int) -> tuple[NodeColumns, NodeColumns]:
        ends = NodeColumns(*map(_joined, *(stream.take(end) for stream in self._nodes)))
        old = NodeColumns(*_none_of(ends))
        if self._history is not None:
            old = self._history.nodes.take(end)
        _check_order(old.ids, old.sequences, ends.ids, ends.sequences, ends.heads)
        return old, ends

    def edges(self, end: int) -> tuple[EdgeColumns, EdgeColumns]:
        ids, targets, hashes, marks = map(
            _joined, *(stream.take(end) for stream in self._lists[Direction.OUT])
        )
        _, sequences, born, heads = self._versions.take(len(ids))
        ends = EdgeColumns(ids, targets, hashes, marks, sequences, born, heads)
        is_dead = marks == Mark.DEAD
        if ((heads & HAS_CHANGE == 0) != is_dead).any():
            raise NotPlainError
        if ((marks == Mark.MADE) & (heads & IS_FULL == 0)).any():
            raise NotPlainError
        self._superseding += int((marks != Mark.MADE).sum())
        self._add(hashes, marks, 1)
        old = EdgeColumns(*_none_of(ends))
        if self._history is not None:
            old = self._history.edges(end)
        _check_order(old.hashes, old.sequences, hashes, sequences, heads)
        return old, ends

    def incoming(self, end: int) -> tuple[ListColumns, ListColumns]:
        ends = ListColumns(
            *map(_joined, *(stream.take(end) for stream in self._lists[Direction.IN]))
        )
        self._add(ends.hashes, ends.marks, -1)
        old = ListColumns(*_none_of(ends))
        if self._history is not None:
            old = self._history.incoming(end)
        return old, ends

    def check_end(self) -> None:
        footer = self._footer
        self._names.check_end()
        self._versions.check_end()
        for nodes in self._nodes:
            nodes.check_end()
        for lists in (*self._lists[Direction.OUT], *self._lists[Direction.IN]):
            lists.check_end()
        found = (
            self._names.count,
            *(stream.node_count for stream in self._nodes),
            *(stream.count for stream in self._lists[Direction.OUT]),
            self._superseding,
        )
        expected = (
            footer.name_count,
            footer.sparse_node_count,
            footer.dense_node_count,
            footer.sparse_edge_count,
            footer.dense_edge_count,
            footer.superseding_edge_count,
        )
        if found != expected or any(total % SUM_END for total in self._sums.values()):
            raise NotPlainError
        if self._history is not None:
            self._history.check_end()

    def _add(self, hashes: HashArray, marks: IdArray, weight: int) -> None:
        """Add up the edges of each mark; those of the two directions take each other away."""
        for mark in (Mark.DEAD, Mark.CHANGED, Mark.MADE):
            self._sums[mark] += weight * sum_of(hashes[marks == mark])


def are_right(segment: SegmentReader, history: HistoryReader | None) -> bool:
    """Return True if the tables and records of a segment and its history are right in themselves
    and beside each other; False for not known.

    Their blocks, padding and commit table were checked.
    """
    if survey is None or segment.footer.last_sequence - segment.footer.first_sequence > COMMITS_MAX:
        return False
    try:
        rows = np.array(list(segment.all_commits()), np.int64).reshape(-1, 4)
        columns = StoredColumns(segment, history, rows, TYPE_CODE_END, os.urandom(KEY_SIZE))
        for end in range(STRETCH, columns.end_id + STRETCH, STRETCH):
            columns.names(end)
            columns.nodes(end)
            columns.edges(end)
            columns.incoming(end)
        columns.check_end()
    except (CorruptionError, NotPlainError):
        return False
    return True


class _PastColumns:
    """A history."""

    def __init__(
        self,
        history: HistoryReader,
        segment: SegmentReader,
        commits: Commits,
        type_count: int,
        key: bytes,
    ) -> None:
        footer = history.footer
        end = footer.end_id
        self._footer = footer
        self.nodes = NodeStream(history.nodes, commits, end, type_count, listed=True)
        out, into = (lists.sparse for lists in history.lists)
        self._out = ListStream(out, key, end, end, type_count, 0)
        self._in = ListStream(into, key, end, end, type_count, None)
        self._versions = EdgeVersionStream(history.edge_table, segment.span, commits, listed=True)
        self._sum = 0

    def edges(self, end: int) -> EdgeColumns:
        found = self._out.take(end)
        counts, *versions = self._versions.take(len(found.ids))
        if (found.marks != Mark.MADE).any():
            raise NotPlainError
        self._sum += sum_of(found.hashes)
        rows: list[Any] = [np.repeat(column, counts) for column in found]
        rows[3] = np.full(len(rows[0]), Mark.GONE, np.int64)
        return EdgeColumns(*rows, *versions)

    def incoming(self, end: int) -> ListColumns:
        found = self._in.take(end)
        if (found.marks != Mark.MADE).any():
            raise NotPlainError
        self._sum -= sum_of(found.hashes)
        return found._replace(marks=np.full(len(found.ids), Mark.GONE, np.int64))

    def check_end(self) -> None:
        footer = self._footer
        for stream in (self.nodes, self._out, self._in, self._versions):
            stream.check_end()
        found = (
            self.nodes.node_count,
            self.nodes.version_count,
            self._out.count,
            self._versions.version_count,
        )
        expected = (
            footer.node_count,
            footer.node_version_count,
            footer.edge_count,
            footer.edge_version_count,
        )
        # Lists of targets may name others as well: then the careful way looks.
        if found != expected or self._sum % SUM_END:
            raise NotPlainError


def _check_order(
    old_keys: IdArray | HashArray,
    old_sequences: IdArray,
    keys: IdArray | HashArray,
    sequences: IdArray,
    heads: IdArray,
) -> None:
    """Raise NotPlainError if history reaches beyond an end state; up to it, if that is relative.

    keys : of nodes or edges, each once; old ones stand once for each version, oldest first.
    """
    if not len(old_keys) or not len(keys):
        return
    order = np.argsort(keys, kind="stable")
    last = np.flatnonzero(np.append(old_keys[1:] != old_keys[:-1], True))
    newest, whose = old_sequences[last], old_keys[last]
    places = np.searchsorted(keys, whose, sorter=order)
    places = order[np.minimum(places, len(order) - 1)]
    known = keys[places] == whose
    places, newest = places[known], newest[known]
    is_relative = (heads[places] & HAS_CHANGE != 0) & (heads[places] & IS_FULL == 0)
    if np.where(is_relative, newest != sequences[places], newest >= sequences[places]).any():
        raise NotPlainError


def sum_of(hashes: HashArray) -> int:
    """Return the sum of hashes, modulo `SUM_END`."""
    return int(hashes.sum(dtype=np.uint64))


def _joined(first: Any, second: Any) -> Any:
    return np.concatenate((first, second)) if len(first) else second


def _none_of(columns: NodeColumns | EdgeColumns | ListColumns) -> list[Any]:
    return [column[:0] for column in columns]
