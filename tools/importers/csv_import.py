"""segtool import csv: tables of nodes and edges."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import (
    REJECTS_DETAILS,
    Kinds,
    add_kind,
    add_reject_options,
)
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lithograph.tools.importers.csv_reader import CsvFile
    from lithograph.tools.importers.rows import Row
    from lithograph.tools.progress import Report

SHAPE = ImportAnswer

_DETAILS = f"""\
The first line is a header, as Neo4j's admin import has it:

  name:ID,:LABEL,born:int,tags:string[]         nodes
  :START_ID,:END_ID,:TYPE,since:int             edges

The cell under :ID is the node's name; with an id space, :ID(Person), it is
"Person:" and the cell. The first of several labels (A;B) becomes the type, and
all of them the property "labels". name:type is a property; types are int long
short byte float double boolean string char date datetime time duration point
(texts) and json, with [] behind them for lists. An empty cell says nothing;
:IGNORE is not read. Beyond Neo4j's, nodes may have :OBSERVATIONS (a list, or
:OBSERVATIONS(json)), :CREATED_AT, and :TYPE in place of :LABEL; edges :KEY,
:VALID_FROM, :VALID_TO (not valid any more) and :CREATED_AT: ISO 8601 with a
zone, or unix seconds.

Files of nodes are read first, whatever their order. A node that is there is
merged: its type is replaced, observations that it does not have yet are
appended, properties set one by one. An edge that is there gets the fields of
the row. An end that is missing is made, and counted as missing_ends.

{REJECTS_DETAILS}

Importing again writes only what is new. Rows in a pipe: figure, value.

examples:
  segtool import csv people.csv knows.csv --store my.graph
  segtool import csv --nodes people.tsv --edges knows.tsv --delimiter tab"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "csv", run, _DETAILS)
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="of nodes or edges, as its header says"
    )
    parser.add_argument(
        "--nodes", metavar="FILE", action="append", default=[], help="a file of nodes"
    )
    parser.add_argument(
        "--edges", metavar="FILE", action="append", default=[], help="a file of edges"
    )
    parser.add_argument(
        "--delimiter", metavar="C", type=_delimiter, default=",", help='default: ","; "tab"'
    )
    parser.add_argument(
        "--array-delimiter", metavar="C", type=_delimiter, default=";", help='default: ";"'
    )
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from contextlib import ExitStack

    from lithograph.errors import InvalidArgumentError
    from lithograph.tools.importers.csv_reader import CsvFile
    from lithograph.tools.importers.import_run import import_rows
    from lithograph.tools.importers.input_file import InputFile

    asked = [
        *((path, None) for path in arguments.files),
        *((path, False) for path in arguments.nodes),
        *((path, True) for path in arguments.edges),
    ]
    if not asked:
        raise InvalidArgumentError("no file is named: pass FILE, --nodes FILE or --edges FILE")
    with ExitStack() as stack:
        files = []
        for path, of_edges in asked:
            input_file = stack.enter_context(InputFile(path))
            file = CsvFile(input_file, arguments.delimiter, arguments.array_delimiter)
            if of_edges not in (None, file.of_edges):
                found = "edges" if file.of_edges else "nodes"
                raise InvalidArgumentError(f"{input_file.name} has the header of a file of {found}")
            files.append(file)
        files.sort(key=lambda file: file.of_edges)

        def read(report: Report) -> Iterator[Row]:
            return _rows(files, report)

        return import_rows(arguments, output, [path for path, _ in asked], read)


def _rows(files: list[CsvFile], report: Report) -> Iterator[Row]:
    total = sum(file.file.size for file in files)
    before = 0
    for file in files:
        yield from file.rows(lambda done, _, before=before: report(before + done, total))  # type: ignore[misc]
        before += file.file.size


def _delimiter(text: str) -> str:
    text = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r} is no delimiter: use one character, or tab")
    return text
