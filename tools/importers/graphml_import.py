"""segtool import graphml: the exchange format of networkx, Gephi, yEd and others."""

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
A node's id becomes its name, its data become properties, of the types that the
keys declare. What is named "type" or "labels" (of an edge: "type" or "label")
becomes the type. The id of an edge becomes its key, which tells parallel edges
apart. Undirected edges are stored from source to target with the property
"directed": false. Files of "export graphml" come back as the same graph.

The file is read as a stream. One with a document type (<!DOCTYPE …>) is refused.
A node that is there is merged: its type is replaced, properties set one by one.
An end that is missing is made, and counted as missing_ends.

figures of this kind:
  undirected   edges that are
  passed_over  data without a name, such as the shapes that yEd draws

{REJECTS_DETAILS}
Its "line" is that of the element.

Standard input is copied to a temporary file first. Rows in a pipe: figure,
value.

examples:
  segtool import graphml karate.graphml --store my.graph
  segtool import graphml - --store my.graph --strict < karate.graphml"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "graphml", run, _DETAILS)
    parser.add_argument("file", metavar="FILE", help='a GraphML file; "-": standard input')
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.importers.graphml_reader import GraphmlFile
    from lithograph.tools.importers.import_run import Import, import_rows
    from lithograph.tools.importers.input_file import InputFile
    from lithograph.tools.progress import Report

    with InputFile(arguments.file) as file:
        graphml = GraphmlFile(file)

        def count(work: Import, report: Report) -> None:
            work.more.update(graphml.more)

        return import_rows(arguments, output, [arguments.file], graphml.rows, count)
