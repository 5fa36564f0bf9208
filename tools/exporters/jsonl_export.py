"""segtool export jsonl: the graph as agents keep it, an object per line."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, BinaryIO

from lithograph.tools.exporters.export_run import ExportAnswer, export_file
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph.tools.exporters.selection import Selection

SHAPE = ExportAnswer

_DETAILS = """\
Entities in the order of their names, then relations by their sources:

  {"type": "entity", "name": …, "entityType": …, "observations": […]}
  {"type": "relation", "from": …, "to": …, "relationType": …}

With --dialect plain the same without "type". createdAt is written where it was
given (a time of the store alone is written with --times), validFrom and validTo
where the edge has them: unix seconds, or ISO 8601 where those would not be
exact; validTo is the last second that is valid. A relation has "key" where it
is not the text of its validFrom. Properties are keys of their own; one that has
the name of a field stands behind an "@". "import jsonl" reads the same graph
from it, and writes the lines that it read as they were.

Rows in a pipe, with -o: figure, value.

examples:
  segtool export jsonl --store my.graph > memory.jsonl
  segtool export jsonl --store my.graph --as-of 2026-11-01 -o then.jsonl"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "jsonl", run, _DETAILS)
    parser.add_argument(
        "--dialect", choices=("tagged", "plain"), default="tagged", help="default: tagged"
    )
    parser.add_argument(
        "--times", action="store_true", help="createdAt of everything, given or not"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    import json

    from lithograph.tools.importers.jsonl_record import entity_line, relation_line

    dialect, times = arguments.dialect, arguments.times
    # A text never steers a terminal; files and pipes get it as it is.
    is_shown = arguments.output is None and sys.stdout.isatty()
    encode = json.JSONEncoder(ensure_ascii=is_shown, separators=(",", ":"), check_circular=False)

    def write(selection: Selection, file: BinaryIO) -> None:
        for node in selection.nodes():
            line = encode.encode(entity_line(node, dialect, times=times))
            file.write(line.encode() + b"\n")
        for edge in selection.edges():
            line = encode.encode(relation_line(edge, dialect, times=times))
            file.write(line.encode() + b"\n")

    return export_file(arguments, output, write)
