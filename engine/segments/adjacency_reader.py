"""Reading adjacency lists out of their tables (SPEC.md, section 12.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.adjacency_list import (
    INDEX_HEAD,
    LongList,
    count_edges,
    decode_edge_count,
    decode_list,
    find_in_list,
)
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.table_block import INDEXED, PURE
from lithograph.kernel import UNSURE, quick, tables
from lithograph.segments.stored import Stored
from lithograph.segments.table_reader import Block, DenseTable, SparseTable


class MarkedEdges(NamedTuple):
    """A list, decoded: edges strictly ascending, and the mark of each."""

    edges: list[AdjacentEdge]
    marks: list[Mark]


class FoundList:
    """The list of one node, not decoded yet."""

    __slots__ = ("_block", "_flags", "_place", "_shape", "_stored")

    def __init__(self, block: Block, place: int, shape: SegmentShape) -> None:
        self._block = block
        self._place = place
        self._shape = shape
        self._flags = block.heads.flags(place)
        self._stored = block.part(place)

    @property
    def is_pure(self) -> bool:
        """Whether every edge of the list is MADE."""
        return bool(self._flags & PURE)

    def decode(self) -> MarkedEdges:
        """Return all edges."""
        flags, count_max = self._flags, self._shape.group_edges
        return MarkedEdges(*self._stored.decode(lambda data: _decoded(data, flags, count_max)))

    def count(self) -> int:
        """Return how many edges there are. Cost: O(1) with an index."""
        return _count(self._stored, self._flags, self._shape)

    def find(self, adjacent: AdjacentEdge) -> tuple[int, Mark] | None:
        """Return an edge's place in the list, and its mark; None if it is not in."""
        stored, count_max = self._stored, self._shape.group_edges
        if not self._flags & INDEXED:
            return stored.decode(lambda data: find_in_list(data, adjacent, count_max))
        try:
            return LongList(stored.read, stored.size, count_max).find(adjacent)
        except CorruptionError as error:
            raise stored.located(error) from None

    def position(self) -> int:
        """Return how many out-edges stand before the list's first in the whole file.

        Cost: O(bytes of the lists before it in its block).
        """
        known = self._quick_position()
        return self._careful_position() if known is None else known

    def _quick_position(self) -> int | None:
        """Return the position; None where the careful way must look."""
        block, place = self._block, self._place
        size = block.heads.offsets[place]
        if quick is None or self._shape is not ON_DISK or size > _QUICK_SIZE_MAX:
            return None
        heads = block.heads
        found = quick.edges_before(
            block.body.read(0, size), heads.offsets, heads.sizes_and_flags, place
        )
        return None if found is UNSURE else block.row[-1] + found

    def _careful_position(self) -> int:
        block = self._block
        return block.row[-1] + sum(
            _count(block.part(place), block.heads.flags(place), self._shape)
            for place in range(self._place)
            if block.heads.size(place)
        )


_MARKS: Final = tuple(Mark)


def _decoded(data: bytes, flags: int, count_max: int) -> tuple[list[AdjacentEdge], list[Mark]]:
    """Do what `decode_list` does, in the kernel where it can.

    Cost: 0.3 µs per edge, 3 in Python.
    """
    known = tables.decode_list(data, flags, count_max, _MARKS) if tables is not None else None
    return decode_list(data, flags, count_max) if known is None else known


_QUICK_SIZE_MAX: Final = 64 * 1024
"""Bytes of a block that are read to be counted; behind a hub its index is less to read."""


class AdjacencyReader:
    """The lists of one direction: those of older ids, and of the ids born in the slice."""

    def __init__(self, sparse: SparseTable, dense: DenseTable | None, shape: SegmentShape) -> None:
        self.sparse = sparse
        self.dense = dense
        self._shape = shape

    def find(self, node_id: int) -> FoundList | None:
        """Return the list of a node, or None if it has none."""
        dense = self.dense
        table = dense if dense is not None and node_id in dense.ids else self.sparse
        found = table.find(node_id)
        return FoundList(*found, self._shape) if found is not None else None

    def list_at(self, block: Block, place: int) -> FoundList:
        """Return the list at a place of a block, where one is."""
        return FoundList(block, place, self._shape)

    def may_hold(self, node_id: int) -> bool:
        """Return False if a node certainly has no list. Cost: 32 bytes of a filter, or nothing."""
        dense = self.dense
        return (dense is not None and node_id in dense.ids) or self.sparse.may_hold(node_id)

    def check_ahead(self, start: int, end: int) -> None:
        """Check what holds the lists of ids from `start` to before `end`, as tables do."""
        self.sparse.check_ahead(start, end)
        if self.dense is not None:
            self.dense.check_ahead(start, end)

    def lists(self, start: int = 0) -> Iterator[tuple[int, FoundList]]:
        """Yield id and list of every node from `start` on that has one, ascending."""
        for block in self._blocks(start):
            for node_id, found in self.block_lists(block):
                if node_id >= start:
                    yield node_id, found

    def block_lists(self, block: Block) -> Iterator[tuple[int, FoundList]]:
        """Yield id and list of every node of a block that has one."""
        for place, node_id in enumerate(block.ids):
            if block.heads.size(place):
                yield node_id, FoundList(block, place, self._shape)

    def ids(self, start: int, count: int) -> Sequence[int]:
        """Return up to `count` ids from `start` on that have a list, ascending."""
        found: list[int] = []
        for block in self._blocks(start):
            for node_id, head in zip(block.ids, block.heads.sizes_and_flags, strict=True):
                if head and node_id >= start:
                    found.append(node_id)
            if len(found) >= count:
                break
        return found[:count]

    def _blocks(self, start: int) -> Iterator[Block]:
        yield from self.sparse.blocks(start)
        if self.dense is not None:
            yield from self.dense.blocks(start)


def _count(stored: Stored, flags: int, shape: SegmentShape) -> int:
    if flags & INDEXED:
        # The index says it; the list need not be read.
        size = stored.size
        head = stored.part(0, min(size, INDEX_HEAD.size))
        return head.decode(lambda data: decode_edge_count(data, size))
    return stored.decode(lambda data: count_edges(data, shape.group_edges))
