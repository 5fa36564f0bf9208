"""Edges as lines of a text: two columns or three. The plain twin of the kernel's `put_lines`.

Columns stand between runs of spaces and tabs, or between single delimiters; a line that begins with
"#" or "%" is a comment, as are empty ones. A return before the newline does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from lithograph.errors import InvalidArgumentError
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.kernel import memory

if TYPE_CHECKING:
    from lithograph.kernel._memory import Draft

_COLUMNS_MAX: Final = 3
_COMMENTS: Final = (b"#", b"%")


class Reason(IntEnum):
    """Why a line says no edge; the kernel has the same numbers."""

    ONE_COLUMN = 1
    MANY_COLUMNS = 2
    EMPTY_NAME = 3
    TOO_LONG = 4
    NOT_UTF8 = 5

    @property
    def text(self) -> str:
        """Return the reason in words: what was found, and what was expected."""
        return _TEXTS[self]


_TEXTS: Final = {
    Reason.ONE_COLUMN: "one column; a source, a target and perhaps a type are wanted",
    Reason.MANY_COLUMNS: "four columns or more; a source, a target and perhaps a type are wanted",
    Reason.EMPTY_NAME: "the name of the source or the target is empty",
    Reason.TOO_LONG: f"a name or type takes more than {TEXT_SIZE_MAX:,} bytes",
    Reason.NOT_UTF8: "a name or type is not UTF-8",
}


class RefusedLine(NamedTuple):
    """A line that says no edge: where it is in the text, in bytes."""

    offset: int
    size: int
    reason: Reason


class LinesTaken(NamedTuple):
    """What became of the first `size` bytes of a text.

    line_count : lines in them.   edge_count : those that say an edge, repeated ones too.
    """

    size: int
    line_count: int
    edge_count: int
    refused: list[RefusedLine]


def check_delimiter(delimiter: str | None) -> int:
    """Return the delimiter's byte, -1 for None.

    Raises
    ------
    InvalidArgumentError : it is no single ASCII character, or one that lines need.
    """
    if delimiter is None:
        return -1
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in "\r\n":
        raise InvalidArgumentError(
            f"delimiter={delimiter!r}: use one ASCII character that ends no line, "
            "or None for spaces and tabs"
        )
    return ord(delimiter)


def put_lines(
    draft: Draft | None, text: bytes, delimiter: int, default_type: str, line_count_max: int
) -> LinesTaken:
    """Put edges into a draft of the kernel, or, where it is None, only look; see `take_lines`."""
    if memory is None:
        assert draft is None
        return take_lines(_nothing, text, delimiter, default_type, line_count_max)
    size, lines, edges, refused = memory.put_lines(
        draft, text, delimiter, default_type, line_count_max
    )
    return LinesTaken(
        size, lines, edges, [RefusedLine(at, taken, Reason(why)) for at, taken, why in refused]
    )


def _nothing(source: str, type_name: str, target: str) -> None:
    """Only looking."""


def take_lines(
    put: Callable[[str, str, str], None],
    text: bytes,
    delimiter: int,
    default_type: str,
    line_count_max: int,
) -> LinesTaken:
    """Call `put(source, type, target)` for each line of `text` that says an edge, in order.

    delimiter : see `check_delimiter`.   line_count_max : lines after which this stops.
    """
    at = line_count = edge_count = 0
    refused: list[RefusedLine] = []
    while at < len(text) and line_count < line_count_max:
        end = text.find(b"\n", at)
        after = end + 1
        if end < 0:
            end = after = len(text)
        line = text[at:end].removesuffix(b"\r")
        edge = _edge_of(line, delimiter)
        if isinstance(edge, Reason):
            refused.append(RefusedLine(at, len(line), edge))
        elif edge is not None:
            source, target, type_name = edge
            put(source, type_name or default_type, target)
            edge_count += 1
        line_count += 1
        at = after
    return LinesTaken(at, line_count, edge_count, refused)


def _edge_of(line: bytes, delimiter: int) -> tuple[str, str, str] | Reason | None:
    """Return source, target and type, which may be empty; None for what needs no edge."""
    if delimiter < 0:
        columns = [column for column in line.replace(b"\t", b" ").split(b" ") if column]
    else:
        columns = line.split(bytes([delimiter])) if line else []
    if not columns or columns[0].startswith(_COMMENTS):
        return None
    if len(columns) < 2:
        return Reason.ONE_COLUMN
    if len(columns) > _COLUMNS_MAX:
        return Reason.MANY_COLUMNS
    texts = []
    for place, column in enumerate(columns):
        if place < 2 and not column:
            return Reason.EMPTY_NAME
        if len(column) > TEXT_SIZE_MAX:
            return Reason.TOO_LONG
        try:
            texts.append(column.decode())
        except UnicodeDecodeError:
            return Reason.NOT_UTF8
    return texts[0], texts[1], texts[2] if len(texts) > 2 else ""
