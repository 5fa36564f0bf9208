"""The lists of adjacent slices in one direction, oldest first, as the kernel merges them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from lithograph.errors import CorruptionError
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import tables
from lithograph.segments.layer import Direction
from lithograph.segments.list_stream import (
    ListStream,
    LooseEdge,
    Sighting,
    state_of_edge,
    state_of_incoming,
)
from lithograph.segments.slice import IncomingEdge, Mark, Slice, SliceEdge
from lithograph.segments.stored_feed import Located, StoredFeed
from lithograph.segments.stored_slice import StoredSlice

Entry = TypeVar("Entry")
Merged = Callable[[int, list[list[Entry]]], list[Entry]]
"""What slices say of the edges of one node, oldest first -> what is left of them."""


Seen = tuple[StoredFeed, Sighting]


class StoredFeeds(ABC, Generic[Entry]):
    """The sources of a merge: those of each part, its segment before its history.

    merged : see `Merged`.   first_sequence : of the merged slice.
    """

    def __init__(self, direction: Direction, merged: Merged[Entry], first_sequence: int) -> None:
        self._merged = merged
        self._first_sequence = first_sequence
        self.feeds: list[StoredFeed] = []
        self._direction = direction
        self._owners: list[tuple[StoredSlice, bool]] = []

    def add(self, part: StoredSlice) -> bool:
        """Add the lists of a slice, the next newer one; return False where the kernel cannot."""
        found = part.feeds(self._direction)
        if found is None:
            return False
        for feed, is_history in zip(found, (False, True), strict=True):
            if feed is not None:
                feed.rank = len(self.feeds)
                self.feeds.append(feed)
                self._owners.append((part, is_history))
        return True

    def stream(
        self, first_id: int, shape: SegmentShape, careful: Sequence[int]
    ) -> ListStream[Entry]:
        """Return the merge.

        first_id : the lowest born in the merged slice.
        careful : ids, ascending, of whose edges `merged` is asked in any case.
        """
        assert tables is not None
        merge = tables.ListMerge(
            [feed.lists for feed in self.feeds],
            first_id,
            shape.group_edges,
            shape.unindexed_size_max,
            self._direction == Direction.OUT,
            careful,
        )
        return ListStream(merge, self, self._first_sequence, shape.inline_size_max)

    def answer(self, rank: int) -> None:
        self.feeds[rank].answer()

    def careful(self, node_id: int, ranks: Sequence[int]) -> list[Entry]:
        lists = [self._whole(*where) for where in self._located(ranks)]
        return self._merged(node_id, lists)

    def settle(self, node_id: int, ranks: Sequence[int], loose: Sequence[LooseEdge]) -> list[Entry]:
        lists = []
        for part, segment, history in self._located(ranks):
            found = []
            for edge in loose:
                seen = {sighting.rank: sighting for sighting in edge.sightings}
                pair = [
                    (feed, seen[feed.rank]) if feed is not None and feed.rank in seen else None
                    for feed in (segment, history)
                ]
                if pair != [None, None]:
                    found.append(self._single(part, edge.adjacent, *pair))
            lists.append(found)
        return self._merged(node_id, lists)

    def disorder(self, rank: int) -> CorruptionError:
        path = self.feeds[rank].path
        return CorruptionError("the ids of a table do not ascend to its end", path=path)

    @abstractmethod
    def state(self, edge: Entry) -> tuple[AdjacentEdge, Mark, bytes]: ...

    @abstractmethod
    def _whole(
        self, part: StoredSlice, segment: StoredFeed | None, history: StoredFeed | None
    ) -> list[Entry]:
        """Return all edges that a slice has of the current id."""

    @abstractmethod
    def _single(
        self, part: StoredSlice, adjacent: AdjacentEdge, segment: Seen | None, history: Seen | None
    ) -> Entry:
        """Return one edge that a slice has of the current id."""

    def _located(
        self, ranks: Sequence[int]
    ) -> Iterator[tuple[StoredSlice, StoredFeed | None, StoredFeed | None]]:
        """Yield each slice that these sources belong to, with its segment and history if they are
        among them."""
        found: dict[int, tuple[StoredSlice, list[StoredFeed | None]]] = {}
        for rank in ranks:
            part, is_history = self._owners[rank]
            _, pair = found.setdefault(id(part), (part, [None, None]))
            pair[is_history] = self.feeds[rank]
        for part, (segment, history) in found.values():
            yield part, segment, history


class _OutFeeds(StoredFeeds[SliceEdge]):
    def state(self, edge: SliceEdge) -> tuple[AdjacentEdge, Mark, bytes]:
        return state_of_edge(edge, self._first_sequence)

    def _whole(
        self, part: StoredSlice, segment: StoredFeed | None, history: StoredFeed | None
    ) -> list[SliceEdge]:
        edges = part.edges_at(_current(segment), _current(history))
        if segment is not None:
            segment.passed(sum(edge.version is not None for edge in edges))
        if history is not None:
            history.passed(sum(bool(edge.history) for edge in edges))
        return edges

    def _single(
        self, part: StoredSlice, adjacent: AdjacentEdge, segment: Seen | None, history: Seen | None
    ) -> SliceEdge:
        mark = Mark(segment[1].mark) if segment is not None else Mark.GONE
        record = segment[1].record if segment is not None else None
        return part.edge_at(adjacent, mark, _position(segment), record, _position(history))


class _InFeeds(StoredFeeds[IncomingEdge]):
    def state(self, edge: IncomingEdge) -> tuple[AdjacentEdge, Mark, bytes]:
        return state_of_incoming(edge)

    def _whole(
        self, part: StoredSlice, segment: StoredFeed | None, history: StoredFeed | None
    ) -> list[IncomingEdge]:
        return part.incoming_at(_current(segment), _current(history))

    def _single(
        self, part: StoredSlice, adjacent: AdjacentEdge, segment: Seen | None, history: Seen | None
    ) -> IncomingEdge:
        mark = Mark(segment[1].mark) if segment is not None else Mark.GONE
        return adjacent, mark, history is not None


def merge_edges(
    inputs: Sequence[Slice],
    shape: SegmentShape,
    merged: Merged[SliceEdge],
    careful: Sequence[int] = (),
) -> ListStream[SliceEdge] | None:
    """Return the edges that leave nodes; None where the kernel cannot merge them.

    inputs : oldest first.   shape : of what is written.
    careful : ids, ascending: of the edges at either end of them `merged` is asked in any case, of
        others only where the kernel does not know what is left.
    """
    feeds = _OutFeeds(Direction.OUT, merged, inputs[0].first_sequence)
    return _stream(feeds, inputs, shape, careful)


def merge_incoming(
    inputs: Sequence[Slice],
    shape: SegmentShape,
    merged: Merged[IncomingEdge],
    careful: Sequence[int] = (),
) -> ListStream[IncomingEdge] | None:
    """Return the edges that enter nodes; as `merge_edges`."""
    feeds = _InFeeds(Direction.IN, merged, inputs[0].first_sequence)
    return _stream(feeds, inputs, shape, careful)


def _stream(
    feeds: StoredFeeds[Entry],
    inputs: Sequence[Slice],
    shape: SegmentShape,
    careful: Sequence[int],
) -> ListStream[Entry] | None:
    if tables is None:
        return None
    for part in inputs:
        if not isinstance(part, StoredSlice) or not feeds.add(part):
            return None
    return feeds.stream(inputs[0].first_id, shape, careful)


def _current(feed: StoredFeed | None) -> Located | None:
    return feed.current() if feed is not None else None


def _position(seen: Seen | None) -> int | None:
    """Return the position of an edge in its file."""
    return None if seen is None else seen[0].position() + seen[1].place
