"""segtool repair: what is left of a damaged store, in a new one."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from lithograph.errors import InvalidArgumentError, StoreExistsError
from lithograph.tools.commands.common import Verbs, add_verb, count, store_path
from lithograph.tools.commands.repair_answer import (
    DamageAnswer,
    EdgeAnswer,
    NodeAnswer,
    RepairAnswer,
)
from lithograph.tools.exit_code import FINDINGS, OK, STORAGE
from lithograph.tools.output import Output, complain
from lithograph.tools.progress import progress

if TYPE_CHECKING:
    from lithograph.maintenance.salvage import Salvage
    from lithograph.tools.mending.rewrite import Rewrite

_DETAILS = """\
Reads every file of the damaged store block by block, whatever CURRENT and the
manifest say, and writes what is left to a new store in DIR, which must not be
there yet. The damaged store is never written to. Nothing is invented: what a
damaged block held and no other place says is left out, and listed.

The past is made again too: the same commits at the same times, so that --as-of
and history work as before, but for what is lost. Commits are numbered anew.
DIR appears when it is complete; an interrupted repair leaves nothing. No other
process may have the store open.

Exits 0 if nothing was lost, 1 if something was, 5 if nothing could be had.
Rows in a pipe: figure, value; then damage, lost nodes and edges, and those that
came back in an older state, one in a row: what, where or which, why.

examples:
  segtool repair --store damaged.graph --dry-run
  segtool repair --store damaged.graph --to mended.graph
  segtool repair --store damaged.graph --to mended.graph --json > report.json"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "repair", run, "save what is left of a damaged store", _DETAILS)
    parser.add_argument("--to", metavar="DIR", help="the new store; must not be there yet")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be lost")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=count,
        default=1000,
        help="items of each list in the answer; default: 1000",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    path, to = store_path(arguments), arguments.to
    if (to is None) != arguments.dry_run:
        raise InvalidArgumentError(
            "name the new store with --to DIR, or pass --dry-run to see what would be lost"
        )
    answer = _mend(path, to, arguments.limit)
    if answer is None:
        complain(f"nothing can be had of {path}: restore it from a backup")
        return STORAGE
    if output.as_json:
        output.answer(answer)
    else:
        output.table(("what", "value", "why"), _rows(answer))
    return OK if answer.is_complete() else FINDINGS


def _mend(path: str, to: str | None, limit: int) -> RepairAnswer | None:
    """Write what is left of a store to `to`; None where nothing is."""
    from lithograph.files import OsFiles
    from lithograph.maintenance.salvage import Salvage
    from lithograph.tools.mending.new_store import new_store
    from lithograph.tools.mending.rewrite import Rewrite

    if to is not None and os.path.lexists(to):
        raise StoreExistsError(f"{to} is there already: name a directory that is not")
    files = OsFiles(path)
    try:
        with _alone(files):
            salvage = Salvage(files)
            try:
                with new_store(to) as made, progress("reading what is left", "bytes") as report:
                    rewrite = Rewrite(salvage, made.graph, made.now_us)
                    rewrite.run(report)
                    if salvage.is_hopeless and not rewrite.version_count:
                        return None
                    made.finish(salvage.floor)
                return _answer(path, to, limit, salvage, rewrite)
            finally:
                salvage.close()
    finally:
        files.close()


@contextmanager
def _alone(files: Any) -> Iterator[None]:
    """Keep other processes from the store, where it has a lock that can be had."""
    from lithograph.errors import CorruptionError, LockedError, StorageError

    lock = None
    try:
        if files.exists("locks/open"):
            lock = files.lock("locks/open", None)
            if not lock.try_acquire(exclusive=True):
                raise LockedError(
                    f"{files.root} is open in another process: close it there, and repair it then"
                )
    except (StorageError, CorruptionError):
        lock = None  # On a medium that cannot be written to, nobody else does.
    try:
        yield
    finally:
        if lock is not None:
            lock.close()


def _answer(
    path: str, to: str | None, limit: int, salvage: Salvage, rewrite: Rewrite
) -> RepairAnswer:
    findings, lost = salvage.findings, rewrite.lost

    def nodes(ids: list[int]) -> list[NodeAnswer]:
        first = ids[:limit]
        return [NodeAnswer(*pair) for pair in zip(first, lost.named(first), strict=True)]

    def edges(keys: list[tuple[int, int, int, str]]) -> list[EdgeAnswer]:
        return [EdgeAnswer(*edge) for edge in lost.named_edges(keys[:limit])]

    damage = [
        DamageAnswer(one.path, one.offset, one.part, one.message, one.count_max)
        for one in islice(findings.damage, limit)
    ]
    return RepairAnswer(
        path,
        to,
        rewrite.node_count,
        rewrite.edge_count if to is not None else None,
        rewrite.commit_count,
        findings.past,
        len(findings.damage) + findings.more,
        damage,
        len(lost.nodes),
        nodes(lost.nodes),
        len(lost.edges) + lost.untold_edge_count,
        edges(lost.edges),
        len(lost.older_nodes),
        nodes(lost.older_nodes),
        len(lost.older_edges),
        edges(lost.older_edges),
        len(findings.timeless_nodes),
        findings.timeless_edge_count,
        findings.log_size_bytes,
        findings.commits,
        sorted(findings.types),
    )


def _rows(answer: RepairAnswer) -> Iterator[tuple[Any, Any, Any]]:
    for figure in answer.__struct_fields__:
        value = getattr(answer, figure)
        if not isinstance(value, list):
            yield figure, value, ""
    for first, last in answer.lost_commits:
        yield "lost commits", f"{first} to {last}", "nothing is left of them"
    for code in answer.lost_types:
        yield "lost type", f"lost type {code}", "no manifest and no log that can be read names it"
    for damage in answer.damage:
        yield f"damaged {damage.part}", f"{damage.path}@{damage.offset}", damage.message
    for node in answer.lost_nodes:
        yield "lost node", node.name or f"id {node.id}", ""
    for node in answer.older_nodes:
        yield "older node", node.name or f"id {node.id}", "a later change may be lost"
    for edge in answer.lost_edges:
        yield "lost edge", _edge_text(edge), ""
    for edge in answer.older_edges:
        yield "older edge", _edge_text(edge), "a later change is lost"


def _edge_text(edge: EdgeAnswer) -> str:
    key = f" [{edge.key}]" if edge.key else ""
    return f"{edge.source or '?'} -{edge.type}{key}-> {edge.target or '?'}"
