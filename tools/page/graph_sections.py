"""The sections of the report that are about nodes and edges: types, degrees, hubs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lithograph.tools.commands.stats_answer import Degrees, StatsAnswer, TypeCount
from lithograph.tools.page.blocks import section, share_of, table_of
from lithograph.tools.page.charts import Bar, Series, bars, log_lines, short
from lithograph.tools.page.map_picture import percent
from lithograph.tools.page.markup import Markup, cut, tag

_TYPES_MAX: Final = 16
_NAME_SIZE_MAX: Final = 120


def type_sections(stats: StatsAnswer) -> list[Markup]:
    """Return how many nodes and edges there are of each type."""
    return [
        _type_bars("Nodes by type", stats.nodes_by_type or [], stats.node_count),
        _type_bars("Edges by type", stats.edges_by_type or [], stats.edge_count),
    ]


def _type_bars(title: str, types: Sequence[TypeCount], total: int) -> Markup:
    shown = list(types[:_TYPES_MAX])
    rest = types[_TYPES_MAX:]
    rows = [
        Bar(each.type or "(no type)", each.count, _count_and_share(each.count, total))
        for each in shown
    ]
    lead = f"{total:,} of {len(types):,} types." if len(types) != 1 else f"{total:,} of one type."
    content = [bars(title, rows)] if rows else []
    if rest:
        count = sum(each.count for each in rest)
        said = f"and {len(rest):,} other types: {_count_and_share(count, total)}"
        content.append(tag("p", said, class_="quiet note"))
    return section(title, lead, *content)


def degree_section(stats: StatsAnswer) -> Markup:
    """Return how many edges nodes have, as lines and in figures."""
    title = "Degree distribution"
    if not stats.edge_count:
        return section(title, "There are no edges.", wide=True)
    series = [
        Series("edges out", "one", _at_least(stats.out_degrees)),
        Series("edges in", "two", _at_least(stats.in_degrees)),
    ]
    plot = log_lines(
        "Nodes by the edges that they have at least, on log axes: out and in",
        series,
        "edges",
        "nodes that have at least so many edges",
    )
    rows = [
        (name, f"{d.mean:,.2f}", f"{d.p50:,}", f"{d.p90:,}", f"{d.p99:,}", f"{d.max:,}", _bare(d))
        for name, d in (
            ("out", stats.out_degrees),
            ("in", stats.in_degrees),
            ("both", stats.degrees),
        )
    ]
    heads = ("edges", "mean", "p50", "p90", "p99", "most", "none")
    lead = "Out and in; both axes are logarithmic."
    return section(
        title, lead, plot, table_of(heads, rows, numbers=range(1, 7), narrow=(0,)), wide=True
    )


def hub_section(stats: StatsAnswer) -> Markup:
    """Return the nodes of most edges."""
    rows = [
        (
            cut(hub.name, _NAME_SIZE_MAX),
            cut(hub.type, 40),
            f"{hub.out_degree:,}",
            f"{hub.in_degree:,}",
            percent(share_of(hub.out_degree + hub.in_degree, 2 * stats.edge_count)),
        )
        for hub in stats.hubs
    ]
    if not rows:
        return section("Top hubs", "No node has an edge.", wide=True)
    heads = ("node", "type", "out", "in", "of all ends")
    table = table_of(heads, rows, numbers=(2, 3, 4), names=(0, 1))
    return section("Top hubs", "The nodes of most edges, in and out.", table, wide=True)


def _at_least(degrees: Degrees) -> list[tuple[float, float]]:
    """Return (degree, nodes that have so many edges or more), without degree 0."""
    points: list[tuple[float, float]] = []
    nodes = 0
    for each in reversed(degrees.distribution):
        nodes += each.nodes
        if each.degree:
            points.append((each.degree, nodes))
    return points[::-1]


def _bare(degrees: Degrees) -> str:
    first = degrees.distribution[0] if degrees.distribution else None
    return f"{first.nodes:,}" if first is not None and not first.degree else "0"


def _count_and_share(count: int, total: int) -> str:
    shown = f"{count:,}" if count < 10**7 else short(round(count, -5))
    return f"{shown}, {percent(share_of(count, total))}"
