"""Variable-size values: texts, lists of texts, byte strings, varints (SPEC.md, section 9.1).

Encoders are functions that return bytes; decoding goes through a `Cursor`, which checks every
length against what is left before it reads or allocates.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.layout import Buffer

_U32: Final = struct.Struct("<I")
_I64: Final = struct.Struct("<q")
_U64: Final = struct.Struct("<Q")

encode_u32 = _U32.pack
encode_i64 = _I64.pack

VARINT_SIZE_MAX: Final = 7
"""Seven groups of seven bits: every id (48 bits) fits."""


def encode_blob(data: bytes) -> bytes:
    """Return a u32 size, then the bytes."""
    return _U32.pack(len(data)) + data


def encode_text(text: str) -> bytes:
    """Return a u32 size in bytes, then UTF-8."""
    data = text.encode()
    return _U32.pack(len(data)) + data


def encode_texts(texts: Sequence[str]) -> bytes:
    """Return a u32 count, then each text."""
    pieces = [_U32.pack(len(texts))]
    for text in texts:
        data = text.encode()
        pieces.append(_U32.pack(len(data)))
        pieces.append(data)
    return b"".join(pieces)


def encode_ascending(values: Sequence[int]) -> bytes:
    """Return ascending integers (equal ones allowed) as varints of their differences.

    A varint holds seven bits per byte, lowest first, the top bit set on all but the last byte.

    >>> encode_ascending([5, 5, 300]).hex()
    '0500a702'
    """
    out = bytearray()
    previous = 0
    for value in values:
        delta = value - previous
        assert delta >= 0
        previous = value
        while delta > 0x7F:
            out.append(delta & 0x7F | 0x80)
            delta >>= 7
        out.append(delta)
    return bytes(out)


class Cursor:
    """A place in a buffer, moved forward by reading; never beyond `end`.

    Raises TruncatedError where the bytes end too early and CorruptionError where they cannot be
    what they claim; both carry the offset in the buffer.
    """

    __slots__ = ("data", "end", "offset")

    def __init__(self, data: Buffer, offset: int = 0, end: int | None = None) -> None:
        self.data = data
        self.offset = offset
        self.end = len(data) if end is None else end

    def take(self, size: int) -> int:
        """Return the current offset and move on by `size` bytes."""
        start = self.offset
        if size > self.end - start:
            raise TruncatedError(
                f"{size} bytes are announced, {self.end - start} are left", offset=start
            )
        self.offset = start + size
        return start

    def u8(self) -> int:
        return self.data[self.take(1)]

    def u32(self) -> int:
        value: int = _U32.unpack_from(self.data, self.take(4))[0]
        return value

    def i64(self) -> int:
        value: int = _I64.unpack_from(self.data, self.take(8))[0]
        return value

    def u64(self) -> int:
        value: int = _U64.unpack_from(self.data, self.take(8))[0]
        return value

    def varint(self, value_end: int = 2**64) -> int:
        """Read an integer below `value_end` (see `formats.varint`)."""
        start = self.offset
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift >= 7 * 10:
                raise CorruptionError("a varint is longer than 10 bytes", offset=start)
        if byte == 0 and shift:
            raise CorruptionError("a varint is longer than it needs to be", offset=start)
        if value >= value_end:
            raise CorruptionError(f"{value} is not below {value_end}", offset=start)
        return value

    def blob(self) -> bytes:
        size = self.u32()
        start = self.take(size)
        return bytes(self.data[start : start + size])

    def text(self, size_max: int | None = None) -> str:
        size = self.u32()
        start = self.take(size)
        if size_max is not None and size > size_max:
            raise CorruptionError(f"a text of {size} bytes, the limit is {size_max}", offset=start)
        try:
            return str(self.data[start : start + size], "utf-8")
        except UnicodeDecodeError as error:
            raise CorruptionError(
                f"invalid UTF-8: {error.reason}", offset=start + error.start
            ) from None

    def texts(self, size_max: int | None = None) -> tuple[str, ...]:
        count = self.count(item_size_min=4)
        return tuple([self.text(size_max) for _ in range(count)])

    def count(self, item_size_min: int) -> int:
        """Read a u32 count of items that take at least `item_size_min` bytes each."""
        count = self.u32()
        if count * item_size_min > self.end - self.offset:
            raise TruncatedError(
                f"{count} items are announced, {self.end - self.offset} bytes are left",
                offset=self.offset - 4,
            )
        return count

    def ascending(self, count: int, value_end: int) -> list[int]:
        """Read `count` ascending integers below `value_end` (see `encode_ascending`)."""
        values: list[int] = []
        value = 0
        for _ in range(count):
            start = self.offset
            delta = shift = 0
            while True:
                byte = self.u8()
                delta |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
                if shift >= 7 * VARINT_SIZE_MAX:
                    raise CorruptionError("a varint is longer than 7 bytes", offset=start)
            if byte == 0 and shift > 7:
                raise CorruptionError("a varint is longer than it needs to be", offset=start)
            value += delta
            if value >= value_end:
                raise CorruptionError(f"{value} is not below {value_end}", offset=start)
            values.append(value)
        return values

    def finish(self, what: str) -> None:
        """Raise CorruptionError unless everything was read."""
        if self.offset != self.end:
            raise CorruptionError(
                f"{what}: {self.end - self.offset} bytes too many", offset=self.offset
            )
