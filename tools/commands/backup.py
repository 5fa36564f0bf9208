"""segtool backup: a copy of a store as it is now, while others write to it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

import lithograph
from lithograph.tools.commands.common import Verbs, add_verb, open_to_read, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size
from lithograph.tools.progress import progress

if TYPE_CHECKING:
    from lithograph import BackupResult

_DETAILS = """\
DIR becomes a store of its own: everything committed so far, history included.
It must not exist yet, or be empty. Readers and writers go on meanwhile.

Where DIR is on the same file system, the large files are shared by hard links:
that takes no time and no room, and guards against what people and programs do,
not against a disk that fails. --copy copies every byte, and reads the copy back.
A backup that is cut short leaves a directory that no verb takes for a store:
remove it, and make it again.
Rows in a pipe: figure, value.

examples:
  segtool backup --store my.graph my.backup
  segtool backup --store my.graph --copy /mnt/other/my.backup
  segtool diff my.backup my.graph"""


class BackupAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What the copy holds.

    path : of the store that was copied.
    directory : of the copy.
    sequence : of its newest commit.
    node_count, edge_count : then.
    file_count : files of the copy.
    size_bytes : of these files.
    shared_bytes : of these, what the copy shares with the store by hard links.
    """

    path: str
    directory: str
    sequence: int
    node_count: int
    edge_count: int
    file_count: int
    size_bytes: int
    shared_bytes: int


SHAPE = BackupAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(
        verbs, "backup", run, "copy a store as it is now, while others write", _DETAILS
    )
    parser.add_argument("directory", metavar="DIR", help="where the copy goes")
    parser.add_argument("--copy", action="store_true", help="copy every byte; share no file")


def run(arguments: argparse.Namespace, output: Output) -> int:
    with open_to_read(arguments) as graph, progress("backing up", "bytes") as report:
        made = graph.backup(arguments.directory, link=not arguments.copy, progress=report)
    show(describe(store_path(arguments), arguments.directory, made), output)
    return OK


def describe(path: str, directory: str, made: BackupResult) -> BackupAnswer:
    """Return the answer for a copy; it is opened, so that it was once."""
    with lithograph.open(directory, mode="r") as copy:
        return BackupAnswer(
            path,
            directory,
            copy.sequence,
            copy.node_count,
            copy.edge_count,
            made.file_count,
            made.size_bytes,
            made.shared_bytes,
        )


def show(answer: BackupAnswer, output: Output) -> None:
    if output.as_json:
        output.answer(answer)
        return
    figures = msgspec.structs.asdict(answer)
    if output.is_terminal:
        figures["size_bytes"] = human_size(answer.size_bytes)
        figures["shared_bytes"] = human_size(answer.shared_bytes)
    output.table(("figure", "value"), figures.items())
