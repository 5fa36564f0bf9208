"""segtool verify: does everything in the files agree with SPEC.md?"""

from __future__ import annotations

import argparse
import time

import msgspec

from lithograph.tools.commands.common import Verbs, add_verb, open_to_read, store_path
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.output import Output, escape_controls, human_size
from lithograph.tools.progress import progress

_DETAILS = """\
Without an option: every file that counts is there and is the one that was
published, and the log can be replayed. --checksums reads every byte. --deep
decodes every byte and compares the files with each other: that both directions
list the same edges, that names and nodes agree, that counts add up.
Nothing is written; others read and write on meanwhile. Exit code 1 where
anything was found; 4 where the store cannot be opened at all: then ask
segtool doctor.
Rows in a pipe: path, offset, finding; none where all is sound.

examples:
  segtool verify --store my.graph
  segtool verify --store my.graph --deep
  segtool verify --store my.backup --checksums --json"""


class VerifyFinding(msgspec.Struct, forbid_unknown_fields=True):
    """One thing that is wrong.

    path : of the file, or of the store where it is in no single file.
    offset : in bytes; 0 where it is in no single place.
    message : what was found, and what was expected.
    """

    path: str
    offset: int
    message: str


class VerifyAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was looked at, and what was found.

    path : of the store.
    depth : "files", "checksums" or "deep".
    is_sound : nothing was found.
    sequence : of the newest commit that was looked at.
    file_count, size_bytes : segments, histories and runs.
    seconds : that it took.
    findings : everything that is wrong.
    """

    path: str
    depth: str
    is_sound: bool
    sequence: int
    file_count: int
    size_bytes: int
    seconds: float
    findings: list[VerifyFinding]


SHAPE = VerifyAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "verify", run, "check the files of a store", _DETAILS)
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--checksums", action="store_true", help="read every byte")
    depth.add_argument(
        "--deep", action="store_true", help="decode every byte, and compare the files"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    answer = _verify(arguments)
    if output.as_json:
        output.answer(answer)
    else:
        rows = [(each.path, each.offset, each.message) for each in answer.findings]
        if rows or not output.is_terminal:
            output.table(("file", "offset", "finding"), rows)
        if output.is_terminal:
            output.line(_summary(answer))
    return OK if answer.is_sound else FINDINGS


def _verify(arguments: argparse.Namespace) -> VerifyAnswer:
    with open_to_read(arguments) as graph, progress("verifying", "bytes") as report:
        stats = graph.stats()
        start = time.monotonic()
        found = graph.verify(arguments.deep, arguments.checksums, report)
        depth = "deep" if arguments.deep else "checksums" if arguments.checksums else "files"
        return VerifyAnswer(
            store_path(arguments),
            depth,
            not found,
            stats.sequence,
            stats.segment_count + stats.history_count + stats.run_count,
            stats.segment_size_bytes + stats.history_size_bytes + stats.run_size_bytes,
            round(time.monotonic() - start, 3),
            [VerifyFinding(each.path, each.offset, each.message) for each in found],
        )


def _summary(answer: VerifyAnswer) -> str:
    """Return what a person wants to know, and what to do next."""
    name = escape_controls(answer.path)
    size = human_size(answer.size_bytes)
    looked = f"{answer.file_count} files, {size}, commit {answer.sequence:,}"
    if answer.depth != "files" and answer.seconds > 0:
        looked += f", {human_size(int(answer.size_bytes / answer.seconds))}/s"
    if answer.is_sound:
        deeper = {
            "files": "; --deep reads every byte, too",
            "checksums": "; --deep compares the files, too",
            "deep": "",
        }
        return f"{name} is sound ({looked}){deeper[answer.depth]}"
    things = "1 thing is" if len(answer.findings) == 1 else f"{len(answer.findings)} things are"
    return f"{things} wrong in {name} ({looked}); segtool doctor says what to do"
