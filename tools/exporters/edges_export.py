"""segtool export edges: a line for each edge."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, BinaryIO

from lithograph.errors import InvalidArgumentError
from lithograph.tools.exporters.export_run import ExportAnswer, export_file
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph import Edge
    from lithograph.tools.exporters.selection import Selection

SHAPE = ExportAnswer

_DETAILS = """\
Source, target and, where the edge has one, its type, between tabs. That is all
that such a line can hold: nodes without edges, observations, properties, keys
and times stay behind; for those there are jsonl, graphml and parquet. A name
that holds the delimiter or the end of a line, or a source that looks like a
comment, stops the export: choose another --delimiter, or another kind.

"import edges" reads it again; with --delimiter "\\t" where names hold spaces.

Rows in a pipe, with -o: figure, value.

examples:
  segtool export edges --store my.graph | sort | head
  segtool export edges --store my.graph --delimiter , -o edges.csv"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "edges", run, _DETAILS)
    parser.add_argument(
        "--delimiter",
        metavar="CHARACTER",
        default="\t",
        help="what stands between columns, one ASCII character; default: a tab",
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.transaction.edge_lines import check_delimiter

    delimiter = "\t" if arguments.delimiter == "\\t" else arguments.delimiter
    check_delimiter(delimiter)

    def write(selection: Selection, file: BinaryIO) -> None:
        for edge in selection.edges():
            file.write(line_of(edge, delimiter).encode())

    return export_file(arguments, output, write)


def line_of(edge: Edge, delimiter: str) -> str:
    """Return the line that `import edges` reads the edge from.

    Raises
    ------
    InvalidArgumentError : there is none.
    """
    columns = [edge.source, edge.target, edge.type] if edge.type else [edge.source, edge.target]
    line = delimiter.join(columns)
    if (
        line.count(delimiter) != len(columns) - 1
        or "\n" in line
        or line.endswith("\r")
        or line.startswith(("#", "%"))
    ):
        raise InvalidArgumentError(
            f"the edge {edge.source!r:.60} -[{edge.type!r:.40}]-> {edge.target!r:.60} cannot stand "
            "in a line: choose another --delimiter, or export jsonl, graphml or parquet"
        )
    return line + "\n"
