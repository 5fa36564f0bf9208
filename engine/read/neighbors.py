"""The edges at a node, over all layers, in the order of (type code, neighbor, key)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lithograph.formats.operations import AdjacentEdge
from lithograph.read.fold import EdgeState, Layers, fold_edge
from lithograph.segments.layer import Direction, EdgeEntry
from lithograph.segments.version import visible

TypeCodes = Collection[int] | None
"""Which types are wanted; None for all."""


def live_edges(
    layers: Layers, node_id: int, direction: Direction, types: TypeCodes, sequence: int
) -> list[AdjacentEdge]:
    """Return every edge that the view sees at the node, ascending. Cost: O(edges of the node)."""
    if len(layers) > 1:
        return [
            adjacent
            for adjacent, entries in _merged(layers, node_id, direction)
            if (types is None or adjacent[0] in types) and _is_live(entries, sequence)
        ]
    found = []
    for adjacent, entry in layers[0].adjacency(node_id, direction):
        if types is None or adjacent[0] in types:
            versions = entry.versions
            # Most edges have one version, which the view sees.
            if len(versions) == 1 and versions[0].sequence <= sequence:
                version = versions[0]
            elif (newest := visible(versions, sequence)) is None:
                continue
            else:
                version = newest
            if version.change is not None:
                found.append(adjacent)
    return found


def edge_states(
    layers: Layers, node_id: int, direction: Direction, types: TypeCodes, sequence: int
) -> Iterator[EdgeState]:
    """Yield every edge that the view sees at the node, ascending, with its fields."""
    for adjacent, entries in _merged(layers, node_id, direction):
        if types is None or adjacent[0] in types:
            state = fold_edge(entries, sequence)
            if state is not None:
                yield state


def neighbor_list(
    layers: Layers,
    node_id: int,
    directions: tuple[Direction, ...],
    types: TypeCodes,
    sequence: int,
) -> list[int]:
    """Return the neighbor of each edge; in both directions, a self loop counts once (as out)."""
    neighbors = []
    for direction in directions:
        loops_seen = direction == Direction.IN and len(directions) > 1
        for _, neighbor, _ in live_edges(layers, node_id, direction, types, sequence):
            if not (loops_seen and neighbor == node_id):
                neighbors.append(neighbor)
    return neighbors


def source_ids(layers: Layers) -> list[int]:
    """Return the ids that may have out-edges, ascending."""
    if len(layers) == 1:
        return list(layers[0].sources())
    return sorted(set().union(*(layer.sources() for layer in layers)))


def _merged(
    layers: Layers, node_id: int, direction: Direction
) -> list[tuple[AdjacentEdge, list[EdgeEntry]]]:
    """Return each edge that any layer knows, ascending, with its entries, newest layer first."""
    merged: dict[AdjacentEdge, list[EdgeEntry]] = {}
    for layer in layers:
        for adjacent, entry in layer.adjacency(node_id, direction):
            merged.setdefault(adjacent, []).append(entry)
    return sorted(merged.items(), key=_adjacent)


def _adjacent(item: tuple[AdjacentEdge, list[EdgeEntry]]) -> AdjacentEdge:
    return item[0]


def _is_live(entries: list[EdgeEntry], sequence: int) -> bool:
    for entry in entries:
        version = visible(entry.versions, sequence)
        if version is not None:
            return version.change is not None
    return False
