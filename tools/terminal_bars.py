"""Bars and spans out of block letters, for terminals."""

from __future__ import annotations

import sys
from typing import NamedTuple

from lithograph.tools.output import Escaped


class Letters(NamedTuple):
    """What a bar is drawn with: its first part, its second, and a line that a span lies on."""

    one: str
    two: str
    rest: str


BLOCKS = Letters("█", "░", "·")
PLAIN = Letters("#", "-", ".")


def letters_for(encoding: str | None) -> Letters:
    """Return letters that an encoding has.

    >>> letters_for("utf-8").one, letters_for("ascii").one
    ('█', '#')
    """
    try:
        "".join(BLOCKS).encode(encoding or sys.getdefaultencoding())
    except (UnicodeError, LookupError):
        return PLAIN
    return BLOCKS


def bar(value: float, part: float, largest: float, width: int, letters: Letters) -> Escaped:
    """Return a bar; its end shows which part of the value is the second one.

    What is above 0 is at least one letter long, and so is a part of it where there is room.

    >>> bar(50, 10, 100, 10, PLAIN), bar(0.1, 0, 100, 10, PLAIN), bar(0, 0, 100, 10, PLAIN)
    ('####-', '#', '')
    """
    if value <= 0 or largest <= 0:
        return Escaped("")
    length = max(1, round(width * value / largest))
    second = min(length, max(1, round(length * part / value))) if part > 0 and length > 1 else 0
    return Escaped(letters.one * (length - second) + letters.two * second)


def span(start: float, end: float, width: int, letters: Letters) -> Escaped:
    """Return a line with a span on it, `start` and `end` from 0 to 1; it is one letter at least.

    >>> span(0.5, 1, 10, PLAIN), span(0, 0, 10, PLAIN)
    ('.....#####', '#.........')
    """
    first = min(int(start * width), width - 1)
    last = max(first + 1, min(width, round(end * width)))
    return Escaped(
        letters.rest * first + letters.one * (last - first) + letters.rest * (width - last)
    )
