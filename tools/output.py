"""What a verb shows: a table on a terminal, tab-separated rows in a pipe, JSON where asked for.

Promises:

1. A text out of a store never steers a terminal: control characters, line separators and marks that
   turn the direction of writing are shown as escapes, in every form of output.
2. A row is one line in a pipe, and its cells hold no tab.
3. Colors and frames are only for terminals; rich honors NO_COLOR.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeVar

if TYPE_CHECKING:
    import msgspec
    from rich.console import Console

Item = TypeVar("Item", bound="msgspec.Struct")

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_BROKEN_WIDTH: Final = 6
_PADDING: Final = 2
_ISO: Final = datetime.isoformat
_ONE_LINE: Final = json.JSONEncoder(default=_ISO)
"""Made once: making one takes as long as encoding a small object."""
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_controls(text: str) -> str:
    r"""Return `text` with everything that could steer a terminal as \n, \r, \t or \uXXXX.

    >>> print(escape_controls("\x1b[31mred"))
    \u001b[31mred
    """
    return _UNSAFE.sub(lambda match: _SHORT.get(match[0], f"\\u{ord(match[0]):04x}"), text)


def escape_name(text: str) -> str:
    r"""Return `text` as `escape_controls` does, with backslashes doubled: no two look the same.

    >>> print(escape_name("a\tb"), escape_name("a\\tb"))
    a\tb a\\tb
    """
    return escape_controls(text.replace("\\", "\\\\"))


class Escaped(str):
    """A cell that needs no more escaping."""

    __slots__ = ()


def human_size(size: int) -> str:
    """Return bytes in the largest unit that leaves at least one.

    >>> human_size(512), human_size(1536), human_size(64 * 2**20)
    ('512 B', '1.5 KiB', '64.0 MiB')
    """
    if size < 1024:
        return f"{size} B"
    value, units = size / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.1f} {units[0]}"


def json_text(value: Any) -> Escaped:
    """Return JSON on one line, readable and safe for a terminal."""
    return Escaped(escape_controls(json.dumps(value, ensure_ascii=False)))


def cell_text(value: Any) -> str:
    """Return a cell: names escaped, times in ISO 8601, maps and lists as JSON, None empty, yes or
    no for what is true or not."""
    if isinstance(value, str):
        return value if isinstance(value, Escaped) else escape_name(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int | float) else json_text(value)


def complain(message: str) -> None:
    """Write one line to standard error, quietly where nobody reads it."""
    if sys.stderr is None:
        return  # print() would take standard output instead.
    with suppress(BrokenPipeError):
        print(f"segtool: {escape_controls(message)}", file=sys.stderr, flush=True)


class Output:
    """Where the answers of one command go.

    Attributes
    ----------
    as_json : JSON was asked for, as one value or in lines.
    as_lines : one JSON object on each line was asked for.
    is_terminal : somebody looks at it now, and JSON was not asked for.
    """

    def __init__(
        self, *, as_json: bool = False, as_lines: bool = False, stream: TextIO | None = None
    ) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.as_json = as_json or as_lines
        self.as_lines = as_lines
        self.is_terminal = not self.as_json and self.stream.isatty()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """For terminals: nothing in a text is markup, nothing is colored by its looks."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(file=self.stream, markup=False, emoji=False, highlight=False)
        return self._console

    def line(self, text: str) -> None:
        """Write a line as it stands; the caller escaped what needs it."""
        self.stream.write(text + "\n")

    # JSON: always in ASCII, which no terminal and no encoding can spoil -----------------------

    def answer(self, value: msgspec.Struct | Mapping[str, Any]) -> None:
        """Write the one object that is the whole answer: over several lines, or on one."""
        self.line(struct_json(value, None if self.as_lines else 2))

    def records(
        self,
        columns: Sequence[str],
        items: Iterable[Item],
        row: Callable[[Item], Sequence[Any]],
        *,
        terminal_rows_max: int | None = None,
        empty: str = "none",
    ) -> None:
        """Write a sequence, each item as it comes: in bounded memory but on a terminal.

        JSON is a list, NDJSON an object on each line, of all fields of the items; a pipe and a
        terminal get the cells that `row` makes of one, under the names of the columns.

        terminal_rows_max : on a terminal stop here, and say so.   empty : as in `table`.
        """
        if self.as_lines:
            for item in items:
                self.line(struct_json(item))
        elif self.as_json:
            self.line("[")
            self.items(map(struct_json, items))
            self.line("]")
        elif self.is_terminal and terminal_rows_max is not None:
            rest = iter(items)
            self.table(columns, map(row, islice(rest, terminal_rows_max)), empty)
            if next(rest, None) is not None:
                self.line(f"the first {terminal_rows_max:,}; --limit N shows more")
        else:
            self.table(columns, map(row, items), empty)

    def items(self, texts: Iterable[str]) -> None:
        """Write JSON texts as the items of a list, one on a line, each as it comes."""
        separator = "  "
        for text in texts:
            self.stream.write(separator + text)
            separator = ",\n  "
        if separator != "  ":
            self.stream.write("\n")

    # Text ---------------------------------------------------------------------------------------

    def row(self, cells: Iterable[Any]) -> None:
        """Write one tab-separated row."""
        self.line("\t".join(map(cell_text, cells)))

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "none"
    ) -> None:
        """Write rows: framed under the names of the columns on a terminal, bare in a pipe.

        empty : what a terminal shows where there is no row.

        In a pipe each row is written as it comes; on a terminal all are held.
        """
        if self.is_terminal:
            held = [tuple(row) for row in rows]
            if held:
                self._framed(columns, held)
            elif empty:
                self.line(empty)
            return
        for row in rows:
            self.row(row)

    def _framed(self, columns: Sequence[str], held: Sequence[tuple[Any, ...]]) -> None:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        framed = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        texts = [[_terminal_cell(value) for value in row] for row in held]
        widths = [
            max(map(len, [column, *(row[index] for row in texts)]))
            for index, column in enumerate(columns)
        ]
        whole = _unbroken(widths, self.console.width)
        for index, column in enumerate(columns):
            numeric = {type(row[index]) for row in held} - {type(None)} == {int}
            framed.add_column(
                column,
                overflow="fold",
                no_wrap=index in whole,
                justify="right" if numeric else "left",
            )
        for row in texts:
            framed.add_row(*map(Text, row))
        self.console.print(framed)


def _unbroken(widths: Sequence[int], room: int) -> set[int]:
    """Return which columns need not be broken into lines in a table as wide as `room`.

    The narrow ones first, as long as every other one keeps a readable width.
    """
    whole: set[int] = set()
    room -= sum(min(width, _BROKEN_WIDTH) + _PADDING for width in widths)
    for index in sorted(range(len(widths)), key=lambda index: widths[index]):
        room -= max(widths[index] - _BROKEN_WIDTH, 0)
        if room < 0:
            break
        whole.add(index)
    return whole


def struct_json(value: msgspec.Struct | Mapping[str, Any], indent: int | None = None) -> str:
    """Return a struct, or its fields by name, as JSON in ASCII, times in ISO 8601."""
    import msgspec

    plain = msgspec.to_builtins(value, builtin_types=(datetime,))
    encoder = _ONE_LINE if indent is None else json.JSONEncoder(indent=indent, default=_ISO)
    return encoder.encode(plain)


def _terminal_cell(value: Any) -> str:
    if type(value) is int:
        return f"{value:,}"
    if isinstance(value, datetime) and value.utcoffset() == timedelta(0):
        return value.isoformat(" ", "seconds").removesuffix("+00:00") + "Z"
    return cell_text(value)
