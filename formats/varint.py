"""Varints: integers in base 128, and signed ones folded onto them (SPEC.md, section 9.4).

Seven bits per byte, lowest first, the top bit set on all but the last byte; at most ten bytes, and
no longer than needed. `Cursor.varint` reads them.
"""

from __future__ import annotations

from typing import Final

U64_END: Final = 2**64


def encode_varint(value: int) -> bytes:
    """Return the bytes of an integer in [0, 2**64).

    >>> encode_varint(300).hex()
    'ac02'
    """
    out = bytearray()
    append_varint(out, value)
    return bytes(out)


def append_varint(out: bytearray, value: int) -> None:
    """Append an integer in [0, 2**64) to `out`."""
    assert 0 <= value < U64_END
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def zigzag(value: int) -> int:
    """Return a signed 64-bit integer as an unsigned one, small ones staying small.

    >>> [zigzag(value) for value in (0, -1, 1, -2)]
    [0, 1, 2, 3]
    """
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """Return what `zigzag` made `value` of."""
    return value >> 1 if not value & 1 else -((value + 1) >> 1)
