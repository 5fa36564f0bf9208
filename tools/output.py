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
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
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
    """Return a cell: names escaped, times in ISO 8601, maps and lists as JSON, None empty."""
    if isinstance(value, str):
        return value if isinstance(value, Escaped) else escape_name(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None:
        return ""
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
    as_json : JSON was asked for; the verb writes one value.
    is_terminal : somebody looks at it now.
    """

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream
        self.as_json = as_json
        self.is_terminal = not as_json and self.stream.isatty()
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """For terminals: nothing in a text is markup, nothing is colored by its looks."""
        if self._console is None:
            self._console = Console(file=self.stream, markup=False, emoji=False, highlight=False)
        return self._console

    def line(self, text: str) -> None:
        """Write a line as it stands; the caller escaped what needs it."""
        self.stream.write(text + "\n")

    def json(self, value: Any) -> None:
        """Write one value as JSON, in ASCII: no terminal and no encoding can spoil it."""
        self.line(json.dumps(value, indent=2))

    def items(self, values: Iterable[Any]) -> None:
        """Write values as the items of a JSON list, one on a line, each as it comes."""
        separator = "  "
        for value in values:
            self.stream.write(separator + json.dumps(value))
            separator = ",\n  "
        self.stream.write("\n")

    def row(self, cells: Iterable[Any]) -> None:
        """Write one tab-separated row."""
        self.line("\t".join(map(cell_text, cells)))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows: framed under the names of the columns on a terminal, bare in a pipe.

        In a pipe each row is written as it comes; on a terminal all are held.
        """
        if not self.is_terminal:
            for row in rows:
                self.row(row)
            return
        framed = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            framed.add_column(column, overflow="fold")
        for row in rows:
            framed.add_row(*(Text(self._cell(value)) for value in row))
        self.console.print(framed)

    def _cell(self, value: Any) -> str:
        return f"{value:,}" if type(value) is int else cell_text(value)
