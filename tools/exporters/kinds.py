"""The kinds of files that `segtool export` writes, and how each declares itself.

The module of a kind, `lithograph.tools.exporters.<kind>_export`, has `declare(kinds)`, which calls
`add_kind`, and `SHAPE`, what --json writes. At its top it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from typing import Final

from lithograph.tools.commands.common import Run, Verbs, add_as_of, add_options, add_page

Kinds = Verbs

KINDS: Final = {
    "jsonl": "lines of JSON, as the memory.jsonl of agents",
    "csv": "two tables, of nodes and of edges",
    "dot": "a neighborhood, as Graphviz draws it",
    "edges": "lines of two or three columns: source, target, type",
    "graphml": "GraphML, as networkx, Gephi and yEd read it",
    "mermaid": "a neighborhood, as Markdown pages draw it",
    "parquet": "Parquet tables of nodes and edges",
}
"""Every kind and what it is."""


def add_kind(
    kinds: Kinds[argparse.ArgumentParser], name: str, run: Run, details: str
) -> argparse.ArgumentParser:
    """Declare a kind with --output, --as-of, --type, --prefix, --store, --json and --ndjson.

    details : shown below the options: what is written for what, then examples.
    """
    summary = KINDS[name]
    parser = add_page(kinds, name, summary, f"Export {summary}.", details)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to; appears when it is whole. Default: standard output",
    )
    parser.add_argument("--type", metavar="T", help="only nodes of this type, and edges among them")
    parser.add_argument(
        "--prefix", metavar="P", help="only nodes whose names begin so, and edges among them"
    )
    add_as_of(parser)
    add_options(parser, run)
    parser.set_defaults(kind=name)
    return parser
