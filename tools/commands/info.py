"""segtool info: what a store holds, in numbers."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from lithograph.tools.commands.common import Verbs, add_verb, open_to_read, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

_DETAILS = """\
Rows in a pipe: figure, value.

example:
  segtool info --store my.graph"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "info", run, "show counts and sizes of a store", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    with open_to_read(arguments) as graph:
        figures = {"path": store_path(arguments), **asdict(graph.stats())}
    if output.as_json:
        output.json(figures)
    else:
        output.table(("figure", "value"), figures.items())
    return OK
