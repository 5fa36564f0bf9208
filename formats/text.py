"""Names, types, keys and observations: which texts a store holds (SPEC.md, section 9.1).

Texts are kept exactly as given: no case folding, no Unicode normalization. They are compared by
their UTF-8 bytes, which for valid Unicode is the order of Python's `str`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from lithograph.errors import InvalidArgumentError

TEXT_SIZE_MAX: Final = 65_535
"""Bytes of UTF-8 in a name, a type or a key; names have at least one."""


def check_text(text: Any, what: str) -> str:
    """Return `text` if it is a str that UTF-8 can hold; `what` names it in the error."""
    if type(text) is not str:
        raise InvalidArgumentError(f"{what} must be a str, not {type(text).__name__}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(
                f"{what} holds a lone surrogate at character {error.start}: "
                "only valid Unicode can be stored"
            ) from None
    return text


def check_short_text(text: Any, what: str) -> str:
    """Return `text` if it can be a type or a key: at most 65,535 bytes."""
    if type(text) is str and len(text) <= TEXT_SIZE_MAX // 4:
        return text if text.isascii() else check_text(text, what)
    size = len(check_text(text, what).encode())
    if size > TEXT_SIZE_MAX:
        raise InvalidArgumentError(f"{what} takes {size:,} bytes of UTF-8; the limit is 65,535")
    return str(text)


def check_name(name: Any, what: str = "a node name") -> str:
    """Return `name` if it can name a node: 1 to 65,535 bytes."""
    if name == "":
        raise InvalidArgumentError(f"{what} is empty: use 1 to 65,535 bytes of UTF-8")
    return check_short_text(name, what)


def check_texts(texts: Any, what: str) -> tuple[str, ...]:
    """Return an iterable of str as a tuple; a bare str is refused, for it is a likely slip."""
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
        raise InvalidArgumentError(
            f"{what} must be a list of str, not {type(texts).__name__}: write [{texts!r:.40}]"
        )
    return tuple([check_text(text, f"each of {what}") for text in texts])
