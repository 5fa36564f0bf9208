"""segtool import: other people's data as nodes and edges."""

from __future__ import annotations

import argparse

from lithograph.tools.commands.common import Verbs, add_verb_of_kinds
from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.kinds import KINDS

SHAPE = ImportAnswer

_DETAILS = """\
"segtool import KIND --help" says what becomes of each thing that a kind holds.

examples:
  segtool import jsonl memory.jsonl --store my.graph
  segtool import csv --nodes people.csv --edges knows.csv --store my.graph"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    modules = [f"lithograph.tools.importers.{kind}_import" for kind in KINDS]
    add_verb_of_kinds(verbs, "import", "read data of another kind into a store", _DETAILS, modules)
