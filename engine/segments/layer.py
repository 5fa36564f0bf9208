"""What every layer offers to readers: the memtables, and behind them the immutable files.

A layer answers from what it knows alone. Newer layers win; what a layer does not know is asked of
the next older one. Names are looked up in memtables and runs, ids in memtables and segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.version import EdgeVersion, NodeVersion


class Direction(IntEnum):
    """Which end of an edge is asked."""

    OUT = 0
    IN = 1


class NameLayer(Protocol):
    """A layer of the name index. Answers are as of the commit `sequence`."""

    def find_name(self, name: str, sequence: int) -> int | None:
        """Return the id, ABSENT if the name was deleted here, None if it is unknown here."""

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        """Return up to `count` names from `start` on, ascending; with `after`, without `start`.

        Names that are dead by now are among them; only an empty page is the last one.
        """


class GraphLayer(Protocol):
    """A layer of nodes and edges. Answers are as of the commit `sequence`.

    Attributes
    ----------
    first_id : ids from here on were born in this layer or a newer one: no older layer knows them.
    """

    @property
    def first_id(self) -> int: ...

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


class Layers(NamedTuple):
    """The layers of one view, newest first in both.

    owner : whatever must live as long as they are read from.
    """

    names: tuple[NameLayer, ...]
    graph: tuple[GraphLayer, ...]
    owner: object = None
