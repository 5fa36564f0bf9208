"""segtool import: other people's data as nodes and edges."""

from __future__ import annotations

import argparse
from importlib import import_module

from lithograph.tools.commands.common import Verbs
from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import KINDS

SHAPE = ImportAnswer

_DETAILS = """\
"segtool import KIND --help" says what becomes of each thing that a kind holds.

examples:
  segtool import jsonl memory.jsonl --store my.graph
  segtool import csv --nodes people.csv --edges knows.csv --store my.graph"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    summary = "read data of another kind into a store"
    parser = verbs.add_parser(
        "import",
        help=summary,
        description=summary.capitalize() + ".",
        epilog=_DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    kinds = parser.add_subparsers(metavar="KIND", required=True, title="kinds")
    for kind in KINDS:
        import_module(f"lithograph.tools.importers.{kind}_import").declare(kinds)
