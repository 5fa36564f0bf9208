"""segtool diff: what differs between two stores, or between two moments of one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.tools.commands.common import (
    TERMINAL_ROWS_MAX,
    Verbs,
    add_verb,
    moment,
    store_path,
)
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.output import Output
from lithograph.tools.progress import progress

if TYPE_CHECKING:
    from lithograph import Snapshot
    from lithograph.tools.commands.diff_answer import Difference

Side = tuple[str, datetime | int | None]
"""Path of a store, and the moment it is looked at; None is now."""

_DETAILS = """\
From A to B: what was added, removed and changed, nodes in order of their names,
each with the edges that leave it, ordered by type, target and key. Without B,
or without both, the store is compared with itself as it was: --as-of is for A,
a second one for B; without it a side is as it is now.
created_at is compared only with --times, ids and updated_at never: two stores
that were filled one by one are equal if they say the same.
Exit code 1 where anything differs.
Rows in a pipe: change, kind, name or source, type, target, key, fields that
changed with commas between; the three of edges are empty for nodes.

examples:
  segtool diff my.backup my.graph
  segtool diff --store my.graph --as-of 2026-11-01
  segtool diff --store my.graph --as-of 2026-11-01 --as-of 2026-11-08 --ndjson"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "diff", run, "compare two stores, or one with its past", _DETAILS)
    parser.add_argument("first", metavar="A", nargs="?", help="a store; default: that of --store")
    parser.add_argument("second", metavar="B", nargs="?", help="another; default: A")
    parser.add_argument(
        "--as-of",
        metavar="WHEN",
        type=moment,
        action="append",
        default=[],
        help="A as it was then: a time (2026-11-21T14:30+01:00) or the sequence of a commit;"
        " given twice, B as it was at the second",
    )
    parser.add_argument("--times", action="store_true", help="compare created_at, too")


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.graph_diff import GraphDiff

    first, second = _sides(arguments)
    with ExitStack() as opened:
        before = _view(first, opened)
        after = _view(second, opened)
        total = max(before.node_count, after.node_count)
        report = opened.enter_context(progress("comparing", "nodes"))
        found = _Counted(
            GraphDiff(
                before,
                after,
                times=arguments.times,
                progress=lambda done: report(done, total),
            )
        )
        output.records(
            ("change", "kind", "name", "type", "target", "key", "fields"),
            found,
            _row,
            terminal_rows_max=TERMINAL_ROWS_MAX,
            empty="no difference",
        )
    return FINDINGS if found.count else OK


def _sides(arguments: argparse.Namespace) -> tuple[Side, Side]:
    """Return path and moment of the two sides.

    Raises
    ------
    InvalidArgumentError : both sides are the same.
    """
    path = arguments.first or store_path(arguments)
    other = arguments.second or path
    if len(arguments.as_of) > 2:
        raise InvalidArgumentError("--as-of is given more than twice: once for A, once for B")
    if other == path and not arguments.as_of:
        raise InvalidArgumentError(
            "a store is compared with itself: name another one, or pass --as-of WHEN"
        )
    then, now = [*arguments.as_of, None, None][:2]
    return (path, then), (other, now)


def _view(side: Side, opened: ExitStack) -> Snapshot:
    path, when = side
    graph = opened.enter_context(lithograph.open(path, mode="r"))
    return opened.enter_context(graph.snapshot() if when is None else graph.as_of(when))


def _row(found: Difference) -> tuple[str | None, ...]:
    return (
        found.change,
        found.kind,
        found.name,
        found.type,
        found.target,
        found.key,
        ",".join(found.fields),
    )


class _Counted:
    """An iterable that knows how many items were taken."""

    def __init__(self, items: Iterable[Difference]) -> None:
        self.count = 0
        self._items = items

    def __iter__(self) -> Iterator[Difference]:
        for item in self._items:
            self.count += 1
            yield item
