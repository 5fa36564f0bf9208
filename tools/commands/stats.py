"""segtool stats: what a store holds, counted: types, degrees, hubs, sizes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from lithograph.tools.commands.common import Verbs, add_verb, count, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size

if TYPE_CHECKING:
    from lithograph.tools.commands.stats_answer import DegreeCount, Degrees, StatsAnswer

_DETAILS = """\
Every edge is counted, in bounded memory; --by-type reads every node as well.
A million nodes and five million edges take two seconds after a compaction, and
the longer the more of them were changed since.
Rows in a pipe: what, then its figures:
  nodes N; edges N
  nodes_by_type TYPE N; edges_by_type TYPE N     with --by-type
  degree out|in|both mean|p50|p90|p99|max N      in both, a self loop is two
  distribution out|in|both DEGREE NODES          each degree that occurs
  hub NAME TYPE OUT IN
  part NAME BYTES; size BYTES; superseded BYTES SHARE

examples:
  segtool stats --store my.graph
  segtool stats --by-type --hubs 20 --store my.graph
  segtool stats --json --store my.graph"""

_HUBS: Final = 10
_HUBS_MAX: Final = 100_000
_BAR_WIDTH: Final = 32
_TYPES_SHOWN_MAX: Final = 40


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(
        verbs, "stats", run, "count nodes and edges by type and degree, and bytes by part", _DETAILS
    )
    parser.add_argument(
        "--by-type", action="store_true", help="also count nodes and edges of each type"
    )
    parser.add_argument(
        "--hubs",
        metavar="N",
        type=_hub_count,
        default=_HUBS,
        help=f"how many of the nodes of most edges are named; default: {_HUBS}",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.store_look import look_at
    from lithograph.tools.store_stats import read_stats

    with look_at(store_path(arguments)) as look:
        stats = read_stats(look, by_type=arguments.by_type, hub_count=arguments.hubs)
    if output.as_json:
        output.answer(stats)
    elif output.is_terminal:
        _show(stats, output)
    else:
        output.table((), _rows(stats))
    return OK


def _hub_count(text: str) -> int:
    number = count(text)
    if number > _HUBS_MAX:
        raise argparse.ArgumentTypeError(f"{text} hubs are too many: use up to {_HUBS_MAX}")
    return number


def _directions(stats: StatsAnswer) -> tuple[tuple[str, Degrees], ...]:
    return ("out", stats.out_degrees), ("in", stats.in_degrees), ("both", stats.degrees)


def _rows(stats: StatsAnswer) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a pipe."""
    yield "nodes", stats.node_count
    yield "edges", stats.edge_count
    for what in ("nodes_by_type", "edges_by_type"):
        for each in getattr(stats, what) or ():
            yield what, each.type, each.count
    for direction, degrees in _directions(stats):
        for figure in ("mean", "p50", "p90", "p99", "max"):
            yield "degree", direction, figure, getattr(degrees, figure)
    for direction, degrees in _directions(stats):
        for step in degrees.distribution:
            yield "distribution", direction, step.degree, step.nodes
    for hub in stats.hubs:
        yield "hub", hub.name, hub.type, hub.out_degree, hub.in_degree
    for part in stats.parts:
        yield "part", part.part, part.size_bytes
    yield "size", stats.size_bytes
    yield "superseded", stats.superseded_size_bytes, stats.superseded_share


def _show(stats: StatsAnswer, output: Output) -> None:
    """Write the tables of a terminal."""
    from lithograph.tools.terminal_bars import bar, letters_for

    letters = letters_for(output.console.encoding)
    output.line(f"{stats.node_count:,} nodes, {stats.edge_count:,} edges")
    for what in ("nodes", "edges"):
        types = getattr(stats, f"{what}_by_type")
        if types:
            most = types[0].count
            shown = [
                (
                    each.type or "(no type)",
                    each.count,
                    bar(each.count, 0, most, _BAR_WIDTH, letters),
                )
                for each in types[:_TYPES_SHOWN_MAX]
            ]
            output.table((f"{what} of type", "number", ""), shown)
            if len(types) > len(shown):
                output.line(f"the first {len(shown)} of {len(types):,} types; --json has all")
    if not stats.node_count:
        return
    output.table(
        ("edges of a node", "mean", "p50", "p90", "p99", "max"),
        (
            (direction, f"{d.mean:.2f}", d.p50, d.p90, d.p99, d.max)
            for direction, d in _directions(stats)
        ),
    )
    steps = list(binned(stats.degrees.distribution))
    most = max(nodes for _, _, nodes in steps)
    output.table(
        ("edges in and out", "nodes", ""),
        (
            (_range(first, last), nodes, bar(nodes, 0, most, _BAR_WIDTH, letters))
            for first, last, nodes in steps
        ),
    )
    if stats.hubs:
        output.table(
            ("node of most edges", "type", "out", "in"),
            ((hub.name, hub.type, hub.out_degree, hub.in_degree) for hub in stats.hubs),
        )
    most = max((part.size_bytes for part in stats.parts), default=0)
    output.table(
        ("part of the files", "size", ""),
        (
            (
                part.part,
                human_size(part.size_bytes),
                bar(part.size_bytes, 0, most, _BAR_WIDTH, letters),
            )
            for part in stats.parts
        ),
    )
    output.line(
        f"{human_size(stats.size_bytes)} in all; {100 * stats.superseded_share:.1f} % of segments"
        " and histories are superseded versions"
    )


def binned(distribution: list[DegreeCount]) -> Iterator[tuple[int, int, int]]:
    """Yield (first degree, last degree, nodes) for 0, 1, 2 to 3, 4 to 7 and so on, up to the last
    that has nodes."""
    bins: dict[int, int] = {}
    for each in distribution:
        bins[each.degree.bit_length()] = bins.get(each.degree.bit_length(), 0) + each.nodes
    for size in range(max(bins, default=-1) + 1):
        yield (1 << size) >> 1, max(0, (1 << size) - 1), bins.get(size, 0)


def _range(first: int, last: int) -> str:
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
