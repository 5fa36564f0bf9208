"""One export from its command line to its answer, whatever its kind."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from lithograph.errors import InvalidArgumentError
from lithograph.tools.commands.common import open_view
from lithograph.tools.exit_code import OK
from lithograph.tools.exporters.selection import Selection
from lithograph.tools.output import Output
from lithograph.tools.output_file import output_file
from lithograph.tools.progress import progress


class ExportAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """What was written; only with -o, where standard output is free for it.

    kind : "jsonl", "csv", and so on.
    files : what was written, and their size in `bytes` together.
    nodes, edges : how many.
    sequence : the commit that was exported.
    seconds : the time it took.
    """

    kind: str
    files: list[str]
    bytes: int
    nodes: int
    edges: int
    sequence: int
    seconds: float


Write = Callable[[Selection, BinaryIO], None]
"""Writes a selection, in bounded memory."""


def export_file(arguments: argparse.Namespace, output: Output, write: Write) -> int:
    """Export to one file, or to standard output; return the exit code."""
    path = arguments.output
    if path is None and output.as_json:
        raise InvalidArgumentError(
            "--json and --ndjson show what was written, and need -o FILE: without it the graph "
            "itself goes to standard output"
        )
    with selected(arguments) as selection, _output(path) as file:
        write(selection, file)
    if path is not None:
        answer(arguments, output, selection, [path])
    return OK


@contextmanager
def selected(arguments: argparse.Namespace) -> Iterator[Selection]:
    """Yield what --as-of, --type and --prefix select, with a bar that follows what is read."""
    arguments.started = time.perf_counter()
    with open_view(arguments) as view, progress("exporting") as report:
        yield Selection(view, arguments.type, arguments.prefix, report)
        arguments.sequence = view.sequence


def answer(
    arguments: argparse.Namespace, output: Output, selection: Selection, files: list[str]
) -> None:
    """Say what was written."""
    said = ExportAnswer(
        arguments.kind,
        files,
        sum(Path(file).stat().st_size for file in files),
        selection.node_count,
        selection.edge_count,
        arguments.sequence,
        round(time.perf_counter() - arguments.started, 3),
    )
    if output.as_json:
        output.answer(said)
    else:
        output.table(("figure", "value"), _rows(said))


def _rows(said: ExportAnswer) -> Iterator[tuple[str, Any]]:
    for name in said.__struct_fields__:
        value = getattr(said, name)
        if name == "files":
            yield from (("file", file) for file in value)
        else:
            yield name, value


@contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    if path is not None:
        with output_file(path) as file:
            yield file
        return
    sys.stdout.flush()
    if hasattr(sys.stdout, "buffer"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    # In place of the process's own: something that takes texts only.
    whole = io.BytesIO()
    yield whole
    sys.stdout.write(whole.getvalue().decode())
