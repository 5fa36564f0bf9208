"""segtool restore: a new store from a backup that was found sound."""

from __future__ import annotations

import argparse

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.tools.commands.backup import BackupAnswer, describe, show
from lithograph.tools.commands.common import Verbs, add_verb
from lithograph.tools.exit_code import CORRUPTION, OK
from lithograph.tools.output import Output, complain
from lithograph.tools.progress import progress

_DETAILS = """\
BACKUP is verified first, every byte of it: where anything is wrong, that is told
and nothing is made (exit code 4). --deep decodes every byte and compares the
files with each other, too. DIR must not exist yet, or be empty: a store is never
overwritten. To put a backup in the place of a store, move that away first.

Files are shared by hard links where that can be, as backup does; --copy copies
them. BACKUP stays as it is, and can be restored again.
Rows in a pipe: figure, value.

examples:
  segtool restore my.backup my.graph
  segtool restore --deep --copy my.backup my.graph"""

SHAPE = BackupAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "restore", run, "make a new store from a backup", _DETAILS)
    parser.add_argument("backup", metavar="BACKUP", help="made by segtool backup, or any store")
    parser.add_argument("directory", metavar="DIR", help="the store to make")
    parser.add_argument("--copy", action="store_true", help="copy every byte; share no file")
    parser.add_argument(
        "--deep", action="store_true", help="decode every byte, and compare the files, first"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    backup: str = arguments.backup
    directory: str = arguments.directory
    if arguments.store is not None:
        raise InvalidArgumentError("restore makes the store DIR of BACKUP: leave out --store")
    with lithograph.open(backup, mode="r") as graph:
        with progress("verifying the backup", "bytes") as report:
            findings = graph.verify(arguments.deep, checksums=True, progress=report)
        if findings:
            more = f"; and {len(findings) - 1} more" if len(findings) > 1 else ""
            complain(
                f"{findings[0]}{more}: nothing was restored; segtool verify --deep tells all, and "
                "segtool repair may save what is sound"
            )
            return CORRUPTION
        with progress("restoring", "bytes") as report:
            made = graph.backup(directory, link=not arguments.copy, progress=report)
    show(describe(backup, directory, made), output)
    return OK
