"""What the memtable holds: one entry per node and per edge, with all their versions."""

from __future__ import annotations

from lithograph.formats.operations import AdjacentEdge
from lithograph.segments.version import EdgeVersion, NodeVersion


class NodeEntry:
    """One node in this layer; `name` is None where only an older layer knows it."""

    __slots__ = ("name", "versions")

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.versions: list[NodeVersion] = []


class EdgeEntry:
    """One edge, shared by both of its adjacency lists; `versions` has the oldest first."""

    __slots__ = ("key", "source", "target", "type_code", "versions")

    def __init__(self, source: int, target: int, type_code: int, key: str) -> None:
        self.source = source
        self.target = target
        self.type_code = type_code
        self.key = key
        self.versions: list[EdgeVersion] = []


class AdjacencyList:
    """The edges of one node in one direction; sorted when asked, again when it has grown."""

    __slots__ = ("_ordered", "entries")

    def __init__(self) -> None:
        self.entries: dict[AdjacentEdge, EdgeEntry] = {}
        self._ordered: list[tuple[AdjacentEdge, EdgeEntry]] = []

    def ordered(self) -> list[tuple[AdjacentEdge, EdgeEntry]]:
        ordered = self._ordered
        # Entries are never removed, so an equal length means equal contents.
        if len(ordered) != len(self.entries):
            ordered = sorted(list(self.entries.items()), key=_adjacent)
            self._ordered = ordered
        return ordered


def _adjacent(item: tuple[AdjacentEdge, EdgeEntry]) -> AdjacentEdge:
    return item[0]
