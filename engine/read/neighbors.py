"""The edges at a node, over all layers, in the order of (type code, neighbor, key)."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from typing import Final

from lithograph.formats.operations import AdjacentEdge
from lithograph.read.fold import EdgeState, find_edge, fold_edge
from lithograph.segments.layer import Direction, GraphLayer, Layers
from lithograph.segments.version import EdgeVersion

TypeCodes = Collection[int] | None
"""Which types are wanted; None for all."""

_PAGE: Final = 1024


def live_edges(
    layers: Layers, node_id: int, direction: Direction, types: TypeCodes, sequence: int
) -> list[AdjacentEdge]:
    """Return every edge that the view sees at the node, ascending. Cost: O(edges of the node)."""
    known = [
        edges
        for layer in _layers_of(layers, node_id)
        if (edges := layer.adjacency(node_id, direction, sequence))
    ]
    if len(known) == 1:
        found = [adjacent for adjacent, alive in known[0] if alive]
    else:
        alive: dict[AdjacentEdge, bool] = {}
        # Newest last: what a newer layer knows of an edge replaces what older ones do.
        for edges in reversed(known):
            alive.update(edges)
        found = sorted([adjacent for adjacent, lives in alive.items() if lives])
    if types is not None:
        found = [adjacent for adjacent in found if adjacent[0] in types]
    return found


def edge_states(
    layers: Layers, node_id: int, direction: Direction, types: TypeCodes, sequence: int
) -> Iterator[EdgeState]:
    """Yield every edge that the view sees at the node, ascending, with its fields."""
    if direction == Direction.IN:
        for type_code, source, key in live_edges(layers, node_id, direction, types, sequence):
            state = find_edge(layers, source, (type_code, node_id, key), sequence)
            if state is not None:
                yield state
        return
    folded: dict[AdjacentEdge, list[EdgeVersion]] = {}
    for layer in _layers_of(layers, node_id):
        for adjacent, versions in layer.out_edges(node_id, sequence):
            found = folded.setdefault(adjacent, [])
            if not found or not (found[-1].full or found[-1].change is None):
                found += versions
    for adjacent in sorted(folded):
        if types is None or adjacent[0] in types:
            state = fold_edge(node_id, adjacent, folded[adjacent])
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


def degree(
    layers: Layers,
    node_id: int,
    directions: tuple[Direction, ...],
    types: TypeCodes,
    sequence: int,
) -> int:
    """Return the length of `neighbor_list`.

    Cost: O(layers) in one direction where every layer that knows the node only adds edges to it;
    else O(edges of the node), for lists must be merged, or loops told from other edges.
    """
    if types is None and len(directions) == 1:
        counts = [
            layer.degree(node_id, directions[0], sequence) for layer in _layers_of(layers, node_id)
        ]
        known = [count for count in counts if count is not None]
        if len(known) == len(counts):
            return sum(known)
    return len(neighbor_list(layers, node_id, directions, types, sequence))


def source_ids(layers: Layers) -> Iterator[int]:
    """Yield the ids that may have out-edges, ascending, each once."""
    previous = -1
    for source in heapq.merge(*(_sources(layer) for layer in layers.graph)):
        if source != previous:
            yield source
            previous = source


def _sources(layer: GraphLayer) -> Iterator[int]:
    start = 0
    while page := layer.sources(start, _PAGE):
        yield from page
        start = page[-1] + 1


def _layers_of(layers: Layers, node_id: int) -> Iterator[GraphLayer]:
    """Yield the layers that may know the node, newest first: down to the one it was born in."""
    for layer in layers.graph:
        yield layer
        if layer.first_id <= node_id:
            return
