"""segtool info: what a store holds, in numbers, part by part."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lithograph.tools.commands.common import Verbs, add_verb, open_to_read, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output, human_size

if TYPE_CHECKING:
    from lithograph import Stats

_DETAILS = """\
Rows in a pipe: figure, value. JSON has the same figures; sizes are in bytes,
times in ISO 8601. What each one is: help(lithograph.Stats).
The figures of memory, cache and open files are those of this look at the store,
not those of a process that works with it: there, ask Graph.stats(). Most often
the files say everything and the store is not even opened: commits that are only
in the log are counted and take no memory, and "synced" is what a file promises.

examples:
  segtool info --store my.graph
  segtool info --store my.graph --json"""

_PARTS: Final = {
    "memtable": "memory",
    "frozen": "memory",
    "cache": "memory",
    "open": "open files",
    "segment": "segments",
    "sealed": "segments",
    "history": "histories",
    "run": "name index",
    "wal": "log",
    "pin": "pins",
    "pinned": "pins",
    "kernel": "kernel",
}
"""Part of the store by the first word of a figure; all others are of the graph."""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "info", run, "show counts and sizes of a store", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.files_look import figures_of_files

    path = store_path(arguments)
    found = figures_of_files(path)
    if found is None:
        with open_to_read(arguments) as graph:
            found = asdict(graph.stats())
    figures = {"path": path, **found}
    if output.as_json:
        output.answer(figures)
    elif output.is_terminal:
        output.table(("part", "figure", "value"), part_rows(figures))
    else:
        output.table(("figure", "value"), figures.items())
    return OK


def size_rows(stats: Stats) -> list[tuple[str, int, int]]:
    """Return (part, number of files, bytes) of the kinds of files that grow with the graph."""
    return [
        ("segments", stats.segment_count, stats.segment_size_bytes),
        ("histories", stats.history_count, stats.history_size_bytes),
        ("name index", stats.run_count, stats.run_size_bytes),
        ("log", stats.wal_file_count, stats.wal_total_size_bytes),
    ]


def part_rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield (part, figure, value) for people: each part named once, sizes in words too."""
    last = ""
    for name, value in figures.items():
        part = _PARTS.get(name.partition("_")[0], "graph")
        large = "_bytes" in name and value >= 1024
        shown = f"{value:,} ({human_size(value)})" if large else value
        yield part if part != last else "", name, shown
        last = part
