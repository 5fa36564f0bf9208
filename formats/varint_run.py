"""Runs of varints: many at once, faster than one by one (SPEC.md, section 9.4)."""

from __future__ import annotations

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor


def read_varints(cursor: Cursor, count: int, value_end: int = 2**64) -> list[int]:
    """Read `count` integers below `value_end`; accepts and refuses what `Cursor.varint` does.

    Cost: O(bytes); a run of which each takes one byte is not even looped over.
    """
    start, end = cursor.offset, cursor.end
    if count > end - start:
        raise TruncatedError(
            f"{count} varints are expected, {end - start} bytes are left", offset=start
        )
    data = cursor.data
    plain = bytes(data[start : start + count])
    if plain.isascii():
        values = list(plain)
        cursor.offset = start + count
    else:
        values = []
        append = values.append
        offset = start
        for _ in range(count):
            if offset >= end:
                raise TruncatedError("varints end too early", offset=offset)
            first = data[offset]
            if first < 0x80:
                append(first)
                offset += 1
            elif offset + 1 < end and 0 < data[offset + 1] < 0x80:
                append(first & 0x7F | data[offset + 1] << 7)
                offset += 2
            else:
                cursor.offset = offset
                append(cursor.varint())
                offset = cursor.offset
        cursor.offset = offset
    if values and max(values) >= value_end:
        raise CorruptionError(f"{max(values)} is not below {value_end}", offset=start)
    return values
