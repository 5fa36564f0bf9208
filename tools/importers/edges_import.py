"""segtool import edges: lines of two or three columns."""

from __future__ import annotations

import argparse

from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import (
    REJECTS_DETAILS,
    Kinds,
    add_kind,
    add_reject_options,
)
from lithograph.tools.output import Output

SHAPE = ImportAnswer

_DETAILS = f"""\
Each line is an edge: source, target, and perhaps its type, between spaces and
tabs, or between single delimiters with --delimiter. Names are kept as they
stand; with a delimiter spaces belong to them, and there are no quotes: for
those there is "import csv". Lines that begin with "#" or "%" are comments.

Both ends are made where they are missing, without a type. An edge that is there
already stays as it is: importing again writes nothing. Edges have no key, so
equal lines are one edge. The last few hundred thousand lines are what an
import that was interrupted has to do again; whatever it wrote is whole.

figures of this kind:
  lines     lines read
  comments  of them, those that are empty or comments
  repeated  edges that were there already, or came twice

{REJECTS_DETAILS}

Standard input is copied to a temporary file first. Rows in a pipe: figure,
value.

examples:
  segtool import edges soc-LiveJournal1.txt --type follows --store my.graph
  segtool import edges calls.csv --delimiter , --store my.graph
  zcat edges.gz | segtool import edges - --store my.graph --strict"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "edges", run, _DETAILS)
    parser.add_argument("file", metavar="FILE", help='a file of lines; "-": standard input')
    parser.add_argument(
        "--type",
        metavar="TYPE",
        default="",
        help="of edges without a third column; default: no type",
    )
    parser.add_argument(
        "--delimiter",
        metavar="CHARACTER",
        help="what stands between columns, one ASCII character, \\t for a tab;"
        " default: any spaces and tabs",
    )
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.importers.edge_file import EdgeFile
    from lithograph.tools.importers.import_run import run_import
    from lithograph.tools.importers.input_file import InputFile

    delimiter = "\t" if arguments.delimiter == "\\t" else arguments.delimiter
    with InputFile(arguments.file) as file:
        edges = EdgeFile(file, delimiter, arguments.type)
        return run_import(arguments, output, [arguments.file], edges.check, edges.load)
