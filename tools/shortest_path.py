"""The shortest path between two nodes: a search from both ends that meets in the middle.

Each side keeps the nodes that it reached and from where; the smaller edge of the two advances, a
whole step at a time.

Invariant: when a side has made n steps, it holds every node within n of its end, and no two sides
have met. So the first node that both reach lies on a shortest path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lithograph.errors import InvalidArgumentError

if TYPE_CHECKING:
    from lithograph import Snapshot

REACHED_MAX: Final = 1_000_000
"""Nodes that a search may hold: 160 MB."""

_OPPOSITE: Final = {"out": "in", "in": "out", "both": "both"}
_CHUNK_COUNT: Final = 65_536


class _Side:
    """One end of the search.

    came_from : node reached -> the one before it, seen from this end.
    front : the nodes reached by the last step.
    """

    def __init__(self, view: Snapshot, start: int, direction: str, types: list[str] | None) -> None:
        self._view = view
        self._direction = direction
        self._types = types
        self.came_from = {start: start}
        self.front = [start]

    def advance(self, other: _Side) -> int | None:
        """Make one step; return the first node found that the other side reached, if any."""
        front: list[int] = []
        came_from, theirs = self.came_from, other.came_from
        for node in self.front:
            for neighbor in self._neighbors(node):
                if neighbor in came_from:
                    continue
                came_from[neighbor] = node
                if neighbor in theirs:
                    return neighbor
                front.append(neighbor)
            if len(came_from) + len(theirs) > REACHED_MAX:
                raise InvalidArgumentError(
                    f"the search reached {REACHED_MAX:,} nodes and found no end: ask for less "
                    "with --max-hops or --type"
                )
        self.front = front
        return None

    def _neighbors(self, node: int) -> Iterator[int]:
        """Yield the neighbors, as Python's integers only a piece of a hub's at a time."""
        found = self._view.neighbor_ids(node, self._direction, self._types)
        for start in range(0, len(found), _CHUNK_COUNT):
            yield from found[start : start + _CHUNK_COUNT].tolist()

    def trail(self, node: int) -> list[int]:
        """Return the nodes from `node` back to this end, both included."""
        nodes = [node]
        while (before := self.came_from[nodes[-1]]) != nodes[-1]:
            nodes.append(before)
        return nodes


def shortest_path(
    view: Snapshot,
    source: int,
    target: int,
    direction: str,
    types: list[str] | None,
    hops_max: int | None,
) -> list[int] | None:
    """Return the ids of a shortest path, both ends included; None where there is none.

    direction : of its edges: "out" leads along them, "in" against them, "both" either way.
    hops_max : edges that it may have; None for any number.

    Raises
    ------
    InvalidArgumentError : more than `REACHED_MAX` nodes were reached.

    Cost: O(edges of the nodes reached from both ends).
    """
    if source == target:
        return [source]
    ahead = _Side(view, source, direction, types)
    behind = _Side(view, target, _OPPOSITE[direction], types)
    hops = 0
    while ahead.front and behind.front and (hops_max is None or hops < hops_max):
        ahead_is_smaller = len(ahead.front) <= len(behind.front)
        moved, other = (ahead, behind) if ahead_is_smaller else (behind, ahead)
        met = moved.advance(other)
        hops += 1
        if met is not None:
            return ahead.trail(met)[::-1] + behind.trail(met)[1:]
    return None
