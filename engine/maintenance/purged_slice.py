"""A slice as if some nodes had never been: what a purge writes (SPEC.md, section 12.10)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from lithograph.errors import CorruptionError
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import tables
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.list_stream import ListStream
from lithograph.segments.moving_records import Held, MovingRecords, NameItem
from lithograph.segments.segment_reader import SegmentReader, decode_name
from lithograph.segments.slice import IncomingEdge, NodeItem, SliceEdge
from lithograph.segments.stored_blocks import HeldRecord
from lithograph.segments.stored_feeds import merge_edges, merge_incoming
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import EdgeVersion


class Counted:
    """What some nodes and their edges added to the counts of commits.

    nodes, edges : changes of the counts, by sequence.
    """

    def __init__(self, nodes: Counter[int], edges: Counter[int]) -> None:
        self._nodes = _sums(nodes)
        self._edges = _sums(edges)

    def at(self, sequence: int) -> tuple[int, int]:
        """Return how many of the nodes and edges were alive at a commit."""
        return _sum_at(self._nodes, sequence), _sum_at(self._edges, sequence)

    def is_counted(self, first: int, last: int) -> bool:
        """Return whether any of the commits first to last, both included, counts any of them."""
        if self.at(first) != (0, 0):
            return True
        return any(
            first <= sequence <= last for sums in (self._nodes, self._edges) for sequence in sums[0]
        )


class PurgedSlice:
    """Implements `segments.slice.Slice` over a segment and its history, without some nodes.

    What is not theirs moves as it stands, where the kernel can move it.
    """

    def __init__(self, stored: StoredSlice, ids: frozenset[int], counted: Counted) -> None:
        self.first_sequence = stored.first_sequence
        self.last_sequence = stored.last_sequence
        self.first_id = stored.first_id
        self.end_id = stored.end_id
        self._stored = stored
        self._ids = ids
        self._counted = counted

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        for sequence, time, node_count, edge_count in self._stored.commits():
            nodes, edges = self._counted.at(sequence)
            if nodes > node_count or edges > edge_count:
                raise CorruptionError(
                    f"commit {sequence} counts fewer nodes or edges than are to be purged: "
                    "verify the store"
                )
            yield sequence, time, node_count - nodes, edge_count - edges

    def names(self) -> Iterator[tuple[int, str]]:
        return (item for item in self._stored.names() if item[0] not in self._ids)

    def nodes(self) -> Iterator[NodeItem]:
        return (item for item in self._stored.nodes() if item[0] not in self._ids)

    def moving_names(self) -> MovingRecords[NameItem] | None:
        """Return the names as the kernel moves them; None without one."""
        if tables is None:
            return None
        return MovingRecords([self._stored.name_stream()], self._name, careful=sorted(self._ids))

    def moving_nodes(self) -> MovingRecords[NodeItem] | None:
        """Return the nodes as the kernel moves them; None without one."""
        if tables is None:
            return None
        streams = self._stored.node_streams(self.first_sequence)
        return MovingRecords(streams, self._node, careful=sorted(self._ids))

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        for source, edges in self._stored.edges():
            kept = self._edges(source, [edges])
            if kept:
                yield source, kept

    def incoming(self) -> Iterator[tuple[int, list[IncomingEdge]]]:
        for target, edges in self._stored.incoming():
            kept = self._incoming(target, [edges])
            if kept:
                yield target, kept

    def edge_stream(self, shape: SegmentShape) -> ListStream[SliceEdge] | None:
        return merge_edges([self._stored], shape, self._edges, sorted(self._ids))

    def incoming_stream(self, shape: SegmentShape) -> ListStream[IncomingEdge] | None:
        return merge_incoming([self._stored], shape, self._incoming, sorted(self._ids))

    def _name(self, node_id: int, held: Held) -> NameItem | None:
        return None if node_id in self._ids else (node_id, held[0][1].decode(decode_name))

    def _node(self, node_id: int, held: Held) -> NodeItem | None:
        if node_id in self._ids:
            return None
        of_part: list[HeldRecord | None] = [None, None]
        for place, record in held:
            of_part[place] = record
        return (node_id, *self._stored.node(*of_part))

    def _edges(self, source: int, lists: list[list[SliceEdge]]) -> list[SliceEdge]:
        """Return those edges that leave a node for one that stays."""
        if source in self._ids:
            return []
        return [edge for edges in lists for edge in edges if edge.adjacent[1] not in self._ids]

    def _incoming(self, target: int, lists: list[list[IncomingEdge]]) -> list[IncomingEdge]:
        """Return those edges that enter a node from one that stays."""
        if target in self._ids:
            return []
        return [edge for edges in lists for edge in edges if edge[0][1] not in self._ids]


def holds_any(segment: SegmentReader, history: HistoryReader | None, ids: frozenset[int]) -> bool:
    """Return whether a segment or its history says anything of one of the nodes."""
    files = (segment,) if history is None else (segment, history)
    return any(
        segment.footer.first_id <= node_id < segment.footer.end_id
        or segment.node_version(node_id) is not None
        or (history is not None and bool(history.node_versions(node_id, segment.span)))
        or any(file.list_of(node_id, side) is not None for file in files for side in Direction)
        for node_id in ids
        if node_id < segment.footer.end_id
    )


def edges_at(
    segment: SegmentReader, history: HistoryReader | None, node_id: int
) -> Iterator[tuple[int, AdjacentEdge, list[EdgeVersion]]]:
    """Yield (source, edge, its versions here oldest first) of every edge at a node.

    Cost: O(its edges), of those that enter it with a look at the list of each source.
    """
    span = segment.span
    ends: dict[AdjacentEdge, EdgeVersion] = {}
    past: dict[AdjacentEdge, list[EdgeVersion]] = {}
    outgoing = segment.list_of(node_id, Direction.OUT)
    if outgoing is not None:
        listed = segment.with_versions(outgoing, outgoing.position())
        ends = {adjacent: end for adjacent, _, end in listed}
    overwritten = history.list_of(node_id, Direction.OUT) if history is not None else None
    if history is not None and overwritten is not None:
        past = dict(history.with_versions(overwritten, overwritten.position(), span))
    found = {(node_id, adjacent) for adjacent in (*ends, *past)}
    for file in (segment, history):
        incoming = file.list_of(node_id, Direction.IN) if file is not None else None
        if incoming is not None:
            found.update(
                (source, (code, node_id, key)) for code, source, key in incoming.decode().edges
            )
    for source, adjacent in sorted(found):
        if source == node_id:
            end, versions = ends.get(adjacent), past.get(adjacent, [])
        else:
            end = segment.edge_version(source, adjacent)
            versions = [] if history is None else history.edge_versions(source, adjacent, span)
        if end is not None and not (versions and versions[-1].sequence == end.sequence):
            versions = [*versions, end]
        yield source, adjacent, versions


_Sums = tuple[list[int], list[int]]


def _sums(changes: Counter[int]) -> _Sums:
    """Return the sequences at which a count changes, ascending, and what it comes to at each."""
    sequences = sorted(sequence for sequence, change in changes.items() if change)
    return sequences, list(accumulate(changes[sequence] for sequence in sequences))


def _sum_at(sums: _Sums, sequence: int) -> int:
    place = bisect_right(sums[0], sequence)
    return sums[1][place - 1] if place else 0
