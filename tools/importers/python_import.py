"""segtool import python: the code graph of Python sources."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import lithograph
from lithograph.errors import StorageError
from lithograph.tools.commands.common import store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.importers.kinds import Kinds, add_kind
from lithograph.tools.output import Output
from lithograph.tools.progress import progress

if TYPE_CHECKING:
    from lithograph.tools.importers.python_source import SourceGraph

_DETAILS = """\
Modules, classes, functions and methods become nodes (name: dotted path), what
contains, imports, inherits and calls becomes edges. Nothing is executed. The
store is created if there is none; importing again writes only what changed.
Rows in a pipe: figure, value; then "skipped", file and reason for each file set
aside.

examples:
  segtool import python src tests/helpers.py --store my.graph"""


class SkippedFile(msgspec.Struct, forbid_unknown_fields=True):
    """A file set aside, and why."""

    file: str
    reason: str


class PythonAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was read and written.

    files, nodes, edges : of the source.
    nodes_by_type, edges_by_type : how many there are of each.
    written : items that the store did not hold as they are.
    commits : transactions that wrote them.
    read_seconds, write_seconds : time taken.
    skipped : files set aside.
    """

    files: int
    nodes: int
    edges: int
    nodes_by_type: dict[str, int]
    edges_by_type: dict[str, int]
    written: int
    commits: int
    read_seconds: float
    write_seconds: float
    skipped: list[SkippedFile]


SHAPE = PythonAnswer


def declare(kinds: Kinds[argparse.ArgumentParser]) -> None:
    parser = add_kind(kinds, "python", run, _DETAILS)
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", type=Path, help="a file, package or directory of them"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.importers.load import load_source

    store = store_path(arguments)
    started = time.perf_counter()
    with progress("reading the sources"):
        source = _read(arguments.paths)
    read_seconds = time.perf_counter() - started
    with lithograph.open(store) as graph, progress("writing") as report:
        loaded = load_source(graph, source, report)
    figures: dict[str, Any] = {
        "files": count_files(source),
        "nodes": loaded.node_count,
        "edges": loaded.edge_count,
        "nodes_by_type": Counter(node.kind for node in source.nodes),
        "edges_by_type": Counter(edge.type for edge in source.edges),
        "written": loaded.written_count,
        "commits": loaded.commit_count,
        "read_seconds": round(read_seconds, 3),
        "write_seconds": round(loaded.seconds, 3),
    }
    if output.as_json:
        skipped = [SkippedFile(file, reason) for file, reason in source.skipped]
        output.answer(PythonAnswer(**figures, skipped=skipped))
    else:
        output.table(("figure", "value"), _rows(figures))
        if source.skipped:
            output.table(("", "file", "reason"), (("skipped", *each) for each in source.skipped))
    return OK


def count_files(source: SourceGraph) -> int:
    """Return how many files were read: each is one module."""
    return sum("file" in node.properties for node in source.nodes if node.kind == "module")


def _read(paths: list[Path]) -> SourceGraph:
    """Return the graph of the sources; StorageError before anything is made where there are none.

    That one of the paths does not exist is an error of the command, not a file to be set aside.
    """
    from lithograph.tools.importers.python_source import read_python

    for path in paths:
        try:
            path.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StorageError(f"cannot read {path}: {reason}") from error
    source = read_python(paths)
    if not source.nodes:
        reasons = "; ".join(f"{file}: {reason}" for file, reason in source.skipped[:3])
        raise StorageError(f"nothing to import: no Python module was read. {reasons}".rstrip())
    return source


def _rows(figures: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for figure, value in figures.items():
        if isinstance(value, Counter):
            for kind, count in sorted(value.items()):
                yield f"{figure.removesuffix('_by_type')}:{kind}", count
        else:
            yield figure, value
