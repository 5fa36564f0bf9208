"""What every layer offers to readers: the memtables, and behind them the immutable files.

A layer answers from what it knows alone. Newer layers win; what a layer does not know is asked of
the next older one. Names are looked up in memtables and runs, ids in memtables and segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.version import EdgeVersion, NodeVersion


class Direction(IntEnum):
    """Which end of an edge is asked."""

    OUT = 0
    IN = 1


NO_EDGE: Final[AdjacentEdge] = (0, 0, "")


class Change(NamedTuple):
    """That a commit changed a node or an edge; sorted, they are in the order of the commits, and in
    each the nodes come first, by id, then the edges, by source and place in its list.

    node_id : the node, or the source of the edge.   adjacent : NO_EDGE for a node.
    """

    sequence: int
    of_edge: bool
    node_id: int
    adjacent: AdjacentEdge


class NameLayer(Protocol):
    """A layer of the name index. Answers are as of the commit `sequence`."""

    def find_name(self, name: str, sequence: int) -> int | None:
        """Return the id, ABSENT if the name was deleted here, None if it is unknown here."""

    def versions_of_name(self, name: str) -> list[tuple[int, int]]:
        """Return every (sequence, id or ABSENT) of a name here, newest first."""

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        """Return up to `count` names from `start` on, ascending; with `after`, without `start`.

        Names that are dead by now are among them; only an empty page is the last one.
        """


class GraphLayer(Protocol):
    """A layer of nodes and edges. Answers are as of the commit `sequence`.

    Attributes
    ----------
    first_id : ids from here on were born in this layer or a newer one: no older layer knows them.
    first_sequence : commits from here on are in this layer or a newer one.
    """

    @property
    def first_id(self) -> int: ...

    @property
    def first_sequence(self) -> int: ...

    def name_of(self, node_id: int) -> str | None:
        """Return the name of a node born in this layer, dead or alive; None for all others."""

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        """Return the node's versions to fold, newest first; [] if this layer has none."""

    def adjacency(
        self, node_id: int, direction: Direction, sequence: int
    ) -> list[tuple[AdjacentEdge, bool]]:
        """Return every edge this layer knows at the node, ascending, and whether it is alive."""

    def out_edges(
        self, node_id: int, sequence: int
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        """Return the same edges, going out, with their versions to fold, newest first."""

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, sequence: int
    ) -> list[EdgeVersion]:
        """Return one edge's versions to fold, newest first; [] if this layer has none."""

    def degree(self, node_id: int, direction: Direction, sequence: int) -> int | None:
        """Return how many edges this layer adds to the node, or None if it also changes or ends
        edges of older layers: then lists must be merged to count."""

    def sources(self, start: int, count: int) -> Sequence[int]:
        """Return up to `count` ids from `start` on that may have out-edges here, ascending."""

    def commit_time(self, sequence: int) -> int:
        """Return when a commit of this layer was, in µs since 1970 UTC."""

    def sequence_at(self, time: int) -> int | None:
        """Return the newest commit here that is not after `time` (µs); None if none is."""

    def all_node_versions(self, node_id: int) -> list[NodeVersion]:
        """Return what each commit of this layer made of a node, oldest first."""

    def changes(self, first: int, last: int) -> Iterator[Change]:
        """Yield what the commits first to last (inclusive) changed, as far as they are in this
        layer, each once, in any order."""


class Layers(NamedTuple):
    """The layers of one view, newest first in both.

    owner : whatever must live as long as they are read from.
    """

    names: tuple[NameLayer, ...]
    graph: tuple[GraphLayer, ...]
    owner: object = None
