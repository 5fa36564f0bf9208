"""Multi-hop work on ids: breadth first, every node once, no paths."""

from __future__ import annotations

from lithograph.read.neighbors import TypeCodes, neighbor_list
from lithograph.segments.layer import Direction, Layers


def k_hop(
    layers: Layers,
    start: int,
    hops: int,
    directions: tuple[Direction, ...],
    types: TypeCodes,
    sequence: int,
) -> list[list[int]]:
    """Return, per hop, the ids first reached by it, ascending; `start` is in none.

    Cost: O(edges of everything reached before the last hop).
    """
    seen = {start}
    frontier = [start]
    reached: list[list[int]] = []
    for _ in range(hops):
        # Invariant: `seen` holds `start` and everything in `reached`.
        fresh: set[int] = set()
        for node_id in frontier:
            fresh.update(neighbor_list(layers, node_id, directions, types, sequence))
        fresh -= seen
        seen |= fresh
        frontier = sorted(fresh)
        reached.append(frontier)
    return reached
