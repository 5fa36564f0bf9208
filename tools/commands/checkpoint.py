"""segtool checkpoint: what is only in the log, put into files."""

from __future__ import annotations

import argparse

import msgspec

import lithograph
from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

_DETAILS = """\
Everything committed so far, by any process, goes to the disk: into a segment
and a run, and a new log begins. The next process to open the store has less to
read. A store that was not closed well is recovered first. Others read and write
on meanwhile; there is no need to do this, a store does it by itself when its log
has grown.
Rows in a pipe: figure, value.

examples:
  segtool checkpoint --store my.graph"""


class CheckpointAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was done.

    path : of the store.
    sequence : of the newest commit; it and all before are in files now.
    commit_count : of these, how many were only in the log.
    log_size_bytes_before, log_size_bytes : of all logs, before and now.
    """

    path: str
    sequence: int
    commit_count: int
    log_size_bytes_before: int
    log_size_bytes: int


SHAPE = CheckpointAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "checkpoint", run, "put what is only in the log into files", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    path = store_path(arguments)
    with lithograph.open(path, mode="w") as graph:
        before, flushed = graph.stats(), _flushed(graph)
        graph.checkpoint()
        after = graph.stats()
        answer = CheckpointAnswer(
            path,
            after.sequence,
            _flushed(graph) - flushed,
            before.wal_total_size_bytes,
            after.wal_total_size_bytes,
        )
    if output.as_json:
        output.answer(answer)
    else:
        output.table(("figure", "value"), msgspec.structs.asdict(answer).items())
    return OK


def _flushed(graph: lithograph.Graph) -> int:
    """Return the newest commit that is in files."""
    return graph._engine.journal.stack.generation.manifest.last_sequence
