"""segtool export: the graph, or a part of it, as a file of another kind."""

from __future__ import annotations

import argparse
from importlib import import_module

from lithograph.tools.commands.common import Verbs
from lithograph.tools.exporters.export_run import ExportAnswer
from lithograph.tools.exporters.kinds import KINDS

SHAPE = ExportAnswer

_DETAILS = """\
"segtool export KIND --help" says what is written for what.

examples:
  segtool export jsonl --store my.graph -o memory.jsonl
  segtool export jsonl --store my.graph --type person --as-of 2026-11-01 | head"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    summary = "write the graph as data of another kind"
    parser = verbs.add_parser(
        "export",
        help=summary,
        description=summary.capitalize() + ".",
        epilog=_DETAILS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    kinds = parser.add_subparsers(metavar="KIND", required=True, title="kinds")
    for kind in KINDS:
        import_module(f"lithograph.tools.exporters.{kind}_export").declare(kinds)
