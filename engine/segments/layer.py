"""What every layer offers to readers: the memtable now, segments and runs beside it later.

A layer answers from what it knows alone. Newer layers win; what a layer does not know is asked of
the next older one.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.version import EdgeVersion, NodeVersion


class Direction(IntEnum):
    """Which end of an edge is asked."""

    OUT = 0
    IN = 1


class EdgeEntry:
    """One edge in one layer, shared by both of its adjacency lists.

    Attributes
    ----------
    versions : oldest first.
    """

    __slots__ = ("key", "source", "target", "type_code", "versions")

    def __init__(self, source: int, target: int, type_code: int, key: str) -> None:
        self.source = source
        self.target = target
        self.type_code = type_code
        self.key = key
        self.versions: list[EdgeVersion] = []


class Layer(Protocol):
    """One layer of a view. Methods that take a sequence answer as of that commit."""

    def find_name(self, name: str, sequence: int) -> int | None:
        """Return the id, ABSENT if the name was deleted here, None if it is unknown here."""

    def name_of(self, node_id: int) -> str | None:
        """Return the name of a node, or None if this layer does not know it."""

    def node_versions(self, node_id: int, sequence: int) -> list[NodeVersion]:
        """Return the node's versions to fold, newest first; [] if this layer has none."""

    def adjacency(self, node_id: int, direction: Direction) -> list[tuple[AdjacentEdge, EdgeEntry]]:
        """Return every edge this layer knows at the node, dead ones too, in ascending order."""

    def edge(self, source: int, adjacent: AdjacentEdge) -> EdgeEntry | None:
        """Return one edge, dead or alive, or None if this layer does not know it."""

    def names_after(self, start: str, after: bool, count: int) -> list[str]:
        """Return up to `count` names from `start` on, ascending; with `after`, without `start`."""

    def sources(self) -> Sequence[int]:
        """Return the ids that have out-edges here, ascending."""
