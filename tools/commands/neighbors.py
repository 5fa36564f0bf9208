"""segtool neighbors: the edges at one node."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from lithograph import Edge
from lithograph.tools.commands.common import Verbs, add_verb, count, open_to_read
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

_DETAILS = """\
Rows in a pipe: direction, type, neighbor, key, properties; ordered by type,
neighbor and key. A terminal shows 1,000 unless --limit says otherwise.

example:
  segtool neighbors posixpath.join --direction in --type calls --limit 10 --store my.graph"""

_COLUMNS: Final = ("direction", "type", "neighbor", "key", "properties")
_TERMINAL_ROWS_MAX: Final = 1_000


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "neighbors", run, "show the edges at a node", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the node's name")
    parser.add_argument(
        "--direction", choices=("out", "in", "both"), default="out", help="default: out"
    )
    parser.add_argument(
        "--type",
        dest="types",
        metavar="T",
        action="append",
        help="only edges of this type; may be given several times",
    )
    parser.add_argument("--limit", metavar="N", type=count, help="show at most so many")


def run(arguments: argparse.Namespace, output: Output) -> int:
    name, direction = arguments.name, arguments.direction
    with open_to_read(arguments) as graph:
        edges = graph.edges(name, direction, arguments.types, limit=arguments.limit)
        if output.as_json:
            _write_json(output, name, direction, edges)
        elif output.is_terminal and arguments.limit is None:
            rows = list(islice(edges, _TERMINAL_ROWS_MAX + 1))
            shown = rows[:_TERMINAL_ROWS_MAX]
            output.table(_COLUMNS, (_row(edge, name, direction) for edge in shown))
            if len(rows) > len(shown):
                output.line(f"the first {len(shown):,}; --limit N shows more")
        else:
            output.table(_COLUMNS, (_row(edge, name, direction) for edge in edges))
    return OK


def _write_json(output: Output, name: str, direction: str, edges: Iterable[Edge]) -> None:
    """Write the edges one by one: a hub may have more of them than memory."""
    output.line(f'{{"name": {json.dumps(name)}, "edges": [')
    output.items(_fields(edge, name, direction) for edge in edges)
    output.line("]}")


def _row(edge: Edge, name: str, direction: str) -> tuple[Any, ...]:
    side, neighbor = _seen_from(edge, name, direction)
    return side, edge.type, neighbor, edge.key, edge.properties or None


def _fields(edge: Edge, name: str, direction: str) -> dict[str, Any]:
    side, neighbor = _seen_from(edge, name, direction)
    return {
        "direction": side,
        "type": edge.type,
        "neighbor": neighbor,
        "key": edge.key,
        "properties": edge.properties,
        "created_at": edge.created_at.isoformat(),
        "valid_from": edge.valid_from.isoformat() if edge.valid_from else None,
        "valid_to": edge.valid_to.isoformat() if edge.valid_to else None,
    }


def _seen_from(edge: Edge, name: str, direction: str) -> tuple[str, str]:
    """Return on which side of the node the edge is, and its other end; a self loop goes out."""
    inward = direction == "in" or (direction == "both" and edge.source != name)
    return ("in", edge.source) if inward else ("out", edge.target)
