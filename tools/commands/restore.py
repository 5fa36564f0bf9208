"""segtool restore: a new store from a backup that was found sound."""

from __future__ import annotations

import argparse

import lithograph
from lithograph.tools.commands.backup import BackupAnswer, describe, show
from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import CORRUPTION, OK
from lithograph.tools.output import Output, complain
from lithograph.tools.progress import progress

_DETAILS = """\
BACKUP is verified first, every byte of it: where anything is wrong, the findings
are told and nothing is made (exit code 4). DIR, or the store of --store, must
not exist yet, or be empty: a store is never overwritten. To put a backup in the
place of a store, move the store away first.

--quick leaves out comparing the files with each other; every checksum is looked
at all the same. Files are shared by hard links where that can be, as backup
does; --copy copies them. BACKUP stays as it is, and can be restored again.
Rows in a pipe: figure, value.

examples:
  segtool restore my.backup my.graph
  segtool restore my.backup --copy --quick --store my.graph"""

SHAPE = BackupAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "restore", run, "make a new store from a backup", _DETAILS)
    parser.add_argument("backup", metavar="BACKUP", help="made by segtool backup, or any store")
    parser.add_argument("directory", metavar="DIR", nargs="?", help="instead of --store")
    parser.add_argument("--copy", action="store_true", help="copy every byte; share no file")
    parser.add_argument("--quick", action="store_true", help="look at checksums only")


def run(arguments: argparse.Namespace, output: Output) -> int:
    backup: str = arguments.backup
    directory: str = arguments.directory or store_path(arguments)
    with lithograph.open(backup, mode="r") as graph:
        with progress("verifying the backup", "bytes") as report:
            findings = graph.verify(not arguments.quick, checksums=True, progress=report)
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
