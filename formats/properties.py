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

VALUE_COUNT_MAX: Final = 64 * 2**20
"""Each value takes a byte at least, so more than this cannot fit a transaction."""

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
    """Walks one map; keeps the count so that shared sub-lists cannot make the walk explode."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0

    def map(self, value: dict[Any, Any], depth: int) -> None:
        self._enter(len(value), depth)
        for key, item in value.items():
            if type(key) is not str:
                raise InvalidArgumentError(
                    f"{self._what}: keys must be str, {key!r:.60} is {type(key).__name__}"
                )
            if not key.isascii():
                self._unicode(key)
            self._value(item, depth)

    def _value(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                self._unicode(value)
        elif kind is int:
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
        elif kind is dict:
            self.map(value, depth + 1)
        elif kind is list:
            self._enter(len(value), depth + 1)
            for item in value:
                self._value(item, depth + 1)
        elif value is not None and kind is not bool:
            raise InvalidArgumentError(
                f"{self._what}: {kind.__name__} cannot be stored; use None, bool, int, float, "
                "str, list or dict"
            )

    def _enter(self, count: int, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise InvalidArgumentError(f"{self._what}: nested deeper than {DEPTH_MAX} levels")
        self._count += count
        if self._count > VALUE_COUNT_MAX:
            raise InvalidArgumentError(f"{self._what}: more than {VALUE_COUNT_MAX:,} values")

    def _unicode(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(
                f"{self._what}: a text holds a lone surrogate at character {error.start}: "
                "only valid Unicode can be stored"
            ) from None
