"""segtool get: one node with everything it holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from lithograph.tools.commands.common import Verbs, add_as_of, add_verb, open_view
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, json_text

_DETAILS = """\
Rows in a pipe: field, value; one row per observation ("observation") and per
property ("property:KEY", its value as JSON).

examples:
  segtool get json.dumps --store my.graph
  segtool get json.dumps --as-of 2026-11-01 --store my.graph
  segtool get json.dumps --store my.graph --json"""


class GetAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A node.

    name, type : as they were put.
    id : its number in the store, never used again.
    observations : in the order they were added.
    properties : by key.
    created_at, updated_at : times; the second is that of the newest commit that changed it.
    out_degree, in_degree : its edges; a loop counts in both.
    """

    name: str
    id: int
    type: str
    created_at: datetime
    updated_at: datetime
    out_degree: int
    in_degree: int
    observations: tuple[str, ...]
    properties: dict[str, Any]


SHAPE = GetAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "get", run, "show one node", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the node's name")
    add_as_of(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    name = arguments.name
    with open_view(arguments) as view:
        node = view.node(name)
        answer = GetAnswer(
            name=node.name,
            id=node.id,
            type=node.type,
            created_at=node.created_at,
            updated_at=node.updated_at,
            out_degree=view.degree(name, "out"),
            in_degree=view.degree(name, "in"),
            observations=node.observations,
            properties=node.properties,
        )
    if output.as_json:
        output.answer(answer)
    else:
        output.table(("field", "value"), _rows(answer))
    return OK


def _rows(answer: GetAnswer) -> Iterator[tuple[str, Any]]:
    fields = msgspec.structs.asdict(answer)
    observations, properties = fields.pop("observations"), fields.pop("properties")
    for field, value in fields.items():
        # An id is no amount: no thousands separators.
        yield field, str(value) if field == "id" else value
    for text in observations:
        yield "observation", text
    for key, value in properties.items():
        yield f"property:{key}", json_text(value)
