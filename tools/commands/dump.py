"""segtool dump: files of a store as annotated text."""

from __future__ import annotations

import argparse

from lithograph.errors import LithographError
from lithograph.tools.commands.common import Verbs, add_verb, count
from lithograph.tools.exit_code import OK, exit_code
from lithograph.tools.output import Output, complain

_DETAILS = """\
FILE is a path, or the name of a file in the store, such as wal/00000001.wal.
What it is is guessed from its header. The file is only read; no lock is taken.
Rows in a pipe: offset, size, field, value, meaning; lines that start with "#"
begin a structure. Damage is shown where it is, as a field "error". JSON: a list
with one item per file; NDJSON: a line for each.
Of runs, segments and histories the first pages and blocks of each kind are
shown; all checksums are compared all the same. What stands in a compressed
block has size 0.

examples:
  segtool dump my.graph/CURRENT
  segtool dump wal/00000001.wal --store my.graph
  segtool dump wal/00000001.wal --record 12 --store my.graph
  segtool dump names/00000012.run --page 3
  segtool dump partitions/2026-11/00000031.seg --id 17"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "dump", run, "show files of a store, field by field", _DETAILS)
    parser.add_argument("files", metavar="FILE", nargs="+", help="any file of a store but a lock")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--page", type=count, metavar="N", help="one page of a run")
    which.add_argument(
        "--record", type=count, metavar="N", help="the record of one commit, in a log"
    )
    which.add_argument("--id", type=count, metavar="N", help="one node, in a segment or a history")
    which.add_argument("--all", action="store_true", help="every page and block of a large file")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Write every file; return the exit code of the first that is damaged or no such file."""
    from lithograph.tools.commands.dump_file import DumpWriter, locate
    from lithograph.tools.sealed_annotation import Selection

    selection = Selection(arguments.page, arguments.id, arguments.record, arguments.all)
    codes = []
    with DumpWriter(output) as writer:
        for name in arguments.files:
            try:
                codes.append(writer.write(locate(name, arguments.store), selection))
            except LithographError as error:
                complain(str(error))
                codes.append(exit_code(error))
    return next(filter(None, codes), OK)
