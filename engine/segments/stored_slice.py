"""A segment and its history, read as the slice that they were written from.

What a merge writes is made of these, and verification compares them with the rest of the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.version_record import EDGE_VERSIONS, CommitSpan
from lithograph.segments.folding import raw_versions
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.moving_records import END_STATES, HISTORIES, NAMES, RecordStream
from lithograph.segments.segment_reader import (
    SegmentReader,
    decode_node_version,
    decode_node_versions,
)
from lithograph.segments.slice import Mark, SliceEdge
from lithograph.segments.stored_blocks import HeldRecord
from lithograph.segments.stored_feed import Located, StoredFeed, history_feed, segment_feed
from lithograph.segments.version import EdgeVersion, NodeVersion

Left = TypeVar("Left")
Right = TypeVar("Right")


class StoredSlice:
    """Implements `segments.slice.Slice` over files.

    history : None if the slice overwrote nothing.
    """

    def __init__(self, segment: SegmentReader, history: HistoryReader | None) -> None:
        footer = segment.footer
        self.first_sequence = footer.first_sequence
        self.last_sequence = footer.last_sequence
        self.first_id = footer.first_id
        self.end_id = footer.end_id
        self._segment = segment
        self._history = history

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        return self._segment.all_commits()

    def names(self) -> Iterator[tuple[int, str]]:
        return self._segment.all_names()

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        history = self._history
        if history is None:
            for node_id, version in self._segment.all_nodes():
                yield node_id, version, []
            return
        span = self._segment.span
        both = zipped(self._segment.all_nodes(), history.all_nodes(span))
        for node_id, end, versions in both:
            yield node_id, end, versions or []

    def name_stream(self) -> RecordStream:
        """Return the names, for a merge in the kernel."""
        return RecordStream([self._segment.names], NAMES, 0)

    def node_streams(self, first_sequence: int) -> list[RecordStream]:
        """Return the end states of nodes, and then their history if there is any.

        first_sequence : of the output.
        """
        segment = self._segment
        ends = RecordStream(
            [segment.sparse_nodes, segment.dense_nodes],
            END_STATES,
            self.first_id,
            self.last_sequence - self.first_sequence,
            self.first_sequence - first_sequence,
        )
        if self._history is None:
            return [ends]
        return [ends, RecordStream([self._history.nodes], HISTORIES, self.end_id)]

    def node(
        self, end: HeldRecord | None, past: HeldRecord | None
    ) -> tuple[NodeVersion | None, list[NodeVersion]]:
        """Return end state and history of a node, as `nodes` yields them.

        end, past : its records in `node_streams`, None where it has none.
        """
        span = self._segment.span
        return (
            end.decode(lambda data: decode_node_version(data, span)) if end is not None else None,
            past.decode(lambda data: decode_node_versions(data, span)) if past is not None else [],
        )

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        history = self._history
        if history is None:
            for source, stored in self._segment.all_edges():
                yield source, _joined(stored, None)
            return
        span = self._segment.span
        both = zipped(self._segment.all_edges(), history.all_edges(span))
        for source, ends, old in both:
            yield source, _joined(ends, old)

    def incoming(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, bool]]]]:
        history = self._history
        if history is None:
            for target, marked in self._segment.all_incoming():
                yield target, _joined_incoming(marked, None)
            return
        for target, stored, old in zipped(self._segment.all_incoming(), history.all_incoming()):
            yield target, _joined_incoming(stored, old)

    def feeds(self, direction: Direction) -> tuple[StoredFeed, StoredFeed | None] | None:
        """Return the lists of the segment and of its history as the kernel walks over them; no
        history has none. None where the kernel cannot."""
        shape = self._segment.shape
        segment = segment_feed(self._segment, direction)
        if segment is None or self._history is None:
            return None if segment is None else (segment, None)
        sizes = (shape.lists, shape.group_edges, shape.positions)
        history = history_feed(self._history, sizes, direction)
        return None if history is None else (segment, history)

    def edges_at(self, segment: Located | None, history: Located | None) -> list[SliceEdge]:
        """Return the edges that leave a node, of which the files have these lists."""
        ends = old = None
        if segment is not None:
            ends = self._segment.with_versions(*segment)
        if history is not None:
            assert self._history is not None
            old = self._history.with_versions(*history, self._segment.span)
        return _joined(ends, old)

    def edge_at(
        self,
        adjacent: AdjacentEdge,
        mark: Mark,
        position: int | None,
        record: bytes | None,
        old_position: int | None,
    ) -> SliceEdge:
        """Return an edge by its positions in the segment and in the history.

        record : of its end state, with sequences as they are, if it is known.
        """
        span = self._segment.span
        end, history = None, []
        if position is not None:
            end = self._version_of(record) if record is not None else None
            if end is None:
                end = next(self._segment.edge_table.versions(position, 1, span))
        if old_position is not None:
            assert self._history is not None
            history = next(self._history.edge_table.lists(old_position, 1, span))
        return SliceEdge(adjacent, mark, end, history)

    def _version_of(self, record: bytes) -> EdgeVersion | None:
        """Return the version that a record holds; None if something is wrong with it."""
        span = CommitSpan(0, self.last_sequence, self._segment.span.time_of)
        try:
            return EdgeVersion(*EDGE_VERSIONS.read(Cursor(record), span))
        except CorruptionError:
            return None

    def incoming_at(
        self, segment: Located | None, history: Located | None
    ) -> list[tuple[AdjacentEdge, Mark, bool]]:
        """Return the edges that enter a node, of which the files have these lists."""
        stored = old = None
        if segment is not None:
            stored = list(zip(*segment.found.decode(), strict=True))
        if history is not None:
            old = history.found.decode().edges
        return _joined_incoming(stored, old)

    def newest_edge(self, source: int, adjacent: AdjacentEdge) -> int:
        """Return the sequence of an edge's newest version here, 0 if there is none."""
        end = self._segment.edge_version(source, adjacent)
        if end is not None:
            return end.sequence
        if self._history is None:
            return 0
        versions = self._history.edge_versions(source, adjacent, self._segment.span)
        return versions[-1].sequence if versions else 0

    def node_versions(self, node_id: int) -> list[NodeVersion]:
        """Return what each commit made of a node, oldest first."""
        end = self._segment.node_version(node_id)
        history: list[NodeVersion] = []
        if self._history is not None:
            history = self._history.node_versions(node_id, self._segment.span)
        return raw_versions(end, history)

    def changed_nodes(self) -> Iterator[tuple[int, int]]:
        """Yield (id, sequence) for every node and every commit that changed it."""
        for node_id, end, history in self.nodes():
            for version in raw_versions(end, history):
                yield node_id, version.sequence

    def changed_edges(self) -> Iterator[tuple[int, AdjacentEdge, int]]:
        """Yield (source, edge, sequence) for every edge and every commit that changed it."""
        for source, edges in self.edges():
            for edge in edges:
                for version in raw_versions(edge.version, edge.history):
                    yield source, edge.adjacent, version.sequence


def _joined(
    ends: list[tuple[AdjacentEdge, Mark, EdgeVersion]] | None,
    old: list[tuple[AdjacentEdge, list[EdgeVersion]]] | None,
) -> list[SliceEdge]:
    """Return the edges of a node: end states in the segment, versions in the history."""
    kept = dict(old or ())
    edges = [
        SliceEdge(adjacent, mark, end, kept.pop(adjacent, [])) for adjacent, mark, end in ends or ()
    ]
    if kept:
        edges += [SliceEdge(adjacent, Mark.GONE, None, raw) for adjacent, raw in kept.items()]
        edges.sort(key=_adjacent)
    return edges


def _joined_incoming(
    stored: list[tuple[AdjacentEdge, Mark]] | None, old: list[AdjacentEdge] | None
) -> list[tuple[AdjacentEdge, Mark, bool]]:
    """Return the edges that enter a node, and whether each of them has history."""
    kept = set(old or ())
    edges = [(adjacent, mark, adjacent in kept) for adjacent, mark in stored or ()]
    kept.difference_update([adjacent for adjacent, _, _ in edges])
    if kept:
        edges += [(adjacent, Mark.GONE, True) for adjacent in kept]
        edges.sort()
    return edges


def zipped(
    left: Iterator[tuple[int, Left]], right: Iterator[tuple[int, Right]]
) -> Iterator[tuple[int, Left | None, Right | None]]:
    """Yield each id of the two streams, ascending, with what each of them says of it."""
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), next(right, None)


def _adjacent(edge: SliceEdge) -> AdjacentEdge:
    return edge.adjacent
