r"""Markup that cannot be broken out of: every text is escaped where it is put in.

Promises:

1. Whatever a text holds, it is shown, never obeyed: what means something in HTML is escaped, and so
   is what XML forbids or what turns the direction of writing (`escape_controls`).
2. What comes out is well-formed XML as well as HTML.

>>> print(tag("p", "a <b> & c", title='"x"'))
<p title="&quot;x&quot;">a &lt;b&gt; &amp; c</p>
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from lithograph.tools.output import escape_controls

_VOID: Final = frozenset(("br", "meta", "circle", "line", "rect", "path"))
"""Elements that hold nothing."""

_NO_XML: Final = re.compile("[\ufffe\uffff]")


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


Content = str | int
"""What an element holds: markup as it is, all else is escaped."""


def text(value: Content) -> Markup:
    """Return a text as markup."""
    if isinstance(value, Markup):
        return value
    shown = escape_controls(str(value))
    return Markup(html.escape(_NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", shown)))


def tag(name: str, /, *content: Content, **attributes: Content | None) -> Markup:
    """Return an element; an attribute that is None is absent.

    In the names of attributes `_` stands for `-`, and at the end for nothing.
    """
    inside = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{inside} />")
    return Markup(f"<{name}{inside}>{''.join(map(text, content))}</{name}>")


def join(parts: Iterable[Content], between: str = "") -> Markup:
    """Return several parts as one."""
    return Markup(text(between).join(map(text, parts)))


def cut(name: str, size_max: int = 72) -> str:
    """Return a text of at most so many characters, with a sign where some are missing.

    >>> cut("a long name", 6)
    'a lon…'
    """
    return name if len(name) <= size_max else name[: size_max - 1] + "…"


def cut_inside(name: str, size_max: int) -> str:
    """Return a text of at most so many characters, of which the end is seen as well.

    >>> cut_inside("a long name, number 12", 13)
    'a long n…r 12'
    """
    if len(name) <= size_max:
        return name
    tail = size_max // 3
    return f"{name[: size_max - 1 - tail]}…{name[len(name) - tail :]}"
