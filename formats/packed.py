"""Packed integers: many of about the same size, each in as few bits as the largest needs (SPEC.md,
section 9.5).

The commits of 256 edges that came in any order take 9 bits each in W, as varints 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.varint import U64_END, append_varint

WIDTH_MAX: Final = 64


def append_packed(out: bytearray, values: Sequence[int]) -> None:
    """Append integers in [0, 2**64): the lowest, a width, and bits; nothing if there are none.

    >>> out = bytearray()
    >>> append_packed(out, [7, 8, 10])
    >>> out.hex()
    '070234'
    """
    if not values:
        return
    lowest = min(values)
    width = (max(values) - lowest).bit_length()
    append_varint(out, lowest)
    out.append(width)
    bits = 0
    for value in reversed(values):
        bits = bits << width | (value - lowest)
    out += bits.to_bytes(_size(len(values), width), "little")


def read_packed(cursor: Cursor, count: int, value_end: int = U64_END) -> list[int]:
    """Read `count` integers below `value_end`.

    count : bounded by the caller: where all are equal, the bytes do not bound it.

    Raises
    ------
    CorruptionError, TruncatedError : also where fewer bits would have done, so that there is one
        way to write the same integers.
    """
    if not count:
        return []
    start = cursor.offset
    lowest = cursor.varint()
    width = cursor.u8()
    if width > WIDTH_MAX:
        raise CorruptionError(f"integers of {width} bits", offset=start)
    size = _size(count, width)
    at = cursor.take(size)
    bits = int.from_bytes(cursor.data[at : at + size], "little")
    if bits >> count * width:
        raise CorruptionError("bits behind the last integer are not zero", offset=at)
    if not width:
        values = [lowest] * count
    else:
        mask = (1 << width) - 1
        values = [lowest + (bits >> shift & mask) for shift in range(0, count * width, width)]
        if min(values) != lowest or (max(values) - lowest).bit_length() != width:
            raise CorruptionError(f"{width} bits per integer are not what they need", offset=start)
    if max(values) >= value_end:
        raise CorruptionError(f"{max(values)} is not below {value_end}", offset=start)
    return values


def _size(count: int, width: int) -> int:
    """Return the bytes that so many integers take."""
    return (count * width + 7) // 8
