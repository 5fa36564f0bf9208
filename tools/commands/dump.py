"""segtool dump: one file of a store as annotated text."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from rich.text import Text

from lithograph.errors import LithographError
from lithograph.formats.layout import Described
from lithograph.tools.annotation import (
    PIN_KIND,
    Damage,
    Note,
    Part,
    annotate_current,
    annotate_manifest,
    annotate_pin,
    annotate_shared_map,
    guess_kind,
    shown,
)
from lithograph.tools.commands.common import STORE_VARIABLE, Verbs, add_verb, count
from lithograph.tools.exit_code import OK, exit_code
from lithograph.tools.output import Output, cell_text, complain, escape_name
from lithograph.tools.regular_file import RegularFile
from lithograph.tools.run_annotation import annotate_run
from lithograph.tools.sealed_annotation import Selection
from lithograph.tools.segment_annotation import annotate_history, annotate_segment
from lithograph.tools.wal_annotation import annotate_wal

_DETAILS = """\
FILE is a path, or the name of a file in the store, such as wal/00000001.wal.
What it is is guessed from its header. The file is only read; no lock is taken.
Rows in a pipe: offset, size, field, value, meaning; lines that start with "#"
begin a structure. Damage is shown where it is, as a field "error". JSON: one
value per file.
Of runs, segments and histories the first pages and blocks of each kind are
shown; all checksums are compared all the same. What stands in a compressed
block has size 0.

example:
  segtool dump my.graph/CURRENT
  segtool dump wal/00000001.wal --store my.graph
  segtool dump names/00000012.run --page 3
  segtool dump partitions/2026-11/00000031.seg --id 17"""

_ANNOTATE: Final[dict[str, Callable[[RegularFile], Iterator[Note]]]] = {
    "CURRENT": annotate_current,
    "manifest": annotate_manifest,
    "WAL": annotate_wal,
    "shared.map": annotate_shared_map,
    PIN_KIND: annotate_pin,
}
_ANNOTATE_SEALED: Final[dict[str, Callable[[RegularFile, Selection], Iterator[Note]]]] = {
    "run": annotate_run,
    "segment": annotate_segment,
    "history": annotate_history,
}
_COLUMNS: Final = ("offset", "size", "field", "value", "meaning")
_ERRORS_KEPT_MAX: Final = 1_000
_TERMINAL_VALUE_MAX: Final = 100


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "dump", run, "show files of a store, field by field", _DETAILS)
    parser.add_argument("files", metavar="FILE", nargs="+", help="any file of a store but a lock")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--page", type=count, metavar="N", help="one page of a run")
    which.add_argument("--id", type=count, metavar="N", help="one node, in a segment or a history")
    which.add_argument("--all", action="store_true", help="every page and block of a large file")


def run(arguments: argparse.Namespace, output: Output) -> int:
    """Write every file; return the exit code of the first that is damaged or no such file."""
    selection = Selection(arguments.page, arguments.id, arguments.all)
    codes = []
    for name in arguments.files:
        try:
            codes.append(_dump(_locate(name, arguments.store), selection, output))
        except LithographError as error:
            complain(str(error))
            codes.append(exit_code(error))
    return next(filter(None, codes), OK)


def _dump(path: str, selection: Selection, output: Output) -> int:
    """Write the annotated file, to its end; then complain about the first damage in it."""
    with RegularFile(path) as file:
        kind = guess_kind(file)
        notes = (
            _ANNOTATE[kind](file) if kind in _ANNOTATE else _ANNOTATE_SEALED[kind](file, selection)
        )
        write = _write_json if output.as_json else _write_text
        errors = write(output, file, kind, notes)
    if not errors:
        return OK
    complain(_told(path, errors))
    return exit_code(errors[0].error)


def _told(path: str, errors: list[Damage]) -> str:
    first, more = errors[0], len(errors) - 1
    return f"{path}@{first.offset}: {first.message}" + (f" (and {more} more)" if more else "")


def _locate(name: str, store: str | None) -> str:
    """Return the path meant by FILE: with --store the store's file first, else the path itself."""
    inside = os.path.join(store or os.environ.get(STORE_VARIABLE, ""), name)
    if os.path.lexists(inside) and (store or not os.path.lexists(name)):
        return inside
    return name


def _write_text(
    output: Output, file: RegularFile, kind: str, notes: Iterable[Note]
) -> list[Damage]:
    errors: list[Damage] = []
    output.line(f"# {escape_name(file.path)}: {kind}, {file.size:,} bytes")
    if output.is_terminal:
        output.console.print(
            Text(f"{'offset':>12} {'size':>8}  {'field':<17} {'value':<34}  meaning", style="bold")
        )
    else:
        output.line("# " + "\t".join(_COLUMNS))
    for note in notes:
        if isinstance(note, Damage):
            _keep(errors, note)
        if output.is_terminal:
            output.console.print(_terminal_line(note), no_wrap=True, overflow="ellipsis")
        elif isinstance(note, Part):
            output.line(f"# {note.title}")
        else:
            output.row(_cells(note))
    return errors


def _cells(note: Described | Damage) -> tuple[Any, ...]:
    if isinstance(note, Damage):
        return note.offset, 0, "error", note.message, ""
    return note.offset, note.size, note.name, shown(note), note.meaning


def _terminal_line(note: Note) -> Text:
    """Return one line with the columns under each other; long values are cut."""
    if isinstance(note, Part):
        return Text(f"\n{note.title}", style="bold")
    offset, size, name, value, meaning = _cells(note)
    if isinstance(note, Damage):
        return Text(f"{offset:>12} {'error':>8}  {cell_text(value)}", style="bold red")
    text = cell_text(value)
    if len(text) > _TERMINAL_VALUE_MAX:
        text = text[:_TERMINAL_VALUE_MAX] + f"… ({len(text):,} characters)"
    line = Text(f"{offset:>12} {size:>8}  {cell_text(name):<17} {text:<34}  ")
    return line.append(meaning, style="dim")


def _write_json(
    output: Output, file: RegularFile, kind: str, notes: Iterable[Note]
) -> list[Damage]:
    """Write one object; its parts go out one by one."""
    errors: list[Damage] = []
    head = json.dumps({"path": file.path, "kind": kind, "size": file.size})
    output.line(head[:-1] + ', "parts": [')
    output.items(_parts(notes, errors))
    told = [{"offset": each.offset, "message": each.message} for each in errors]
    output.line(f'], "errors": {json.dumps(told)}}}')
    return errors


def _parts(notes: Iterable[Note], errors: list[Damage]) -> Iterator[dict[str, Any]]:
    part: dict[str, Any] | None = None
    for note in notes:
        if isinstance(note, Part):
            if part is not None:
                yield part
            part = {"offset": note.offset, "title": note.title, "fields": []}
            continue
        assert part is not None
        if isinstance(note, Damage):
            _keep(errors, note)
            part["error"] = note.message
        else:
            part["fields"].append(dict(zip(_COLUMNS, _cells(note), strict=True)))
    if part is not None:
        yield part


def _keep(errors: list[Damage], note: Damage) -> None:
    if len(errors) < _ERRORS_KEPT_MAX:
        errors.append(note)
