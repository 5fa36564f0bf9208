"""segtool scan: nodes in the order of their names."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lithograph.tools.commands.common import (
    TERMINAL_ROWS_MAX,
    Verbs,
    add_as_of,
    add_verb,
    count,
    open_view,
)
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph import Node

_DETAILS = """\
Names are ordered by their UTF-8 bytes. There is no index by type: --type reads
every node in range. A terminal shows 1,000 unless --limit says otherwise.
Rows in a pipe: name, type, number of observations, properties as JSON.

examples:
  segtool scan --store my.graph
  segtool scan --prefix json. --type function --limit 20
  segtool scan --after json.dumps --limit 20
  segtool scan --as-of 2026-11-01 --ndjson > then.ndjson"""

_COLUMNS: Final = ("name", "type", "observations", "properties")


class ScanRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A node.

    name, type : as they were put.
    id : its number in the store, never used again.
    observations : in the order they were added.
    properties : by key.
    created_at, updated_at : times; the second is that of the newest commit that changed it.
    """

    name: str
    id: int
    type: str
    created_at: datetime
    updated_at: datetime
    observations: tuple[str, ...]
    properties: dict[str, Any]


RECORD_SHAPE = ScanRecord


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "scan", run, "list nodes in the order of their names", _DETAILS)
    parser.add_argument("--prefix", metavar="P", help="only names that start with it")
    parser.add_argument("--type", metavar="T", help="only nodes of this type")
    parser.add_argument("--after", metavar="NAME", help="only names behind this one")
    parser.add_argument("--limit", metavar="N", type=count, help="show at most so many")
    add_as_of(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    limit = arguments.limit
    with open_view(arguments) as view:
        nodes = view.nodes(arguments.prefix, arguments.type, arguments.after, limit)
        output.records(
            _COLUMNS,
            map(_record, nodes),
            _row,
            terminal_rows_max=TERMINAL_ROWS_MAX if limit is None else None,
        )
    return OK


def _record(node: Node) -> ScanRecord:
    return ScanRecord(
        name=node.name,
        id=node.id,
        type=node.type,
        created_at=node.created_at,
        updated_at=node.updated_at,
        observations=node.observations,
        properties=node.properties,
    )


def _row(record: ScanRecord) -> tuple[Any, ...]:
    return record.name, record.type, len(record.observations), record.properties or None
