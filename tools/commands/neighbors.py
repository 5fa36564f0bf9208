"""segtool neighbors: the edges at one node."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lithograph.tools.commands.common import (
    TERMINAL_ROWS_MAX,
    Verbs,
    add_as_of,
    add_direction,
    add_edge_types,
    add_verb,
    count,
    open_view,
)
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph import Edge

_DETAILS = """\
Rows in a pipe: direction, type, neighbor, key, properties; ordered by type,
neighbor and key. A terminal shows 1,000 unless --limit says otherwise.

examples:
  segtool neighbors posixpath.join --store my.graph
  segtool neighbors posixpath.join --direction in --type calls --limit 10
  segtool neighbors posixpath.join --direction both --as-of 2026-11-01 --json"""

_COLUMNS: Final = ("direction", "type", "neighbor", "key", "properties")


class NeighborsRecord(msgspec.Struct, forbid_unknown_fields=True):
    """An edge, seen from the node that was asked for.

    direction : "out" or "in"; a loop goes out.
    type, key : of the edge; the key tells parallel edges apart.
    neighbor : the name of the other end.
    properties : by key.
    created_at : time.
    valid_from, valid_to : times; valid_to is the first moment at which it no longer holds; None
        where it has no bound.
    """

    direction: str
    type: str
    neighbor: str
    key: str
    properties: dict[str, Any]
    created_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None


RECORD_SHAPE = NeighborsRecord


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "neighbors", run, "show the edges at a node", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the node's name")
    add_direction(parser)
    add_edge_types(parser)
    parser.add_argument("--limit", metavar="N", type=count, help="show at most so many")
    add_as_of(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    name, direction, limit = arguments.name, arguments.direction, arguments.limit
    with open_view(arguments) as view:
        edges = view.edges(name, direction, arguments.types, limit=limit)
        output.records(
            _COLUMNS,
            (_record(edge, name, direction) for edge in edges),
            _row,
            terminal_rows_max=TERMINAL_ROWS_MAX if limit is None else None,
        )
    return OK


def _row(record: NeighborsRecord) -> tuple[Any, ...]:
    return record.direction, record.type, record.neighbor, record.key, record.properties or None


def _record(edge: Edge, name: str, direction: str) -> NeighborsRecord:
    inward = direction == "in" or (direction == "both" and edge.source != name)
    return NeighborsRecord(
        direction="in" if inward else "out",
        type=edge.type,
        neighbor=edge.source if inward else edge.target,
        key=edge.key,
        properties=edge.properties,
        created_at=edge.created_at,
        valid_from=edge.valid_from,
        valid_to=edge.valid_to,
    )
