"""segtool export csv: two tables, of nodes and of edges."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from lithograph.tools.exit_code import OK
from lithograph.tools.exporters.export_run import ExportAnswer, answer, selected
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.output import Output

if TYPE_CHECKING:
    pass

SHAPE = ExportAnswer

_DETAILS = """\
-o PREFIX makes two files, PREFIX.nodes.csv and PREFIX.edges.csv, with headers
as Neo4j's admin import has them:

  :ID,:LABEL,:OBSERVATIONS,:CREATED_AT,born:long,tags:string[]
  :START_ID,:END_ID,:TYPE,:KEY,:VALID_FROM,:VALID_TO,:CREATED_AT,since:long

A column is there where something is in it; times are ISO 8601, :CREATED_AT only
where it was given. A property whose values are of several types, lists of other
things than texts, maps, null or empty texts makes a column of JSON (key:json),
observations with ";" in them make :OBSERVATIONS(json), a type with ";" in it
makes :TYPE of :LABEL. "import csv" reads the same graph from them. The graph is
read twice: first for the columns.

Rows in a pipe: figure, value.

examples:
  segtool export csv --store my.graph -o people
  segtool export csv --store my.graph -o persons --type Person"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    add_kind(kinds, "csv", run, _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.errors import InvalidArgumentError
    from lithograph.tools.exporters.csv_writer import write_edges, write_nodes
    from lithograph.tools.output_file import output_file

    if arguments.output is None:
        raise InvalidArgumentError("two files are written: name what they begin with by -o PREFIX")
    files = [f"{arguments.output}.{what}.csv" for what in ("nodes", "edges")]
    with (
        selected(arguments) as selection,
        output_file(files[0]) as nodes,
        output_file(files[1]) as edges,
    ):
        write_nodes(selection, nodes)
        write_edges(selection, edges)
    answer(arguments, output, selection, files)
    return OK
