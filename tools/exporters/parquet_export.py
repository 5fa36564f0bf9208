"""segtool export parquet: a table of nodes and one of edges."""

from __future__ import annotations

import argparse

from lithograph.tools.exporters.export_run import ExportAnswer
from lithograph.tools.exporters.kinds import Kinds, add_kind
from lithograph.tools.output import Output

SHAPE = ExportAnswer

_DETAILS = """\
Needs the extra "arrow": pip install "lithograph[arrow]".

Writes nodes.parquet and edges.parquet into the directory that -o names, which
is made where there is none. Their columns:

  nodes: name, type, observations (a list), properties (JSON), created_at
  edges: source, type, target, key, properties (JSON), valid_from, valid_to,
         created_at

"import parquet" reads the same graph from them.

Rows in a pipe: figure, value.

examples:
  segtool export parquet --store my.graph -o tables
  segtool export parquet --store my.graph --as-of 2026-11-01 -o then"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    add_kind(kinds, "parquet", run, _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from pathlib import Path

    from lithograph.errors import InvalidArgumentError, StorageError
    from lithograph.tools.exit_code import OK
    from lithograph.tools.exporters.export_run import answer, selected
    from lithograph.tools.exporters.parquet_writer import write_edges, write_nodes
    from lithograph.tools.importers.arrow import parquet
    from lithograph.tools.output_file import output_file

    if arguments.output is None:
        raise InvalidArgumentError("parquet is written to two files: name a directory with -o DIR")
    parquet()
    files = [str(Path(arguments.output, name)) for name in ("nodes.parquet", "edges.parquet")]
    with selected(arguments) as selection:
        try:
            Path(arguments.output).mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot make {arguments.output}: {error}") from error
        # Both are whole before either stands there.
        with output_file(files[0]) as nodes, output_file(files[1]) as edges:
            write_nodes(selection.nodes(), nodes)
            write_edges(selection.edges(), edges)
    answer(arguments, output, selection, files)
    return OK
