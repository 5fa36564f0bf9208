"""Property maps: JSON-like, kept as one MessagePack map each (SPEC.md, section 9.3).

What is read back equals what was written, types included, so anything that would come back as
something else (a tuple, an enum member, a NumPy scalar) is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lithograph.errors import CorruptionError, InvalidArgumentError

DEPTH_MAX: Final = 64
"""Lists and maps inside each other, the property map itself included."""

SIZE_MAX: Final = 64 * 2**20
"""Bytes: more than this cannot fit a transaction, and is refused before it is encoded."""

EMPTY: Final = b"\x80"

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(type=dict[str, Any]).decode


def encode_properties(properties: Any, what: str = "properties") -> bytes:
    """Return the MessagePack of a map; raise InvalidArgumentError that says where it cannot be."""
    if not isinstance(properties, Mapping):
        raise InvalidArgumentError(f"{what} must be a dict, not {type(properties).__name__}")
    if not properties:
        return EMPTY
    copied = dict(properties)
    _Check(what).map(copied, 1)
    return _encode(copied)


def decode_properties(data: bytes) -> dict[str, Any]:
    """Return a fresh dict; `data` was encoded here or passed `check_encoded`.

    >>> decode_properties(encode_properties({"born": 1815}))
    {'born': 1815}
    """
    return _decode(data) if data != EMPTY else {}


def check_encoded(data: bytes, offset: int) -> bytes:
    """Return bytes read from disk if they are a property map, else raise CorruptionError."""
    if data == EMPTY:
        return EMPTY
    try:
        properties = _decode(data)
        _Check("properties").map(properties, 1)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise CorruptionError(f"not a property map: {error}", offset=offset) from None
    return data


class _Check:
    """Walks one map, each list and map in it once, however often it is shared."""

    def __init__(self, what: str) -> None:
        self._what = what
        # id -> (least encoded size, levels) of a container; None while it is being walked.
        self._known: dict[int, tuple[int, int] | None] = {}

    def map(self, value: dict[Any, Any], depth: int) -> tuple[int, int]:
        """Check a map at `depth`; return the bytes it takes at least, and its levels."""
        size = levels = 0
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidArgumentError(
                    f"{self._what}: keys must be str, {key!r:.60} is {type(key).__name__}"
                )
            if not key.isascii():
                self._unicode(key)
            item_size, item_levels = self._value(item, depth)
            size += len(key) + 1 + item_size
            levels = max(levels, item_levels)
        return self._bounded(size + 1), levels + 1

    def _list(self, value: list[Any], depth: int) -> tuple[int, int]:
        size = levels = 0
        for item in value:
            item_size, item_levels = self._value(item, depth)
            size += item_size
            levels = max(levels, item_levels)
        return self._bounded(size + 1), levels + 1

    def _value(self, value: Any, depth: int) -> tuple[int, int]:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                self._unicode(value)
            return len(value) + 1, 0
        if kind is dict or kind is list:
            return self._container(value, depth + 1)
        if kind is int:
            if not -(2**63) <= value < 2**64:
                raise InvalidArgumentError(
                    f"{self._what}: an integer of {value.bit_length()} bits is outside "
                    "[-2**63, 2**64); store it as a str"
                )
        elif kind is float:
            if not math.isfinite(value):
                raise InvalidArgumentError(
                    f"{self._what}: {value!r} is not a finite number; use None for a missing one"
                )
        elif value is not None and kind is not bool:
            raise InvalidArgumentError(
                f"{self._what}: {kind.__name__} cannot be stored; use None, bool, int, float, "
                "str, list or dict"
            )
        return 1, 0

    def _container(self, value: Any, depth: int) -> tuple[int, int]:
        if id(value) in self._known:
            found = self._known[id(value)]
            if found is None:
                raise InvalidArgumentError(
                    f"{self._what}: a {type(value).__name__} holds itself; "
                    f"the limit is {DEPTH_MAX} levels"
                )
        else:
            self._check_depth(depth)
            self._known[id(value)] = None
            found = self.map(value, depth) if type(value) is dict else self._list(value, depth)
            self._known[id(value)] = found
        self._check_depth(depth + found[1] - 1)
        return found

    def _check_depth(self, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise InvalidArgumentError(f"{self._what}: nested deeper than {DEPTH_MAX} levels")

    def _bounded(self, size: int) -> int:
        if size > SIZE_MAX:
            raise InvalidArgumentError(
                f"{self._what}: takes more than {SIZE_MAX:,} bytes, the most a transaction may hold"
            )
        return size

    def _unicode(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(
                f"{self._what}: a text holds a lone surrogate at character {error.start}: "
                "only valid Unicode can be stored"
            ) from None
