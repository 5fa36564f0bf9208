"""Columns of the fields of versions, for blocks that are compressed (SPEC.md, section 12.3).

Each column takes the bytes of its field from records, and `join` returns the same bytes, in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor
from lithograph.formats.packed import append_packed, read_packed
from lithograph.formats.varint import append_varint, encode_varint, unzigzag, zigzag

COLUMN_COUNT_MAX: Final = 65_536
"""Integers in one column: no bytes bound their number where all are equal."""

_NO_TIME: Final = 3


class Column(Protocol):
    """The values of one field, one record after the other."""

    def split(self, cursor: Cursor) -> None:
        """Read a value where it stands in a record."""

    def count(self) -> int:
        """Return how many integers the longest column takes."""

    def append(self, out: bytearray) -> Sequence[bytes]:
        """Append the integers; return the texts."""

    @staticmethod
    def join(cursor: Cursor, count: int, texts: Texts) -> Sequence[bytes]:
        """Return `count` values as they stand in records."""


class Texts:
    """The texts of a block, taken from the front; all of them must be."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, size: int) -> bytes:
        start = self._offset
        if size > len(self._data) - start:
            raise TruncatedError(f"{size} bytes of texts, {len(self._data) - start} are left")
        self._offset = start + size
        return self._data[start : start + size]

    def finish(self) -> None:
        left = len(self._data) - self._offset
        if left:
            raise CorruptionError(f"{left} bytes of texts belong to no record")


class Numbers:
    """Codes: one column."""

    def __init__(self) -> None:
        self._values: list[int] = []

    def split(self, cursor: Cursor) -> None:
        self._values.append(cursor.varint())

    def count(self) -> int:
        return len(self._values)

    def append(self, out: bytearray) -> Sequence[bytes]:
        append_packed(out, self._values)
        return []

    @staticmethod
    def join(cursor: Cursor, count: int, texts: Texts) -> Sequence[bytes]:
        return [encode_varint(value) for value in read_packed(cursor, count)]


class Times:
    """Times: a column of units, 3 for none, and one of how many units each is from its commit."""

    def __init__(self) -> None:
        self._units: list[int] = []
        self._distances: list[int] = []

    def split(self, cursor: Cursor) -> None:
        value = cursor.varint()
        if not value:
            self._units.append(_NO_TIME)
            return
        self._units.append(value - 1 & 3)
        self._distances.append(unzigzag(value - 1 >> 2))

    def count(self) -> int:
        return len(self._units)

    def append(self, out: bytearray) -> Sequence[bytes]:
        append_packed(out, self._units)
        if self._distances:
            lowest = min(self._distances)
            append_varint(out, zigzag(lowest))
            append_packed(out, [distance - lowest for distance in self._distances])
        return []

    @staticmethod
    def join(cursor: Cursor, count: int, texts: Texts) -> Sequence[bytes]:
        units = read_packed(cursor, count, 4)
        distance_count = count - units.count(_NO_TIME)
        lowest = unzigzag(cursor.varint()) if distance_count else 0
        distances = iter(read_packed(cursor, distance_count))
        return [
            b"\0" if unit == _NO_TIME else _time(unit, lowest + next(distances)) for unit in units
        ]


def _time(unit: int, distance: int) -> bytes:
    value = zigzag(distance) << 2
    if value >= 2**64 - 4:
        raise CorruptionError(f"a time {distance} units from its commit")
    return encode_varint(1 + value + unit)


class TextLists:
    """Lists of texts: a column of their lengths, and one of the sizes of all texts."""

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._texts: list[bytes] = []

    def split(self, cursor: Cursor) -> None:
        count = cursor.varint()
        self._counts.append(count)
        self._texts += [_take(cursor) for _ in range(count)]

    def count(self) -> int:
        return len(self._texts)

    def append(self, out: bytearray) -> Sequence[bytes]:
        append_packed(out, self._counts)
        append_packed(out, [len(text) for text in self._texts])
        return self._texts

    @staticmethod
    def join(cursor: Cursor, count: int, texts: Texts) -> Sequence[bytes]:
        start = cursor.offset
        counts = read_packed(cursor, count)
        if sum(counts) > COLUMN_COUNT_MAX:
            raise CorruptionError(f"{sum(counts)} texts in a block", offset=start)
        sizes = iter(read_packed(cursor, sum(counts)))
        return [_list(number, sizes, texts) for number in counts]


def _list(count: int, sizes: Iterator[int], texts: Texts) -> bytes:
    out = bytearray()
    append_varint(out, count)
    for _ in range(count):
        out += _sized(next(sizes), texts)
    return bytes(out)


class Maps:
    """Property maps: a column of their sizes."""

    def __init__(self) -> None:
        self._maps: list[bytes] = []

    def split(self, cursor: Cursor) -> None:
        self._maps.append(_take(cursor))

    def count(self) -> int:
        return len(self._maps)

    def append(self, out: bytearray) -> Sequence[bytes]:
        append_packed(out, [len(value) for value in self._maps])
        return self._maps

    @staticmethod
    def join(cursor: Cursor, count: int, texts: Texts) -> Sequence[bytes]:
        return [_sized(size, texts) for size in read_packed(cursor, count)]


COLUMNS: Final[dict[str, type[Column]]] = {
    "u32": Numbers,
    "time": Times,
    "texts": TextLists,
    "map": Maps,
}
"""By the codec of the field."""


def _take(cursor: Cursor) -> bytes:
    """Read a varint size and that many bytes."""
    size = cursor.varint()
    start = cursor.take(size)
    return bytes(cursor.data[start : start + size])


def _sized(size: int, texts: Texts) -> bytes:
    return encode_varint(size) + texts.take(size)
