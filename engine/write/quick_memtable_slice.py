"""A range of a frozen memtable's commits, as the kernel takes it into a segment.

What one commit of the range alone says of a node or an edge goes there straight from the memtable;
the rest is folded the plain way, id by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Generic

from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import memory, tables
from lithograph.segments.layer import Direction
from lithograph.segments.list_stream import (
    Entry,
    ListStream,
    LooseEdge,
    Sources,
    state_of_edge,
    state_of_incoming,
)
from lithograph.segments.slice import IncomingEdge, Mark, NodeItem, SliceEdge
from lithograph.write.memtable import Memtable
from lithograph.write.memtable_slice import MemtableSlice
from lithograph.write.quick_memtable import QuickMemtable


class QuickMemtableSlice(MemtableSlice):
    """Implements `segments.slice.StreamedSlice` and `EncodedSlice` over the kernel's memtable."""

    def __init__(self, memtable: QuickMemtable, first_sequence: int, last_sequence: int) -> None:
        super().__init__(memtable, first_sequence, last_sequence)
        self._core = memtable.core

    def encoded_names(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._core.names_born(self.first_id, self.end_id))

    def encoded_nodes(self) -> Iterator[tuple[int, bytes | NodeItem]]:
        for node_id, record in self._core.node_records(self.first_sequence, self.last_sequence):
            if record is not None:
                yield node_id, record
            else:
                item = self._node(node_id, self._core.all_node_versions(node_id))
                if item is not None:
                    yield node_id, item

    def edge_stream(self, shape: SegmentShape) -> ListStream[SliceEdge] | None:
        def edges(node_id: int) -> list[SliceEdge]:
            return self._outgoing(node_id, self._core.all_edges(node_id, Direction.OUT))

        def state(edge: SliceEdge) -> tuple[AdjacentEdge, Mark, bytes]:
            return state_of_edge(edge, self.first_sequence)

        return self._stream(Direction.OUT, shape, _OneMemtable(edges, itemgetter(0), state))

    def incoming_stream(self, shape: SegmentShape) -> ListStream[IncomingEdge] | None:
        def edges(node_id: int) -> list[IncomingEdge]:
            return self._incoming(node_id, self._core.all_edges(node_id, Direction.IN))

        return self._stream(
            Direction.IN, shape, _OneMemtable(edges, itemgetter(0), state_of_incoming)
        )

    def _stream(
        self, direction: Direction, shape: SegmentShape, sources: Sources[Entry]
    ) -> ListStream[Entry]:
        assert tables is not None
        assert memory is not None
        lists = memory.MemtableLists(self._core, direction, self.first_sequence, self.last_sequence)
        merge = tables.ListMerge(
            [lists.capsule()],
            self.first_id,
            shape.group_edges,
            shape.unindexed_size_max,
            direction == Direction.OUT,
        )
        return ListStream(merge, sources, self.first_sequence, shape.inline_size_max)


class _OneMemtable(Generic[Entry]):
    """Implements `Sources` for the edges of one direction.

    edges : id -> its edges, folded.   adjacent : of one of them.
    """

    def __init__(
        self,
        edges: Callable[[int], list[Entry]],
        adjacent: Callable[[Entry], AdjacentEdge],
        state: Callable[[Entry], tuple[AdjacentEdge, Mark, bytes]],
    ) -> None:
        self._edges = edges
        self._adjacent = adjacent
        self._state = state

    def answer(self, rank: int) -> None:
        raise AssertionError("a memtable asks for nothing")

    def careful(self, node_id: int, ranks: Sequence[int]) -> list[Entry]:
        return self._edges(node_id)

    def settle(self, node_id: int, ranks: Sequence[int], loose: Sequence[LooseEdge]) -> list[Entry]:
        wanted = {edge.adjacent for edge in loose}
        return [edge for edge in self._edges(node_id) if self._adjacent(edge) in wanted]

    def state(self, edge: Entry) -> tuple[AdjacentEdge, Mark, bytes]:
        return self._state(edge)

    def disorder(self, rank: int) -> Exception:
        return AssertionError("the ids of a memtable ascend")


def memtable_slice(memtable: Memtable, first_sequence: int, last_sequence: int) -> MemtableSlice:
    """Return a range of a frozen memtable's commits."""
    if isinstance(memtable, QuickMemtable):
        return QuickMemtableSlice(memtable, first_sequence, last_sequence)
    return MemtableSlice(memtable, first_sequence, last_sequence)
