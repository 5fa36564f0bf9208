"""Fixed-size structures, declared once: encoded, decoded, and described from one list of fields.

Every table of SPEC.md that lists offsets is the `table()` of a `Layout` in this package; a test
compares the two, and `segtool dump` prints files with the same declarations.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lithograph.errors import CorruptionError, TruncatedError

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, its `struct` code (little-endian, unpadded) and what it means.

    Fields whose name starts with "reserved" are written as zeros and refused when they are not.
    """

    name: str
    code: str
    meaning: str

    @property
    def reserved(self) -> bool:
        return self.name.startswith("reserved")


@dataclass(frozen=True, slots=True)
class Described:
    """One field of one file, for humans: where it is, what it holds, what that means."""

    offset: int
    size: int
    name: str
    value: Any
    meaning: str = ""


class Layout:
    """A sequence of fields at fixed offsets.

    Attributes
    ----------
    title : the name under which SPEC.md lists it.
    size : bytes.
    offset_of : field name -> offset in bytes from the start of the structure.

    >>> point = Layout("point", Field("x", "H", "east"), Field("reserved", "2s", "zero"))
    >>> point.encode(x=7)
    b'\\x07\\x00\\x00\\x00'
    >>> point.decode(b"\\x07\\x00\\x00\\x00")
    {'x': 7}
    """

    def __init__(self, title: str, *fields: Field) -> None:
        self.title = title
        self.fields = fields
        self._struct = struct.Struct("<" + "".join(field.code for field in fields))
        self.size = self._struct.size
        self.offset_of: dict[str, int] = {}
        offset = 0
        for field in fields:
            self.offset_of[field.name] = offset
            offset += struct.calcsize("<" + field.code)
        assert offset == self.size
        self._zero = {
            field.name: b"" if field.code.endswith("s") else 0 for field in fields if field.reserved
        }
        # The raw calls, for the few places where a dictionary per structure costs too much.
        self.pack = self._struct.pack
        self.unpack_from = self._struct.unpack_from

    def encode(self, **values: Any) -> bytes:
        """Return the bytes; every field that is not reserved must be given."""
        values |= self._zero
        assert values.keys() == self.offset_of.keys(), values.keys() ^ self.offset_of.keys()
        return self._struct.pack(*(values[field.name] for field in self.fields))

    def decode(self, data: Buffer, offset: int = 0) -> dict[str, Any]:
        """Return field name -> value, without the reserved ones.

        Raises
        ------
        TruncatedError : `data` ends inside the structure.
        CorruptionError : a reserved field is not zero.
        """
        if len(data) - offset < self.size:
            raise TruncatedError(
                f"{self.title} takes {self.size} bytes, {max(len(data) - offset, 0)} are left",
                offset=offset,
            )
        values = dict(zip(self.offset_of, self._struct.unpack_from(data, offset), strict=True))
        for name in self._zero:
            found = values.pop(name)
            if found if isinstance(found, int) else any(found):
                raise CorruptionError(
                    f"{self.title}: reserved bytes are not zero",
                    offset=offset + self.offset_of[name],
                )
        return values

    def describe(self, data: Buffer, offset: int = 0) -> Iterator[Described]:
        """Yield every field as it stands, reserved ones too; checks nothing but the length."""
        for field, value in zip(self.fields, self._struct.unpack_from(data, offset), strict=True):
            start = offset + self.offset_of[field.name]
            size = struct.calcsize("<" + field.code)
            yield Described(start, size, field.name, value, field.meaning)

    def table(self) -> list[tuple[str, str, str, str]]:
        """Return (offset, size, field, meaning) per field, as SPEC.md prints them."""
        return [
            (
                str(self.offset_of[field.name]),
                str(struct.calcsize("<" + field.code)),
                field.name,
                field.meaning,
            )
            for field in self.fields
        ]


def check_zero(data: Buffer, start: int, end: int, what: str) -> None:
    """Raise CorruptionError unless the padding [start, end) holds only zeros."""
    padding = bytes(data[start:end])
    if padding.count(0) != len(padding):
        first = next(index for index, byte in enumerate(padding) if byte)
        raise CorruptionError(f"{what}: padding is not zero", offset=start + first)
