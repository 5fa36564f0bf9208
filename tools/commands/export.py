"""segtool export: the graph, or a part of it, as a file of another kind."""

from __future__ import annotations

import argparse

from lithograph.tools.commands.common import Verbs, add_verb_of_kinds
from lithograph.tools.exporters.export_run import ExportAnswer
from lithograph.tools.exporters.kinds import KINDS

SHAPE = ExportAnswer

_DETAILS = """\
"segtool export KIND --help" says what is written for what.

examples:
  segtool export jsonl --store my.graph -o memory.jsonl
  segtool export jsonl --store my.graph --type person --as-of 2026-11-01 | head"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    modules = [f"lithograph.tools.exporters.{kind}_export" for kind in KINDS]
    add_verb_of_kinds(verbs, "export", "write the graph as data of another kind", _DETAILS, modules)
