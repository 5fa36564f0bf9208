"""The lists of adjacent slices in one direction, oldest first, as the kernel merges them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from lithograph.errors import CorruptionError
from lithograph.formats.segment_shape import SegmentShape
from lithograph.kernel import tables
from lithograph.segments.layer import Direction
from lithograph.segments.list_stream import ListStream
from lithograph.segments.slice import IncomingEdge, Slice, SliceEdge
from lithograph.segments.stored_feed import Located, StoredFeed
from lithograph.segments.stored_slice import StoredSlice

Entry = TypeVar("Entry")
Merged = Callable[[int, list[list[Entry]]], list[Entry]]
"""What slices say of the edges of one node, oldest first -> what is left of them."""


class StoredFeeds:
    """The sources of a merge: those of each part, its segment before its history."""

    def __init__(self, direction: Direction) -> None:
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
                self.feeds.append(feed)
                self._owners.append((part, is_history))
        return True

    def located(
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

    def stream(
        self,
        first_id: int,
        shape: SegmentShape,
        careful: Callable[[int, Sequence[int]], list[Entry]],
    ) -> ListStream[Entry]:
        """Return the merge; `careful` as in `ListStream`."""
        assert tables is not None
        merge = tables.ListMerge(
            [feed.lists for feed in self.feeds],
            first_id,
            shape.group_edges,
            shape.unindexed_size_max,
            self._direction == Direction.OUT,
        )
        return ListStream(merge, self._answer, careful, self._disorder)

    def _answer(self, rank: int) -> None:
        self.feeds[rank].answer()

    def _disorder(self, rank: int) -> CorruptionError:
        return CorruptionError(
            "the ids of a table do not ascend to its end", path=self.feeds[rank].path
        )


def merge_edges(
    inputs: Sequence[Slice], shape: SegmentShape, merged: Merged[SliceEdge]
) -> ListStream[SliceEdge] | None:
    """Return the edges that leave nodes; None where the kernel cannot merge them.

    inputs : oldest first.   shape : of what is written.
    """
    feeds = _feeds(inputs, Direction.OUT)
    if feeds is None:
        return None

    def careful(node_id: int, ranks: Sequence[int]) -> list[SliceEdge]:
        lists = []
        for part, segment, history in feeds.located(ranks):
            edges = part.edges_at(_current(segment), _current(history))
            if segment is not None:
                segment.passed(sum(edge.version is not None for edge in edges))
            if history is not None:
                history.passed(sum(bool(edge.history) for edge in edges))
            lists.append(edges)
        return merged(node_id, lists)

    return feeds.stream(inputs[0].first_id, shape, careful)


def merge_incoming(
    inputs: Sequence[Slice], shape: SegmentShape, merged: Merged[IncomingEdge]
) -> ListStream[IncomingEdge] | None:
    """Return the edges that enter nodes; as `merge_edges`."""
    feeds = _feeds(inputs, Direction.IN)
    if feeds is None:
        return None

    def careful(node_id: int, ranks: Sequence[int]) -> list[IncomingEdge]:
        lists = [
            part.incoming_at(_current(segment), _current(history))
            for part, segment, history in feeds.located(ranks)
        ]
        return merged(node_id, lists)

    return feeds.stream(inputs[0].first_id, shape, careful)


def _feeds(inputs: Sequence[Slice], direction: Direction) -> StoredFeeds | None:
    if tables is None:
        return None
    feeds = StoredFeeds(direction)
    for part in inputs:
        if not isinstance(part, StoredSlice) or not feeds.add(part):
            return None
    return feeds


def _current(feed: StoredFeed | None) -> Located | None:
    return feed.current() if feed is not None else None
