"""segtool export dot: a neighborhood as Graphviz draws it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, BinaryIO

from lithograph.tools.exporters.export_run import ExportAnswer, export_file
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.exporters.neighborhood import add_neighborhood, label, neighborhood
from lithograph.tools.output import Output, complain

if TYPE_CHECKING:
    from lithograph.tools.exporters.selection import Selection

SHAPE = ExportAnswer

_DETAILS = """\
The node --around and what is within --hops of it, the nearest first, with the
edges between them. Nodes are labelled with name and type, edges with their
type. --type and --prefix leave out other nodes, but not the one in the middle.
What --limit leaves out is told on standard error.

Rows in a pipe, with -o: figure, value.

examples:
  segtool export dot --store my.graph --around Ada | dot -Tsvg > ada.svg
  segtool export dot --store my.graph --around Ada --direction in -o ada.dot"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    add_neighborhood(add_kind(kinds, "dot", run, _DETAILS))


def run(arguments: argparse.Namespace, output: Output) -> int:
    def write(selection: Selection, file: BinaryIO) -> None:
        drawn = neighborhood(selection.view, arguments)
        selection.node_count, selection.edge_count = len(drawn.nodes), len(drawn.edges)
        numbers = {node.name: number for number, node in enumerate(drawn.nodes)}
        file.write(b"digraph {\n  node [shape=box, style=rounded];\n")
        for node in drawn.nodes:
            shown = quoted(node.name) + (f"\\n{quoted(node.type)}" if node.type else "")
            middle = ", penwidth=2" if node.name == arguments.around else ""
            file.write(f'  n{numbers[node.name]} [label="{shown}"{middle}];\n'.encode())
        for edge in drawn.edges:
            shown = f' [label="{quoted(edge.type)}"]' if edge.type else ""
            ends = f"n{numbers[edge.source]} -> n{numbers[edge.target]}"
            file.write(f"  {ends}{shown};\n".encode())
        file.write(b"}\n")
        if drawn.note:
            complain(drawn.note)

    return export_file(arguments, output, write)


def quoted(text: str) -> str:
    r"""Return a text as a label in double quotes has it.

    >>> print(quoted('a "b" & \\N'))
    a \"b\" &amp; \\N
    """
    shown = label(text).replace("\\", "\\\\").replace('"', '\\"')
    # Graphviz reads &name; as a character.
    return shown.replace("&", "&amp;")
