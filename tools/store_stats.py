"""What a store holds, counted: types, degrees, hubs and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from lithograph.tools.commands.stats_answer import (
    DegreeCount,
    Degrees,
    HubCount,
    StatsAnswer,
    TypeCount,
)
from lithograph.tools.progress import progress
from lithograph.tools.store_look import Look
from lithograph.tools.store_map import share
from lithograph.tools.store_parts import read_parts
from lithograph.view.census import Hub, count_edges, count_nodes


def read_stats(look: Look, *, by_type: bool, hub_count: int) -> StatsAnswer:
    """Count a store, with a bar on standard error.

    Raises
    ------
    CorruptionError : a file that has to be read is damaged.

    Cost: O(edges), and with `by_type` O(nodes) as well; memory does not grow with them.
    """
    view = look.view
    entries = look.stack.generation.manifest.segments
    with progress("counting edges") as report:
        edges = count_edges(view, look.id_end, look.type_count, hub_count, report)
    nodes = None
    if by_type:
        with progress("counting nodes") as report:
            nodes = count_nodes(view, look.id_end, report)
    parts = read_parts(look)
    superseded = sum(entry.history_size for entry in entries)
    return StatsAnswer(
        path=look.path,
        sequence=view.sequence,
        node_count=view.node_count,
        edge_count=view.edge_count,
        nodes_by_type=None if nodes is None else _by_type(nodes),
        edges_by_type=_by_type(edges.by_type) if by_type else None,
        out_degrees=_degrees(edges.out_degrees),
        in_degrees=_degrees(edges.in_degrees),
        degrees=_degrees(edges.degrees),
        hubs=list(_named(look, edges.hubs)),
        size_bytes=sum(part.size_bytes for part in parts),
        parts=parts,
        superseded_size_bytes=superseded,
        superseded_share=share(superseded, superseded + sum(entry.size for entry in entries)),
        superseding_entry_count=sum(entry.superseding_count for entry in entries),
    )


def percentile(distribution: list[DegreeCount], percent: int) -> int:
    """Return the degree that so many of a hundred nodes do not exceed; 0 without nodes.

    >>> percentile([DegreeCount(0, 5), DegreeCount(3, 4), DegreeCount(9, 1)], 90)
    3
    """
    totals = list(accumulate(each.nodes for each in distribution))
    for each, total in zip(distribution, totals, strict=True):
        if 100 * total >= percent * totals[-1]:
            return each.degree
    return 0


def _degrees(counted: Mapping[int, int]) -> Degrees:
    distribution = [DegreeCount(degree, nodes) for degree, nodes in counted.items()]
    nodes = sum(each.nodes for each in distribution)
    edges = sum(each.degree * each.nodes for each in distribution)
    return Degrees(
        mean=share(edges, nodes),
        p50=percentile(distribution, 50),
        p90=percentile(distribution, 90),
        p99=percentile(distribution, 99),
        max=distribution[-1].degree if distribution else 0,
        distribution=distribution,
    )


def _by_type(counted: Mapping[str, int]) -> list[TypeCount]:
    return [TypeCount(name, count) for name, count in counted.items()]


def _named(look: Look, hubs: list[Hub]) -> Iterator[HubCount]:
    names = look.view.names_of([hub.node_id for hub in hubs])
    for hub, name in zip(hubs, names, strict=True):
        node = look.view.node_by_id(hub.node_id, name)
        yield HubCount(name, node.type, hub.out_degree, hub.in_degree)
