"""segtool rebuild-index: the name index made again from the segments."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from lithograph.formats.file_names import run_name
from lithograph.formats.manifest_entries import RunEntry
from lithograph.graph import registry
from lithograph.maintenance.rebuild import rebuild_index
from lithograph.options import Options
from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output
from lithograph.tools.progress import progress

LOCK_TIMEOUT_S: Final = 10.0

_DETAILS = """\
For a store whose runs (names/*.run) are damaged or missing: they are not read.
One new run takes the place of all when it is complete; until then nothing is
changed. No other process may have the store open. Needs room on the disk for
every name about twice.
Rows in a pipe: figure, value.

example:
  segtool rebuild-index --store my.graph"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "rebuild-index", run, "make the name index again", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    path = store_path(arguments)
    made = _rebuild(path)
    figures = {
        "path": path,
        "name_count": made.entry_count if made else 0,
        "run": run_name(made.number) if made else None,
        "size_bytes": made.size if made else 0,
    }
    if output.as_json:
        output.json(figures)
    else:
        output.table(("figure", "value"), figures.items())
    return OK


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the opening from saying that runs are missing: that is what this is for."""
    log = logging.getLogger("lithograph")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _rebuild(path: str) -> RunEntry | None:
    options = Options(mode="w", exclusive=True, lock_timeout_s=LOCK_TIMEOUT_S)
    with _quiet():
        engine = registry.acquire(path, options)
    try:
        steps = rebuild_index(engine.store)
        with progress("making the name index again") as report:
            count = 0
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    made: RunEntry | None = end.value
                    return made
                count += 1
                report(count, None)
    finally:
        registry.release(engine)
