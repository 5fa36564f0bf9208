"""A range of a frozen memtable's commits, as the kernel takes it into a segment.

What one commit of the range alone says of a node or an edge goes there straight from the memtable;
the rest is folded the plain way, id by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import memory, tables
from lithograph.segments.layer import Direction
from lithograph.segments.list_stream import Entry, ListStream
from lithograph.segments.slice import IncomingEdge, NodeItem, SliceEdge
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
        def careful(node_id: int, ranks: Sequence[int]) -> list[SliceEdge]:
            return self._outgoing(node_id, self._core.all_edges(node_id, Direction.OUT))

        return self._stream(Direction.OUT, shape, careful)

    def incoming_stream(self, shape: SegmentShape) -> ListStream[IncomingEdge] | None:
        def careful(node_id: int, ranks: Sequence[int]) -> list[IncomingEdge]:
            return self._incoming(node_id, self._core.all_edges(node_id, Direction.IN))

        return self._stream(Direction.IN, shape, careful)

    def _stream(
        self,
        direction: Direction,
        shape: SegmentShape,
        careful: Callable[[int, Sequence[int]], list[Entry]],
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
        return ListStream(merge, _asked, careful, _disordered)


def memtable_slice(memtable: Memtable, first_sequence: int, last_sequence: int) -> MemtableSlice:
    """Return a range of a frozen memtable's commits."""
    if isinstance(memtable, QuickMemtable):
        return QuickMemtableSlice(memtable, first_sequence, last_sequence)
    return MemtableSlice(memtable, first_sequence, last_sequence)


def _asked(rank: int) -> None:
    raise AssertionError("a memtable asks for nothing")


def _disordered(rank: int) -> Exception:
    return AssertionError("the ids of a memtable ascend")
