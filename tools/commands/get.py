"""segtool get: one node with everything it holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from lithograph import Node
from lithograph.tools.commands.common import Verbs, add_verb, open_to_read
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, json_text

_DETAILS = """\
Rows in a pipe: field, value; one row per observation ("observation") and per
property ("property:KEY", its value as JSON).

example:
  segtool get json.dumps --store my.graph"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "get", run, "show one node", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the node's name")


def run(arguments: argparse.Namespace, output: Output) -> int:
    with open_to_read(arguments) as graph, graph.snapshot() as view:
        node = view.node(arguments.name)
        degrees = {
            "out_degree": view.degree(arguments.name, "out"),
            "in_degree": view.degree(arguments.name, "in"),
        }
    if output.as_json:
        output.json(_fields(node) | degrees)
    else:
        output.table(("field", "value"), _rows(node, degrees))
    return OK


def _fields(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "id": node.id,
        "type": node.type,
        "observations": list(node.observations),
        "properties": node.properties,
        "created_at": node.created_at.isoformat(),
        "updated_at": node.updated_at.isoformat(),
    }


def _rows(node: Node, degrees: dict[str, int]) -> Iterator[tuple[str, Any]]:
    yield "name", node.name
    # An id is no amount: no thousands separators.
    yield "id", str(node.id)
    yield "type", node.type
    yield "created_at", node.created_at
    yield "updated_at", node.updated_at
    yield from degrees.items()
    for text in node.observations:
        yield "observation", text
    for key, value in node.properties.items():
        yield f"property:{key}", json_text(value)
