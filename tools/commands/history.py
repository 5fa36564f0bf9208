"""segtool history: what became of a node, commit by commit."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lithograph.tools.commands.common import (
    TERMINAL_ROWS_MAX,
    Verbs,
    add_verb,
    count,
    open_to_read,
)
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, json_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lithograph import Graph, Node, NodeChange

_DETAILS = """\
The oldest change first. A name that was deleted and made again has the changes
of both nodes; their ids differ. Edges are not nodes: their changes are not here.
Where the past was dropped, the first row is the node as it was at the oldest
moment kept ("kept").
Rows in a pipe: sequence of the commit, its time, what it did (made, changed,
deleted, kept), and the differences: +"…" an observation more, -"…" one less,
"key": value of a property set, -key one removed.

examples:
  segtool history json.dumps --store my.graph
  segtool history json.dumps --limit 1 --json"""

_COLUMNS: Final = ("sequence", "time", "change", "differences")


class HistoryNode(msgspec.Struct, forbid_unknown_fields=True):
    """A node as a commit left it.

    name, type : as they were put.
    id : its number in the store, never used again.
    created_at : time.
    observations : in the order they were added.
    properties : by key.
    """

    name: str
    id: int
    type: str
    created_at: datetime
    observations: tuple[str, ...]
    properties: dict[str, Any]


class HistoryRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What a commit did to the node.

    sequence, time : of the commit.
    change : "made", "changed", "deleted"; "kept" for the state at the oldest moment kept.
    differences : in words, one item for each.
    node : as the commit left it; None where it was deleted.
    """

    sequence: int
    time: datetime
    change: str
    differences: list[str]
    node: HistoryNode | None


RECORD_SHAPE = HistoryRecord


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "history", run, "show what became of a node", _DETAILS)
    parser.add_argument("name", metavar="NAME", help="the name, of a node that is or was")
    parser.add_argument("--limit", metavar="N", type=count, help="show at most so many")


def run(arguments: argparse.Namespace, output: Output) -> int:
    limit = arguments.limit
    with open_to_read(arguments) as graph:
        records = _records(graph, graph.history(arguments.name), limit)
        output.records(
            _COLUMNS,
            records,
            _row,
            terminal_rows_max=TERMINAL_ROWS_MAX if limit is None else None,
        )
    return OK


def _records(
    graph: Graph, changes: Iterable[NodeChange], limit: int | None
) -> Iterator[HistoryRecord]:
    floor = graph.stats().floor_sequence
    before: Node | None = None
    for index, change in enumerate(changes):
        if index == limit:
            return
        node = change.node
        if node is None:
            what = "deleted"
        elif before is not None:
            what = "changed"
        else:
            what = "kept" if 0 < change.sequence <= floor else "made"
        yield HistoryRecord(
            sequence=change.sequence,
            time=change.time,
            change=what,
            differences=_differences(before, node) if node is not None else [],
            node=_shown(node) if node is not None else None,
        )
        before = node


def _shown(node: Node) -> HistoryNode:
    return HistoryNode(
        name=node.name,
        id=node.id,
        type=node.type,
        created_at=node.created_at,
        observations=node.observations,
        properties=node.properties,
    )


def _differences(before: Node | None, after: Node) -> list[str]:
    """Return what changed from one state of a node to the next; from nothing, what it has."""
    told = []
    if after.type != (before.type if before else ""):
        told.append(f"type {json_text(after.type)}")
    if before is not None and after.created_at != before.created_at:
        told.append(f"created_at {after.created_at.isoformat()}")
    old = Counter(before.observations if before else ())
    new = Counter(after.observations)
    told += [f"-{json_text(text)}" for text in (old - new).elements()]
    told += [f"+{json_text(text)}" for text in (new - old).elements()]
    had, has = before.properties if before else {}, after.properties
    told += [f"-{json_text(key)}" for key in had if key not in has]
    told += [
        f"{json_text(key)}: {json_text(value)}"
        for key, value in has.items()
        if key not in had or _differ(had[key], value)
    ]
    return told


def _differ(old: Any, new: Any) -> bool:
    """Return whether two values are not the same in a store, where 1 is neither 1.0 nor True."""
    return json_text(old) != json_text(new)


def _row(record: HistoryRecord) -> tuple[Any, ...]:
    from lithograph.tools.output import Escaped

    # A sequence is no amount, and every piece was made safe by itself.
    return (
        str(record.sequence),
        record.time,
        record.change,
        Escaped(", ".join(record.differences)),
    )
