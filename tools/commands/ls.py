"""segtool ls: the files that a store is made of."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from lithograph.tools.commands.common import Verbs, add_verb, open_engine
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size

if TYPE_CHECKING:
    from lithograph.tools.commands.ls_answer import Record

_DETAILS = """\
Without WHAT: segments, runs and logs, each with its size in bytes, its commits
and how many nodes and edges, or names, it says something of.
Rows in a pipe: file, size, first and last commit, entries. partitions: name,
segments, size, size of histories, entries, superseding, versions. segments:
file, size, size of the history, first and last commit, time of the last,
entries, superseding, versions, "sealed" or "open". runs: file, size, first and
last commit, names. wal: file, size, first and last commit, state.

examples:
  segtool ls --store my.graph
  segtool ls segments --store my.graph
  segtool ls partitions --store my.graph --ndjson"""

_COLUMNS: Final = {
    "all": ("file", "size", "from", "to", "entries"),
    "partitions": (
        "partition",
        "segments",
        "size",
        "histories",
        "entries",
        "superseding",
        "versions",
    ),
    "segments": (
        "file",
        "size",
        "history",
        "from",
        "to",
        "until",
        "entries",
        "superseding",
        "versions",
        "state",
    ),
    "runs": ("file", "size", "from", "to", "names"),
    "wal": ("file", "size", "from", "to", "state"),
}


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "ls", run, "list the files of a store", _DETAILS)
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="?",
        choices=tuple(_COLUMNS),
        default="all",
        help="partitions, segments, runs or wal; default: all",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools import store_files

    listed: dict[str, Callable[..., Iterator[Record]]] = {
        "all": store_files.files,
        "partitions": store_files.partitions,
        "segments": store_files.segments,
        "runs": store_files.runs,
        "wal": store_files.logs,
    }
    with open_engine(arguments) as engine:
        # Before anything is written: a log may go while it is looked at.
        records = list(listed[arguments.what](engine))
    row = _row_of_any if arguments.what == "all" else _row
    size = human_size if output.is_terminal else int
    output.records(_COLUMNS[arguments.what], records, lambda record: row(record, size))
    return OK


Size = Callable[[int], Any]


def _row_of_any(record: Record, size: Size) -> tuple[Any, ...]:
    from lithograph.tools.commands.ls_answer import Partition, Run, Segment

    assert not isinstance(record, Partition)
    entries: Any = None
    if isinstance(record, Segment):
        entries = record.entry_count
    elif isinstance(record, Run):
        entries = record.name_count
    commits = record.first_sequence, record.last_sequence
    return record.file, size(record.size_bytes), *commits, entries


def _row(record: Record, size: Size) -> tuple[Any, ...]:
    from lithograph.tools.commands.ls_answer import Partition, Run, Segment

    if isinstance(record, Partition):
        return (
            record.partition,
            record.segment_count,
            size(record.size_bytes),
            size(record.history_size_bytes),
            record.entry_count,
            record.superseding_count,
            record.version_count,
        )
    file = record.file, size(record.size_bytes)
    commits = record.first_sequence, record.last_sequence
    if isinstance(record, Segment):
        return (
            *file,
            size(record.history_size_bytes),
            *commits,
            record.last_time,
            record.entry_count,
            record.superseding_count,
            record.version_count,
            "sealed" if record.is_sealed else "open",
        )
    return *file, *commits, record.name_count if isinstance(record, Run) else record.state
