"""One import from its command line to its answer, whatever its kind.

Promises:

1. Nothing is told to be done before it is on the medium: batches are not synced one by one, closing
   the store syncs them all, and then the answer is written.
2. With --strict the whole source is read and checked first; where a line would be set aside, the
   store is not even opened.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lithograph
from lithograph import Graph
from lithograph.errors import InvalidArgumentError
from lithograph.tools.commands.common import store_path
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.loader import Loader
from lithograph.tools.importers.rejects import Rejects
from lithograph.tools.importers.rows import Row
from lithograph.tools.output import Output, complain
from lithograph.tools.progress import Report, progress

Read = Callable[[Report], Iterator[Row]]
"""Reads the source from its beginning: checked rows, and lines to be set aside. Called twice with
--strict; `report` takes bytes done and in all."""


@dataclass(slots=True)
class Import:
    """An import that runs: where rows and rejects go, and what is counted.

    more : figures of the kind, for the answer.
    """

    graph: Graph
    loader: Loader
    rejects: Rejects
    more: dict[str, int] = field(default_factory=dict)


Then = Callable[[Import, Report], None]
"""What a kind does after its rows, such as replaying events."""


def import_rows(
    arguments: argparse.Namespace,
    output: Output,
    files: list[str],
    read: Read,
    then: Then | None = None,
) -> int:
    """Import what `read` yields; write the answer and return the exit code.

    files : as they were named on the command line; rejects go beside the first.
    """

    def load(work: Import, report: Report) -> None:
        for row in work.rejects.sift(read(report)):
            work.loader.add(row)
        work.loader.finish()
        if then is not None:
            then(work, report)

    return run_import(arguments, output, files, read, load)


def run_import(
    arguments: argparse.Namespace,
    output: Output,
    files: list[str],
    check: Read,
    load: Callable[[Import, Report], None],
    unit: str = "bytes",
) -> int:
    """Check if --strict was given, `load` unless that found something, answer.

    unit : of what is reported.
    check : yields a Reject for every line that `load` would set aside; other rows are ignored.
    """
    store = store_path(arguments)
    started = time.perf_counter()
    with Rejects(rejects_path(arguments, files)) as rejects:
        answer = ImportAnswer(arguments.kind, files, 0, 0, 0, 0, 0, 0, 0, 0, None, False, 0.0, {})
        if arguments.strict:
            with progress("checking", unit) as report:
                for _ in rejects.sift(check(report)):
                    pass
            answer.refused = rejects.count > 0
        if not answer.refused:
            with open_to_load(store) as graph, progress("importing", unit) as report:
                work = Import(graph, Loader(graph), rejects)
                nodes, edges = graph.node_count, graph.edge_count
                load(work, report)
                answer.nodes_made = graph.node_count - nodes
                answer.edges_made = graph.edge_count - edges
            _count(answer, work)
        answer.rejected = rejects.count
        answer.rejects = str(rejects.path) if rejects.count else None
    answer.seconds = round(time.perf_counter() - started, 3)
    if output.as_json:
        output.answer(answer)
    else:
        output.table(("figure", "value"), answer.rows())
    return _verdict(answer)


def rejects_path(arguments: argparse.Namespace, files: list[str]) -> Path:
    """Return where lines are set aside: as asked for, or beside the file.

    Raises
    ------
    InvalidArgumentError : that is one of the files to read, which would be written over.
    """
    if arguments.rejects is None:
        return Path("stdin.rejects" if files[0] == "-" else f"{files[0]}.rejects")
    path = Path(arguments.rejects)
    if any(_is_same_file(path, Path(file)) for file in files):
        raise InvalidArgumentError(
            f"--rejects {path} would write over what is read: name another file"
        )
    return path


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False  # One of them does not exist yet.


@contextmanager
def open_to_load(store: str) -> Iterator[Graph]:
    """Open a store, made where there is none; leaving it syncs what was committed."""
    with lithograph.open(store, durability="normal") as graph:
        yield graph


def _count(answer: ImportAnswer, work: Import) -> None:
    loader = work.loader
    answer.nodes, answer.edges = loader.node_rows, loader.edge_rows
    answer.written, answer.commits = loader.written, loader.commits
    answer.missing_ends = loader.missing_ends
    answer.more = work.more


def _verdict(answer: ImportAnswer) -> int:
    """Say on standard error what was set aside; return the exit code."""
    if not answer.rejected:
        return OK
    lines = "1 line" if answer.rejected == 1 else f"{answer.rejected:,} lines"
    if answer.refused:
        complain(
            f"refused, nothing was written: {lines} cannot be imported; {answer.rejects} has them "
            "with reasons. Mend them, or leave --strict away to set them aside"
        )
    else:
        complain(f"{lines} set aside: {answer.rejects} has them with reasons")
    return FINDINGS
