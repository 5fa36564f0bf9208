"""The kinds of data that `segtool import` reads, and how each declares itself.

The module of a kind, `lithograph.tools.importers.<kind>_import`, has `declare(kinds)`, which calls
`add_kind`, and `SHAPE`, what --json writes. At its top it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from typing import Final

from lithograph.tools.commands.common import Run, Verbs, add_options, add_page

Kinds = Verbs

KINDS: Final = {
    "jsonl": "memory.jsonl of agents, and event logs",
    "csv": "tables of nodes and edges",
    "edges": "lines of two or three columns: source, target, type",
    "git": "a git repository: commits, authors, files",
    "graphml": "GraphML, as networkx, Gephi and yEd write it",
    "parquet": "Parquet tables of nodes and edges",
    "python": "Python source files",
}
"""Every kind and what it reads."""


def add_kind(
    kinds: Kinds[argparse.ArgumentParser], name: str, run: Run, details: str
) -> argparse.ArgumentParser:
    """Declare a kind with --store, --json and --ndjson.

    details : shown below the options: what becomes of what, then examples.
    """
    summary = KINDS[name]
    parser = add_page(kinds, name, summary, f"Import {summary}.", details)
    add_options(parser, run)
    parser.set_defaults(kind=name)
    return parser


def add_reject_options(parser: argparse.ArgumentParser) -> None:
    """Declare --strict and --rejects, for `import_run`."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help="read all of it first, and import nothing where a line cannot be imported",
    )
    parser.add_argument(
        "--rejects",
        metavar="FILE",
        help="where lines are set aside that cannot be imported; default: the file's name with"
        ' ".rejects"',
    )


REJECTS_DETAILS: Final = """\
A line that cannot be imported is set aside in FILE.rejects: an object per line
with "line" (its number), "reason" and "text". The exit code is then 1."""
