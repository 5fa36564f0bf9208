"""segtool rebuild-index: the name index made again from the segments."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output
from lithograph.tools.progress import progress

if TYPE_CHECKING:
    from lithograph.formats.manifest_entries import RunEntry

LOCK_TIMEOUT_S: Final = 10.0

_DETAILS = """\
For a store whose runs (names/*.run) are damaged or missing: they are not read.
One new run takes the place of all when it is complete; until then nothing is
changed. No other process may have the store open. Needs room on the disk for
every name about twice.
Rows in a pipe: figure, value.

examples:
  segtool rebuild-index --store my.graph"""


class RebuildIndexAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was made.

    path : of the store.
    name_count : names in the new run.
    run : the new file, by its name in the store; None where there are no names.
    size_bytes : of the new file.
    """

    path: str
    name_count: int
    run: str | None
    size_bytes: int


SHAPE = RebuildIndexAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "rebuild-index", run, "make the name index again", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.formats.file_names import run_name

    path = store_path(arguments)
    made = _rebuild(path)
    answer = RebuildIndexAnswer(path, 0, None, 0)
    if made is not None:
        answer = RebuildIndexAnswer(path, made.entry_count, run_name(made.number), made.size)
    if output.as_json:
        output.answer(answer)
    else:
        output.table(("figure", "value"), msgspec.structs.asdict(answer).items())
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
    from lithograph.graph import registry
    from lithograph.maintenance.rebuild import rebuild_index
    from lithograph.options import Options

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
