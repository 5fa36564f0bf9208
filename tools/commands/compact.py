"""segtool compact: everything merged into one segment and one run."""

from __future__ import annotations

import argparse
from datetime import datetime

import msgspec

import lithograph
from lithograph.tools.commands.common import Verbs, add_verb, moment, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size
from lithograph.tools.progress import progress

_DETAILS = """\
Compresses, and makes reading fastest. Other processes go on reading and writing
meanwhile. Needs as much room on the disk as what is merged.

With --drop-history-before, what was superseded or deleted before that moment
goes for good: --as-of and history reach back to it and no further. What a
snapshot of another process still reads is kept; "floor" says how far it went.

--dry-run writes nothing: it lists the files that would be merged, their bytes,
and about how many would be left.
Rows in a pipe: figure, value.

examples:
  segtool compact --store my.graph
  segtool compact --store my.graph --dry-run
  segtool compact --store my.graph --drop-history-before 2026-01-01"""


class CompactAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was merged, or would be.

    path : of the store.
    dry_run : nothing was written; `bytes_out` is an estimate.
    file_count_in : runs, segments and histories that were merged.
    bytes_in : of these.
    bytes_out : of what is there instead.
    floor : the oldest moment that can be read from now on, ISO 8601; None where everything can.
    log_commit_count : commits that were only in the log, and went to files first.
    files : in a dry run, what would be merged, by names in the store; else empty.
    """

    path: str
    dry_run: bool
    file_count_in: int
    bytes_in: int
    bytes_out: int
    floor: datetime | None
    log_commit_count: int
    files: list[str]


SHAPE = CompactAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(
        verbs, "compact", run, "merge everything into one segment and one run", _DETAILS
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be merged; write nothing"
    )
    parser.add_argument(
        "--drop-history-before",
        metavar="WHEN",
        type=_time,
        help="drop what was superseded before: 2026-01-01, or 2026-01-01T14:30+01:00"
        " (UTC where no offset is given)",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    path = store_path(arguments)
    when: datetime | None = arguments.drop_history_before
    answer = _estimate(path, when) if arguments.dry_run else _compact(path, when)
    if output.as_json:
        output.answer(answer)
        return OK
    figures = msgspec.structs.asdict(answer)
    files = figures.pop("files")
    if answer.floor is None:
        del figures["floor"]
    if output.is_terminal:
        figures["bytes_in"] = human_size(answer.bytes_in)
        figures["bytes_out"] = human_size(answer.bytes_out)
    output.table(("figure", "value"), [*figures.items(), *(("file", name) for name in files)])
    return OK


def _compact(path: str, when: datetime | None) -> CompactAnswer:
    with lithograph.open(path, mode="w") as graph:
        before = _files(graph)
        log_commit_count = graph.sequence - _flushed(graph)
        with progress("compacting", "bytes") as report:
            graph.compact(report, drop_history_before=when)
        after = _files(graph)
        return CompactAnswer(
            path,
            False,
            len(before.keys() - after.keys()),
            sum(before[name] for name in before.keys() - after.keys()),
            sum(after[name] for name in after.keys() - before.keys()),
            graph.stats().floor_time,
            log_commit_count,
            [],
        )


def _files(graph: lithograph.Graph) -> dict[str, int]:
    """Return the sizes of the files that the newest manifest names, by their names."""
    from lithograph.formats.file_names import history_name, run_name, segment_name

    manifest = graph._engine.journal.stack.generation.manifest
    found = {run_name(run.number): run.size for run in manifest.runs}
    for entry in manifest.segments:
        found[segment_name(entry.partition, entry.number)] = entry.size
        if entry.history is not None:
            found[history_name(entry.partition, entry.number)] = entry.history_size
    return found


def _flushed(graph: lithograph.Graph) -> int:
    """Return the newest commit that is in files."""
    return graph._engine.journal.stack.generation.manifest.last_sequence


def _estimate(path: str, when: datetime | None) -> CompactAnswer:
    from lithograph.formats.moment import decode_moment, encode_moment
    from lithograph.maintenance.compaction_estimate import estimate_compaction

    with lithograph.open(path, mode="r") as graph:
        store = graph._engine.store
        moment_us = None if when is None else encode_moment(when, "--drop-history-before")
        found = estimate_compaction(store, moment_us)
        floor = found.floor_sequence
        floor_time = decode_moment(store.journal.stack.commit_row(floor)[0]) if floor else None
    return CompactAnswer(
        path,
        True,
        len(found.inputs),
        found.bytes_in,
        found.bytes_out,
        floor_time,
        found.log_commit_count,
        list(found.inputs),
    )


def _time(text: str) -> datetime:
    """Return an option's value that is a time; wrong usage otherwise."""
    found = moment(text)
    if isinstance(found, int):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: use one such as 2026-01-01")
    return found
