"""segtool export graphml: the exchange format of networkx, Gephi, yEd and others."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, BinaryIO

from lithograph.tools.exporters.export_run import ExportAnswer, export_file
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph.tools.exporters.selection import Selection

SHAPE = ExportAnswer

_DETAILS = """\
Names become ids; type, observations, times and properties become data. What
GraphML has no type for (lists, maps, observations, texts with characters that
XML cannot hold) stands there as JSON, marked so that "import graphml" reads the
same graph from it; other programs see a text. All of the selection is read
twice: first for the keys, which come before the nodes.

Rows in a pipe, with -o: figure, value.

examples:
  segtool export graphml --store my.graph -o my.graphml
  segtool export graphml --store my.graph --type person | gzip > people.xml.gz"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    add_kind(kinds, "graphml", run, _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.exporters.graphml_writer import Keys, write_graphml
    from lithograph.tools.exporters.selection import Selection

    def write(selection: Selection, file: BinaryIO) -> None:
        keys = Keys()
        first = Selection(selection.view, arguments.type, arguments.prefix)
        for node in first.nodes():
            keys.note_node(node)
        for edge in first.edges():
            keys.note_edge(edge)
        write_graphml(keys, selection.nodes(), selection.edges(), file)

    return export_file(arguments, output, write)
