"""What a log holds above the segments, as columns beside theirs (`segments.slice_columns`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np
import xxhash

from lithograph.formats.adjacency_group import Mark
from lithograph.kernel import survey
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.slice import Slice
from lithograph.segments.slice_columns import HAS_CHANGE, IS_FULL, EdgeColumns
from lithograph.segments.table_columns import HashArray, IdArray, ListColumns, NodeColumns
from lithograph.segments.version import EdgeVersion, NodeVersion

Columns = TypeVar("Columns", NodeColumns, EdgeColumns, ListColumns)


class LoggedColumns:
    """A slice in memory. Implements `segments.slice_columns.SliceColumns`.

    type_count : type codes are below.   key : of all hashes.

    Cost: 10 µs per node and edge; memory for all of them.
    """

    def __init__(self, slice_: Slice, type_count: int, key: bytes) -> None:
        self.first_id, self.end_id = slice_.first_id, slice_.end_id
        self._slice = slice_
        self._type_count = type_count
        self._key = key
        self._named = self._read_names()
        self._old_nodes, self._end_nodes = self._read_nodes()
        self._old_edges, self._end_edges = self._read_edges()
        self._entering = self._read_incoming()

    def commits(self) -> IdArray:
        return np.array(list(self._slice.commits()), np.int64).reshape(-1, 4)

    def names(self, end: int) -> tuple[IdArray, HashArray]:
        ids, digests = self._named
        cut = int(np.searchsorted(ids, end))
        self._named = (ids[cut:], digests[cut:])
        return ids[:cut], digests[:cut]

    def nodes(self, end: int) -> tuple[NodeColumns, NodeColumns]:
        old, self._old_nodes = _cut(self._old_nodes, end)
        ends, self._end_nodes = _cut(self._end_nodes, end)
        return old, ends

    def edges(self, end: int) -> tuple[EdgeColumns, EdgeColumns]:
        old, self._old_edges = _cut(self._old_edges, end)
        ends, self._end_edges = _cut(self._end_edges, end)
        return old, ends

    def incoming(self, end: int) -> tuple[ListColumns, ListColumns]:
        found, self._entering = _cut(self._entering, end)
        return _cut(found, 0)[0], found

    def check_end(self) -> None:
        left = (self._named, self._old_nodes, self._end_nodes, self._old_edges, self._end_edges)
        if any(len(columns[0]) for columns in (*left, self._entering)):
            raise NotPlainError

    def _read_names(self) -> tuple[IdArray, HashArray]:
        seed = int.from_bytes(self._key[:8], "little")
        found = [
            (node_id, xxhash.xxh64_intdigest(name.encode(), seed))
            for node_id, name in self._slice.names()
        ]
        ids = np.array([node_id for node_id, _ in found], np.int64)
        return ids, np.array([digest for _, digest in found], np.uint64)

    def _read_nodes(self) -> tuple[NodeColumns, NodeColumns]:
        old: list[tuple[int, ...]] = []
        ends: list[tuple[int, ...]] = []
        for node_id, end, history in self._slice.nodes():
            for version in history:
                old.append((node_id, *self._node(version)))
            if end is not None:
                ends.append((node_id, *self._node(end)))
        return NodeColumns(*_columns(old, 4)), NodeColumns(*_columns(ends, 4))

    def _node(self, version: NodeVersion) -> tuple[int, int, int]:
        change = version.change
        if change is not None and (change.type_code or 0) >= max(self._type_count, 1):
            raise NotPlainError
        return _commits(version)

    def _read_edges(self) -> tuple[EdgeColumns, EdgeColumns]:
        old: list[tuple[int, ...]] = []
        ends: list[tuple[int, ...]] = []
        for source, edges in self._slice.edges():
            for (code, target, key), mark, end, history in edges:
                edge = (source, target, self._hash(source, code, target, key))
                for version in history:
                    old.append((*edge, Mark.GONE, *_commits(version)))
                if end is not None:
                    ends.append((*edge, mark, *_commits(end)))
        return EdgeColumns(*_columns(old, 7, 2)), EdgeColumns(*_columns(ends, 7, 2))

    def _read_incoming(self) -> ListColumns:
        found: list[tuple[int, ...]] = []
        for target, edges in self._slice.incoming():
            for (code, source, key), mark, _ in edges:
                found.append((target, source, self._hash(source, code, target, key), mark))
        return ListColumns(*_columns(found, 4, 2))

    def _hash(self, source: int, code: int, target: int, key: str) -> int:
        assert survey is not None
        if code >= self._type_count:
            raise NotPlainError
        digest: int = survey.hash_edge(self._key, source, code, target, key.encode())
        return digest


def _commits(version: NodeVersion | EdgeVersion) -> tuple[int, int, int]:
    head = HAS_CHANGE * (version.change is not None) | IS_FULL * version.full
    return version.sequence, version.born_sequence if version.full else 0, head


def _columns(rows: Iterable[tuple[int, ...]], count: int, hashes: int = -1) -> list[Any]:
    """Return rows as `count` columns; number `hashes` is of hashes."""
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * count
    return [
        np.array(column, np.uint64 if place == hashes else np.int64)
        for place, column in enumerate(columns)
    ]


def _cut(columns: Columns, end: int) -> tuple[Columns, Columns]:
    """Return the rows of nodes below `end`, and the others."""
    cut = int(np.searchsorted(columns[0], end))
    make: Any = type(columns)
    return make(*(column[:cut] for column in columns)), make(*(column[cut:] for column in columns))
