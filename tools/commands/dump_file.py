"""What `segtool dump` writes of one file, piece by piece: a file may be larger than memory."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final

from rich.text import Text

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
from lithograph.tools.commands.common import STORE_VARIABLE
from lithograph.tools.commands.dump_answer import DumpedError, DumpedField, DumpedPart
from lithograph.tools.exit_code import OK, exit_code
from lithograph.tools.output import Output, cell_text, complain, escape_name, struct_json
from lithograph.tools.regular_file import RegularFile
from lithograph.tools.run_annotation import annotate_run
from lithograph.tools.sealed_annotation import Selection
from lithograph.tools.segment_annotation import annotate_history, annotate_segment
from lithograph.tools.wal_annotation import annotate_wal

_ANNOTATE: Final[dict[str, Callable[[RegularFile], Iterator[Note]]]] = {
    "CURRENT": annotate_current,
    "manifest": annotate_manifest,
    "shared.map": annotate_shared_map,
    PIN_KIND: annotate_pin,
}
_ANNOTATE_LARGE: Final[dict[str, Callable[[RegularFile, Selection], Iterator[Note]]]] = {
    "WAL": annotate_wal,
    "run": annotate_run,
    "segment": annotate_segment,
    "history": annotate_history,
}
_COLUMNS: Final = ("offset", "size", "field", "value", "meaning")
_ERRORS_KEPT_MAX: Final = 1_000
_TERMINAL_VALUE_MAX: Final = 100


class DumpWriter:
    """Writes files one behind the other; in JSON as the items of a list."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._separator = ""

    def __enter__(self) -> DumpWriter:
        if self._in_list:
            self._output.line("[")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._in_list and error is None:
            self._output.line("]")

    @property
    def _in_list(self) -> bool:
        return self._output.as_json and not self._output.as_lines

    def write(self, path: str, selection: Selection) -> int:
        """Write the annotated file, to its end; then complain about the first damage in it.

        Raises
        ------
        StorageError, NotAStoreError : nothing of it was written.
        """
        with RegularFile(path) as file:
            kind = guess_kind(file)
            notes = (
                _ANNOTATE[kind](file)
                if kind in _ANNOTATE
                else _ANNOTATE_LARGE[kind](file, selection)
            )
            if self._output.as_json:
                errors = self._write_json(file, kind, notes)
            else:
                errors = _write_text(self._output, file, kind, notes)
        if not errors:
            return OK
        complain(_told(path, errors))
        return exit_code(errors[0].error)

    def _write_json(self, file: RegularFile, kind: str, notes: Iterable[Note]) -> list[Damage]:
        """Write one object; its parts go out one by one."""
        stream, end = self._output.stream, "" if self._output.as_lines else "\n"
        errors: list[Damage] = []
        head = json.dumps({"path": file.path, "kind": kind, "size": file.size})
        stream.write(self._separator + head[:-1] + ', "parts": [' + end)
        separator = ""
        for part in _parts(notes, errors):
            stream.write(separator + struct_json(part))
            separator = ", " + end
        told = ", ".join(struct_json(DumpedError(each.offset, each.message)) for each in errors)
        stream.write(end + f'], "errors": [{told}]}}' + "\n")
        if self._in_list:
            self._separator = ","
        return errors


def _told(path: str, errors: list[Damage]) -> str:
    first, more = errors[0], len(errors) - 1
    return f"{path}@{first.offset}: {first.message}" + (f" (and {more} more)" if more else "")


def locate(name: str, store: str | None) -> str:
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


def _parts(notes: Iterable[Note], errors: list[Damage]) -> Iterator[DumpedPart]:
    part: DumpedPart | None = None
    for note in notes:
        if isinstance(note, Part):
            if part is not None:
                yield part
            part = DumpedPart(note.offset, note.title, [])
            continue
        assert part is not None
        if isinstance(note, Damage):
            _keep(errors, note)
            part.error = note.message
        else:
            part.fields.append(DumpedField(*_cells(note)))
    if part is not None:
        yield part


def _keep(errors: list[Damage], note: Damage) -> None:
    if len(errors) < _ERRORS_KEPT_MAX:
        errors.append(note)
