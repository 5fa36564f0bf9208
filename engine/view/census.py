"""A census of a view: how many nodes and edges of which type, and how many edges nodes have.

It goes over all ids in steps, so that memory does not grow with the graph: what is held is a figure
per type and per degree that occurs (n edges have less than 2 * sqrt(n) different degrees), a step
of ids, and the edges of one node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from lithograph.catalog.generation import LazySegment
from lithograph.kernel import UNSURE
from lithograph.read.fold import fold_node
from lithograph.read.neighbors import live_edges
from lithograph.segments.layer import Direction
from lithograph.view.view import IdArray, View

Report = Callable[[int, int | None], None]
"""Called with how many ids are done, and how many there are."""

_STEP: Final = 1 << 16
_NODES_STEP: Final = 1 << 12


class Hub(NamedTuple):
    """A node of many edges. A self loop counts in both degrees."""

    node_id: int
    out_degree: int
    in_degree: int

    @property
    def degree(self) -> int:
        return self.out_degree + self.in_degree


@dataclass(frozen=True, slots=True)
class EdgeCensus:
    """The edges of a view.

    Attributes
    ----------
    by_type : edges of each type that has any, most first.
    out_degrees, in_degrees, degrees : how many live nodes have so many edges, by ascending degree,
        0 among them; `degrees` is of the sum of both, in which a self loop counts twice.
    hubs : the nodes of most edges, most first, ties by id.
    """

    by_type: dict[str, int]
    out_degrees: dict[int, int]
    in_degrees: dict[int, int]
    degrees: dict[int, int]
    hubs: list[Hub]


def count_edges(
    view: View, id_end: int, type_count: int, hub_count: int, report: Report
) -> EdgeCensus:
    """Return the census of the edges.

    Parameters
    ----------
    id_end : ids of the view are below.   type_count : so are the codes of its types.
    hub_count : how many hubs are wanted.

    Raises
    ------
    CorruptionError : a list is damaged.

    Cost: O(edges) in both directions; 0.3 s for work W, compacted, on the compiled kernel. Lists
    with edges that a newer file changes or ends are merged in Python, some 80 µs each.
    """
    out_types, in_types = Counter[int](), Counter[int]()
    out_total, in_total, total = Counter[int](), Counter[int](), Counter[int]()
    hubs: list[Hub] = []
    for start in range(0, id_end, _STEP):
        count = min(_STEP, id_end - start)
        out = _degrees(view, start, count, type_count, Direction.OUT, out_types)
        in_ = _degrees(view, start, count, type_count, Direction.IN, in_types)
        for degrees, into in ((out, out_total), (in_, in_total), (out + in_, total)):
            values, counts = np.unique(degrees, return_counts=True)
            into.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        hubs = _most(hubs, start, out, in_, hub_count)
        report(start + count, id_end)
    return EdgeCensus(
        {view.type_name(code): count for code, count in out_types.most_common()},
        _with_bare(out_total, view.node_count),
        _with_bare(in_total, view.node_count),
        _with_bare(total, view.node_count),
        hubs,
    )


def count_nodes(view: View, id_end: int, report: Report) -> dict[str, int]:
    """Return how many nodes there are of each type that has any, most first; "" is no type.

    Cost: O(nodes), one record each, as there is no index of types: 1 s for work W, compacted, on
    the compiled kernel; nodes that a newer file changes take some 60 µs each.
    """
    found = Counter[str]()
    for start in range(0, id_end, _NODES_STEP):
        end = min(start + _NODES_STEP, id_end)
        found.update(_types_of_nodes(view, start, end))
        report(end, id_end)
    return dict(found.most_common())


def _degrees(
    view: View,
    start: int,
    count: int,
    type_count: int,
    direction: Direction,
    types: Counter[int],
) -> IdArray:
    """Return the degrees of the ids from `start` on, and add their edges to `types`."""
    degrees = np.zeros(count, np.int64)
    by_type = np.zeros(type_count, np.int64)
    quick = view.quick
    if quick is not None:
        for layer in view.layers.graph:
            if isinstance(layer, LazySegment):
                layer.check_lists_ahead(direction, start, start + count)
    place = 0
    while place < count:
        if quick is not None:
            place += quick.count_edges(start + place, direction, degrees[place:], by_type)
            if place == count:
                break
        edges = live_edges(view.layers, start + place, direction, None, view.sequence)
        degrees[place] = len(edges)
        types.update([code for code, _, _ in edges])
        place += 1
    for code in np.flatnonzero(by_type).tolist():
        types[code] += int(by_type[code])
    return degrees


def _most(hubs: list[Hub], start: int, out: IdArray, in_: IdArray, hub_count: int) -> list[Hub]:
    """Return the nodes of most edges of those known and those of a step."""
    degrees = out + in_
    floor = hubs[-1].degree if len(hubs) == hub_count and hubs else 0
    places = np.flatnonzero(degrees > floor)
    # Stable, so that of equal ones the lowest ids stay.
    chosen = places[np.argsort(-degrees[places], kind="stable")][:hub_count]
    hubs = hubs + [Hub(start + p, int(out[p]), int(in_[p])) for p in chosen.tolist()]
    return sorted(hubs, key=lambda hub: (-hub.degree, hub.node_id))[:hub_count]


def _with_bare(found: Counter[int], node_count: int) -> dict[int, int]:
    """Return nodes by ascending degree; of ids without edges only those count that are nodes."""
    connected = {degree: found[degree] for degree in sorted(found) if degree}
    bare = node_count - sum(connected.values())
    return {0: bare, **connected} if bare else connected


def _types_of_nodes(view: View, start: int, end: int) -> list[str]:
    """Return the type of every live node in a range of ids."""
    quick = view.quick
    types = []
    for node_id in range(start, end):
        if quick is not None:
            node = quick.node_by_id(node_id, "")
            if node is not UNSURE:
                types.append(node.type)
                continue
        state = fold_node(view.layers, node_id, view.sequence)
        if state is not None:
            types.append("" if state.type_code is None else view.type_name(state.type_code))
    return types
