"""segtool import parquet: tables of nodes and of edges."""

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
Needs the extra "arrow": pip install "lithograph[arrow]".

nodes: columns name (wanted), type, observations, properties, created_at
edges: columns source, target (wanted), type, key, properties, valid_from,
       valid_to, created_at

properties are a map, or JSON. Every other column becomes a property of its
name; times and decimals in one become texts, bytes are refused. Numbers can be
names. Times without a zone are UTC. Files are read in batches; all nodes come
before the edges. A node that is there is merged: its type is replaced,
observations that it does not have yet are appended, properties set one by one.
An end that is missing is made, and counted as missing_ends.

{REJECTS_DETAILS}
Its "line" is the number of the row, from 1.

Importing again writes only what is new. Rows in a pipe: figure, value.

examples:
  segtool import parquet --nodes people.parquet --edges knows.parquet
  segtool import parquet --edges calls.parquet --store my.graph --strict"""


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "parquet", run, _DETAILS)
    for what in ("nodes", "edges"):
        parser.add_argument(
            f"--{what}",
            metavar="FILE",
            action="append",
            default=[],
            help=f"a table of {what}; may be given several times",
        )
    add_reject_options(parser)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.errors import InvalidArgumentError
    from lithograph.tools.importers.import_run import import_rows
    from lithograph.tools.importers.parquet_reader import ParquetFiles

    names = [*arguments.nodes, *arguments.edges]
    if not names:
        raise InvalidArgumentError("nothing to import: pass --nodes FILE, --edges FILE, or both")
    with ParquetFiles(arguments.nodes, arguments.edges) as files:
        return import_rows(arguments, output, names, files.rows)
