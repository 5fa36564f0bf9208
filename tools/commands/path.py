"""segtool path: a shortest way from one node to another."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lithograph.tools.commands.common import (
    Verbs,
    add_as_of,
    add_direction,
    add_edge_types,
    add_verb,
    count,
    open_view,
)
from lithograph.tools.exit_code import ABSENT, OK
from lithograph.tools.output import Output, complain

if TYPE_CHECKING:
    from lithograph import Edge, Snapshot

_DETAILS = """\
Edges are followed in their direction; --direction in goes against them, both
takes them either way. Of several shortest paths one is shown. Where there is
none, nothing is, and the exit code is 1.
Rows in a pipe: hop, name, and the edge that led there: "->" or "<-", its type,
its key.

examples:
  segtool path json.dumps json.encoder.JSONEncoder --store my.graph
  segtool path json.dumps re.compile --direction both --type calls --max-hops 6
  segtool path json.dumps re.compile --as-of 2026-11-01 --json"""

_COLUMNS: Final = ("hop", "name", "", "edge", "key")


class PathRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A node on the way.

    hop : edges from the beginning; 0 for the first node.
    name, id : of the node.
    direction, edge_type, edge_key : of the edge from the node before: "out" leads along it, "in"
        against it; None for the first node.
    """

    hop: int
    name: str
    id: int
    direction: str | None
    edge_type: str | None
    edge_key: str | None


RECORD_SHAPE = PathRecord


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "path", run, "show a shortest path between two nodes", _DETAILS)
    parser.add_argument("source", metavar="A", help="the name that it begins at")
    parser.add_argument("target", metavar="B", help="the name that it leads to")
    add_direction(parser)
    add_edge_types(parser)
    parser.add_argument("--max-hops", metavar="N", type=count, help="at most so many edges")
    add_as_of(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.shortest_path import shortest_path

    direction, types, hops_max = arguments.direction, arguments.types, arguments.max_hops
    with open_view(arguments) as view:
        source, target = (view.node(name).id for name in (arguments.source, arguments.target))
        found = shortest_path(view, source, target, direction, types, hops_max)
        records = list(_records(view, found or [], direction, types))
    if found or output.as_json:
        output.records(_COLUMNS, records, _row)
    if found is not None:
        return OK
    within = "" if hops_max is None else f" of at most {hops_max} edges"
    complain(f"no path{within} leads from {arguments.source!r} to {arguments.target!r}")
    return ABSENT


def _records(
    view: Snapshot, ids: list[int], direction: str, types: list[str] | None
) -> Iterator[PathRecord]:
    names = view.names(ids)
    for hop, (node_id, name) in enumerate(zip(ids, names, strict=True)):
        if hop == 0:
            yield PathRecord(0, name, node_id, None, None, None)
            continue
        before = names[hop - 1]
        edge = _edge_between(view, before, name, direction, types)
        side = "out" if edge.source == before and direction != "in" else "in"
        yield PathRecord(hop, name, node_id, side, edge.type, edge.key)


def _edge_between(
    view: Snapshot, name: str, neighbor: str, direction: str, types: list[str] | None
) -> Edge:
    """Return the first edge from `name` to `neighbor`, looked for where there are fewer."""
    for side, other in (("out", "in"), ("in", "out")):
        if direction not in (side, "both"):
            continue
        near, far = view.degree(name, side, types), view.degree(neighbor, other, types)
        at, seen_from = (name, side) if near <= far else (neighbor, other)
        ends = {name, neighbor}
        for edge in view.edges(at, seen_from, types):
            if {edge.source, edge.target} == ends:
                return edge
    raise AssertionError(f"no edge between {name!r} and {neighbor!r}, which are neighbors")


def _row(record: PathRecord) -> tuple[Any, ...]:
    arrow = {"out": "->", "in": "<-", None: None}[record.direction]
    return record.hop, record.name, arrow, record.edge_type, record.edge_key
