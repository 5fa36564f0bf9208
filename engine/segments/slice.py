"""A slice: a contiguous range of commits, folded, on its way into a segment.

A flush of the memtable and a merge of segments both offer one; `segment_writer` takes it. The end
state of a node or an edge is what its versions in the slice amount to; its history is what the
slice itself overwrote (`folding`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from lithograph.formats.adjacency_group import Mark as Mark
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.segment_shape import SegmentShape
from lithograph.segments.version import EdgeVersion, NodeVersion

if TYPE_CHECKING:
    from lithograph.segments.list_stream import ListStream


class SliceEdge(NamedTuple):
    """One edge, as its source sees it.

    version : its end state; None exactly if `mark` is GONE.   history : oldest first.
    """

    adjacent: AdjacentEdge
    mark: Mark
    version: EdgeVersion | None
    history: list[EdgeVersion]


IncomingEdge = tuple[AdjacentEdge, Mark, bool]
"""One edge as its target sees it, and whether it has history."""


NodeItem = tuple[int, NodeVersion | None, list[NodeVersion]]
"""An id, the end state of its node, and its history, oldest first."""


class Slice(Protocol):
    """What a segment is made of.

    Iterators are fresh on each call and ascend; every sequence in them is in the slice, and so is
    `born_sequence` of every full version.

    Attributes
    ----------
    first_sequence, last_sequence : both in the slice.
    first_id, end_id : the ids born in it; it may also touch ids below.
    """

    @property
    def first_sequence(self) -> int: ...

    @property
    def last_sequence(self) -> int: ...

    @property
    def first_id(self) -> int: ...

    @property
    def end_id(self) -> int: ...

    def commits(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (sequence, time, node count, edge count) for every sequence of the range."""

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield the names of the ids born here; an id without one is nameless for good."""

    def nodes(self) -> Iterator[tuple[int, NodeVersion | None, list[NodeVersion]]]:
        """Yield (id, end state or None, history oldest first)."""

    def edges(self) -> Iterator[tuple[int, list[SliceEdge]]]:
        """Yield (source, its edges ascending); lists are not empty."""

    def incoming(self) -> Iterator[tuple[int, list[IncomingEdge]]]:
        """Yield (target, its edges ascending): the same edges with the same marks, and whether
        the edge has history. Lists are not empty."""


@runtime_checkable
class EncodedSlice(Slice, Protocol):
    """A slice that has the records of nodes as the segment will have them."""

    def encoded_names(self) -> Iterator[tuple[int, bytes]]:
        """Yield what `names` does, in UTF-8."""

    def encoded_nodes(self) -> Iterator[tuple[int, bytes | NodeItem]]:
        """Yield the record of each node that has no history here; of others what `nodes` yields."""


@runtime_checkable
class StreamedSlice(Slice, Protocol):
    """A slice of which the kernel can put the edges into tables itself.

    Each of the two may be None: then `edges`, or `incoming`, is the way. They are used once.
    """

    def edge_stream(self, shape: SegmentShape) -> ListStream[SliceEdge] | None:
        """Return what `edges` yields; `shape` is that of the segment to write."""

    def incoming_stream(self, shape: SegmentShape) -> ListStream[IncomingEdge] | None:
        """Return what `incoming` yields."""


def merged_mark(*, older_may_hold: bool, alive: bool, born_here: bool) -> Mark:
    """Return what a slice leaves of an edge.

    older_may_hold : before the slice the edge may be alive.   alive : after it, it is.
    born_here : an end of the edge was born in the slice, so no older layer knows the edge.
    """
    if alive:
        return Mark.CHANGED if older_may_hold else Mark.MADE
    return Mark.DEAD if older_may_hold and not born_here else Mark.GONE
