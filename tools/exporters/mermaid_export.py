"""segtool export mermaid: a neighborhood as Markdown pages draw it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, BinaryIO, Final

from lithograph.tools.exporters.export_run import ExportAnswer, export_file
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.exporters.neighborhood import add_neighborhood, label, neighborhood
from lithograph.tools.output import Output, complain

if TYPE_CHECKING:
    from lithograph.tools.exporters.selection import Selection

SHAPE = ExportAnswer

_DETAILS = """\
The node --around and what is within --hops of it, the nearest first, with the
edges between them, as a flowchart. Nodes are labelled with name and type, edges
with their type. --type and --prefix leave out other nodes, but not the one in
the middle. What --limit leaves out is told on standard error. In Markdown the
text stands in a block of the kind "mermaid".

Rows in a pipe, with -o: figure, value.

examples:
  segtool export mermaid --store my.graph --around Ada --hops 2
  segtool export mermaid --store my.graph --around Ada --limit 20 -o ada.mmd"""

_PLAIN: Final = re.compile(r"[^\w ./:,@+=-]", re.ASCII)


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    add_neighborhood(add_kind(kinds, "mermaid", run, _DETAILS))


def run(arguments: argparse.Namespace, output: Output) -> int:
    def write(selection: Selection, file: BinaryIO) -> None:
        drawn = neighborhood(selection.view, arguments)
        selection.node_count, selection.edge_count = len(drawn.nodes), len(drawn.edges)
        numbers = {node.name: number for number, node in enumerate(drawn.nodes)}
        file.write(b"flowchart LR\n")
        for node in drawn.nodes:
            shown = quoted(node.name) + (f"<br/>{quoted(node.type)}" if node.type else "")
            file.write(f'  n{numbers[node.name]}["{shown}"]\n'.encode())
        for edge in drawn.edges:
            shown = f'|"{quoted(edge.type)}"|' if edge.type else ""
            ends = f"n{numbers[edge.source]} -->{shown} n{numbers[edge.target]}"
            file.write(f"  {ends}\n".encode())
        if drawn.note:
            complain(drawn.note)

    return export_file(arguments, output, write)


def quoted(text: str) -> str:
    """Return a text as a label in double quotes has it: whatever could mean something, by number.

    >>> quoted('a "b" <c> #1')
    'a #34;b#34; #60;c#62; #35;1'
    """
    return _PLAIN.sub(
        lambda match: match[0] if ord(match[0]) > 127 else f"#{ord(match[0])};", label(text)
    )
