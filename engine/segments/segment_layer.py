"""A segment and its history as one layer of a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from lithograph.formats.adjacency_group import Mark
from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import NO_EDGE, Change, Direction
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.stored_slice import StoredSlice
from lithograph.segments.version import (
    AnyVersion,
    EdgeVersion,
    NodeVersion,
    visible_down_to_full,
)

IdArray = npt.NDArray[np.int64]


class SegmentLayer:
    """Implements `segments.layer.GraphLayer`.

    open_history : called only by views at a sequence within the segment; None if there is none.
    """

    def __init__(
        self, segment: SegmentReader, open_history: Callable[[], HistoryReader | None]
    ) -> None:
        self._segment = segment
        self._open_history = open_history

    @property
    def first_id(self) -> int:
        return self._segment.footer.first_id

    def name_of(self, node_id: int) -> str | None:
        return self._segment.name_of(node_id)

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        end = self._segment.node_version(node_id)
        if self._is_past(sequence) and (end is None or end.sequence > sequence):
            history = self._open_history()
            past = history.node_versions(node_id, self._segment.span) if history else []
            return visible_down_to_full(past, sequence)
        return [end] if end is not None else []

    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        if self._is_past(sequence):
            return self._past_adjacency(node_id, direction, sequence)
        found = self._segment.list_of(node_id, direction)
        if found is None:
            return []
        edges, marks = found.decode()
        return [(edge, mark != Mark.DEAD) for edge, mark in zip(edges, marks, strict=True)]

    def out_edges(
        self, node_id: int, sequence: int
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        edges = {adjacent: version for adjacent, _, version in self._segment.edges_of(node_id)}
        if not self._is_past(sequence):
            return [(adjacent, [version]) for adjacent, version in edges.items()]
        history = self._open_history()
        past = dict(history.edges_of(node_id, self._segment.span)) if history else {}
        found = []
        for adjacent in sorted(edges.keys() | past.keys()):
            versions = _seen(edges.get(adjacent), past.get(adjacent, []), sequence)
            if versions:
                found.append((adjacent, versions))
        return found

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]:
        end = self._segment.edge_version(source, adjacent)
        past: list[EdgeVersion] = []
        if self._is_past(sequence) and (end is None or end.sequence > sequence):
            history = self._open_history()
            if history is not None:
                past = history.edge_versions(source, adjacent, self._segment.span)
        return _seen(end, past, sequence)

    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None:
        found = self._segment.list_of(node_id, direction)
        if self._is_past(sequence):
            history = self._open_history()
            known = history is not None and history.list_of(node_id, direction) is not None
            return 0 if found is None and not known else None
        if found is None:
            return 0
        return found.count() if found.is_pure else None

    def sources(self, start: int, count: int) -> Sequence[int]:
        found = self._segment.lists[Direction.OUT].ids(start, count)
        history = self._open_history()
        if history is None:
            return found
        past = history.lists[Direction.OUT].ids(start, count)
        return sorted({*found, *past})[:count] if past else found

    def check_lists_ahead(self, direction: Direction, start: int, end: int) -> None:
        """Check what holds the lists of ids from `start` to before `end`: all are wanted."""
        self._segment.lists[direction].check_ahead(start, end)

    def bring_nodes(self, ids: IdArray, count: int, size_max: int) -> None:
        """Bring the block of the first of these ids to hand, as `SegmentReader.bring_nodes`."""
        self._segment.bring_nodes(ids, count, size_max)

    @property
    def first_sequence(self) -> int:
        return self._segment.footer.first_sequence

    def commit_time(self, sequence: int) -> int:
        return self._segment.commit_row(sequence).time

    def sequence_at(self, time: int) -> int | None:
        return self._segment.sequence_at(time)

    def all_node_versions(self, node_id: int) -> list[NodeVersion]:
        return self._slice().node_versions(node_id)

    def changes(self, first: int, last: int) -> Iterator[Change]:
        stored = self._slice()
        for node_id, sequence in stored.changed_nodes():
            if first <= sequence <= last:
                yield Change(sequence, False, node_id, NO_EDGE)
        for source, adjacent, sequence in stored.changed_edges():
            if first <= sequence <= last:
                yield Change(sequence, True, source, adjacent)

    def _slice(self) -> StoredSlice:
        return StoredSlice(self._segment, self._open_history())

    def _is_past(self, sequence: int) -> bool:
        """Return whether a view at `sequence` does not see all commits of the segment."""
        return sequence < self._segment.footer.last_sequence

    def _past_adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        if direction == Direction.OUT:
            return [
                (adjacent, versions[0].change is not None)
                for adjacent, versions in self.out_edges(node_id, sequence)
            ]
        history = self._open_history()
        lists = (
            self._segment.list_of(node_id, direction),
            history.list_of(node_id, direction) if history is not None else None,
        )
        edges = {edge for found in lists if found is not None for edge in found.decode().edges}
        known = []
        for type_code, source, key in sorted(edges):
            versions = self.edge_versions(source, (type_code, node_id, key), sequence)
            if versions:
                known.append(((type_code, source, key), versions[0].change is not None))
        return known


def _seen(end: AnyVersion | None, past: list[AnyVersion], sequence: int) -> list[AnyVersion]:
    """Return the versions to fold: the end state alone, or else those of the history."""
    if end is not None and end.sequence <= sequence:
        return [end]
    return visible_down_to_full(past, sequence)
