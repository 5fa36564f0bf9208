"""Adjacent slices of history as one: what a merge of segments writes (SPEC.md, section 12.10).

The end states of the older slices become history where a newer one says something of the same node
or edge; with a floor, what was superseded before it is left out.

Invariants
1. What a view at the floor or later sees of the merged slice is what it saw of the inputs.
2. A tombstone goes only where no layer below the merged slice can hold what it hides.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import tables
from lithograph.segments.folding import (
    fold_edge_versions,
    fold_node_versions,
    raw_versions,
    trim_history,
)
from lithograph.segments.list_stream import ListStream
from lithograph.segments.moving_records import Held, MovingRecords, NameItem, RecordStream
from lithograph.segments.segment_reader import decode_name
from lithograph.segments.slice import IncomingEdge, Mark, NodeItem, Slice, SliceEdge, merged_mark
from lithograph.segments.stored_blocks import HeldRecord
from lithograph.segments.stored_feeds import merge_edges, merge_incoming
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import EdgeVersion, NodeVersion

Item = TypeVar("Item")


class MergeSlice:
    """Implements `segments.slice.Slice` over adjacent slices, oldest first.

    floor : of a node's or an edge's versions up to this commit only what a view at it sees is kept;
        0 keeps all.
    newest_edge : sequence of the newest version of an edge (source, adjacent) in any input.
    """

    def __init__(
        self,
        inputs: Sequence[Slice],
        floor: int,
        newest_edge: Callable[[int, AdjacentEdge], int],
    ) -> None:
        self.first_sequence = inputs[0].first_sequence
        self.last_sequence = inputs[-1].last_sequence
        self.first_id = inputs[0].first_id
        self.end_id = inputs[-1].end_id
        self._inputs = inputs
        self._floor = floor
        self._newest_edge = newest_edge

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        for part in self._inputs:
            yield from part.commits()

    def names(self) -> Iterator[tuple[int, str]]:
        named = (item for part in self._inputs for item in part.names())
        if not self._floor:
            yield from named
            return
        # A node whose end is below the floor is forgotten, its name with it.
        living = (node_id for node_id, _, _ in self.nodes() if node_id >= self.first_id)
        alive = next(living, None)
        for node_id, name in named:
            while alive is not None and alive < node_id:
                alive = next(living, None)
            if alive == node_id:
                yield node_id, name

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        for node_id, found in _merged([part.nodes() for part in self._inputs]):
            merged = self._node(node_id, found)
            if merged is not None:
                yield merged

    def moving_names(self) -> MovingRecords[NameItem] | None:
        """Return the names as the kernel moves them; None where not all inputs are files."""
        parts = self._stored()
        if parts is None:
            return None
        names = [part.name_stream() for part in parts]
        if not self._floor:
            return MovingRecords(names, _held_name)
        # As in `names`: what is left of the node decides.
        streams, node = self._node_streams(parts, len(names))

        def living(node_id: int, held: Held) -> NameItem | None:
            return _held_name(node_id, held) if node(node_id, held[1:]) is not None else None

        return MovingRecords([*names, *streams], living, named=True)

    def moving_nodes(self) -> MovingRecords[NodeItem] | None:
        """Return the nodes as the kernel moves them; None where not all inputs are files."""
        parts = self._stored()
        if parts is None:
            return None
        streams, node = self._node_streams(parts, 0)
        return MovingRecords(streams, node, living_only=bool(self._floor))

    def _node_streams(
        self, parts: Sequence[StoredSlice], first: int
    ) -> tuple[list[RecordStream], Callable[[int, Held], NodeItem | None]]:
        """Return what the inputs say of nodes, in streams that are numbered from `first` on, and
        what makes a merged node of records held in them."""
        streams = []
        owners = []
        for part in parts:
            for place, stream in enumerate(part.node_streams(self.first_sequence)):
                streams.append(stream)
                owners.append((part, place))

        def node(node_id: int, held: Held) -> NodeItem | None:
            records: dict[StoredSlice, list[HeldRecord | None]] = {}
            for number, record in held:
                part, place = owners[number - first]
                records.setdefault(part, [None, None])[place] = record
            found = [(node_id, *part.node(*of_part)) for part, of_part in records.items()]
            return self._node(node_id, found)

        return streams, node

    def _stored(self) -> list[StoredSlice] | None:
        """Return the inputs if the kernel can move their records."""
        parts = [part for part in self._inputs if isinstance(part, StoredSlice)]
        return parts if tables is not None and len(parts) == len(self._inputs) else None

    def _node(self, node_id: int, found: Sequence[NodeItem]) -> NodeItem | None:
        """Return what the inputs, oldest first, say of a node together; None if it is forgotten."""
        if len(found) == 1 and not self._floor:
            return found[0]
        raw = [version for _, end, history in found for version in raw_versions(end, history)]
        raw = trim_history(raw, self._floor)
        if self._is_forgotten(raw[-1]) and node_id >= self.first_id:
            return None
        return (node_id, *fold_node_versions(raw))

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        for source, found in _merged([part.edges() for part in self._inputs]):
            edges = self._edges(source, [edges for _, edges in found])
            if edges:
                yield source, edges

    def incoming(self) -> Iterator[tuple[int, list[IncomingEdge]]]:
        for target, found in _merged([part.incoming() for part in self._inputs]):
            edges = self._incoming(target, [edges for _, edges in found])
            if edges:
                yield target, edges

    def edge_stream(self, shape: SegmentShape) -> ListStream[SliceEdge] | None:
        return None if self._floor else merge_edges(self._inputs, shape, self._edges)

    def incoming_stream(self, shape: SegmentShape) -> ListStream[IncomingEdge] | None:
        return None if self._floor else merge_incoming(self._inputs, shape, self._incoming)

    def _edges(self, source: int, lists: list[list[SliceEdge]]) -> list[SliceEdge]:
        """Return what is left of the edges that leave a node."""
        if len(lists) == 1 and not self._floor:
            return lists[0]
        return [
            edge
            for same in _aligned(lists, _adjacent_of)
            if (edge := self._edge(source, same)) is not None
        ]

    def _incoming(self, target: int, lists: list[list[IncomingEdge]]) -> list[IncomingEdge]:
        """Return what is left of the edges that enter a node."""
        if len(lists) == 1 and not self._floor:
            return lists[0]
        return [
            edge
            for same in _aligned(lists, _adjacent_in)
            if (edge := self._incoming_edge(target, same)) is not None
        ]

    def _edge(self, source: int, found: Sequence[SliceEdge]) -> SliceEdge | None:
        adjacent = found[0].adjacent
        raw: list[EdgeVersion] = []
        for edge in found:
            raw += raw_versions(edge.version, edge.history)
        raw = trim_history(raw, self._floor)
        mark = self._mark(max(source, adjacent[1]), [edge.mark for edge in found])
        if mark == Mark.GONE:
            return None if self._is_forgotten(raw[-1]) else SliceEdge(adjacent, mark, None, raw)
        return SliceEdge(adjacent, mark, *fold_edge_versions(raw))

    def _incoming_edge(self, target: int, found: Sequence[IncomingEdge]) -> IncomingEdge | None:
        adjacent = found[0][0]
        type_code, source, key = adjacent
        mark = self._mark(max(source, target), [mark for _, mark, _ in found])
        has_history = mark == Mark.GONE or len(found) > 1 or any(kept for _, _, kept in found)
        if has_history and self._floor:
            newest = self._newest_edge(source, (type_code, target, key))
            if newest <= self._floor:
                # Everything up to the floor is one version, the end state or nothing.
                return None if mark == Mark.GONE else (adjacent, mark, False)
        return adjacent, mark, has_history

    def _mark(self, youngest: int, marks: Sequence[Mark]) -> Mark:
        """Return what the inputs together leave of an edge, of which they left `marks`."""
        return merged_mark(
            older_may_hold=marks[0] in (Mark.DEAD, Mark.CHANGED),
            alive=marks[-1] in (Mark.CHANGED, Mark.MADE),
            born_here=youngest >= self.first_id,
        )

    def _is_forgotten(self, newest: NodeVersion | EdgeVersion) -> bool:
        return newest.change is None and newest.sequence <= self._floor


def _held_name(node_id: int, held: Held) -> NameItem:
    return node_id, held[0][1].decode(decode_name)


def _merged(streams: Sequence[Iterator[Item]]) -> Iterator[tuple[int, list[Item]]]:
    """Yield each id of the streams, ascending, with what they say of it, oldest stream first."""
    keyed = [_ranked(rank, stream) for rank, stream in enumerate(streams)]
    for node_id, same in groupby(heapq.merge(*keyed), key=lambda entry: entry[0]):
        yield node_id, [item for _, _, item in same]


def _ranked(rank: int, stream: Iterator[Item]) -> Iterator[tuple[int, int, Item]]:
    for item in stream:
        yield item[0], rank, item  # type: ignore[index]


def _aligned(
    lists: Sequence[Sequence[Item]], key: Callable[[Item], AdjacentEdge]
) -> Iterator[list[Item]]:
    """Yield what the lists, oldest first, say of each edge, ascending."""
    if len(lists) == 1:
        for item in lists[0]:
            yield [item]
        return
    found: dict[AdjacentEdge, list[Item]] = {}
    for items in lists:
        for item in items:
            found.setdefault(key(item), []).append(item)
    for adjacent in sorted(found):
        yield found[adjacent]


def _adjacent_of(edge: SliceEdge) -> AdjacentEdge:
    return edge.adjacent


def _adjacent_in(edge: IncomingEdge) -> AdjacentEdge:
    return edge[0]
