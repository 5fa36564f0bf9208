"""Fields that are there only when a flag says so, declared once (SPEC.md, section 7).

A structure with optional fields has 16 flag bits; bit n set means that field n is present. Present
fields follow each other in the order of their bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor, encode_blob, encode_i64, encode_texts, encode_u32
from lithograph.formats.layout import Described
from lithograph.formats.moment import check_moment
from lithograph.formats.properties import check_encoded, decode_properties

NO_MOMENT: Final = -(2**63)
"""In place of a time: there is none (a bound is open, or `created_at` is back to its default)."""


def _read_moment(cursor: Cursor) -> int:
    start = cursor.offset
    moment = cursor.i64()
    return moment if moment == NO_MOMENT else check_moment(moment, start)


def _read_map(cursor: Cursor) -> bytes:
    start = cursor.offset + 4
    return check_encoded(cursor.blob(), start)


@dataclass(frozen=True, slots=True)
class Codec:
    """How one kind of optional value is written, read and shown."""

    encode: Callable[[Any], bytes]
    decode: Callable[[Cursor], Any]
    show: Callable[[Any], Any] = lambda value: value


CODECS: Final = {
    "u32": Codec(encode_u32, Cursor.u32),
    "time": Codec(encode_i64, _read_moment),
    "texts": Codec(encode_texts, Cursor.texts),
    "map": Codec(encode_blob, _read_map, decode_properties),
}


@dataclass(frozen=True, slots=True)
class OptionalField:
    """One field: its name, the codec that writes it, and what its presence means."""

    name: str
    codec: str
    meaning: str


class OptionalFields:
    """A list of optional fields; a value of None is an absent field."""

    def __init__(self, title: str, *fields: OptionalField) -> None:
        assert len(fields) <= 16
        self.title = title
        self.fields = fields
        self._encoders = tuple(
            (1 << bit, CODECS[field.codec].encode) for bit, field in enumerate(fields)
        )
        self._decoders = tuple(
            (1 << bit, CODECS[field.codec].decode) for bit, field in enumerate(fields)
        )

    def encode(self, values: Sequence[Any]) -> tuple[int, bytes]:
        """Return the flags and the bytes of the fields that are not None."""
        flags = 0
        pieces = []
        for value, (flag, encode) in zip(values, self._encoders, strict=True):
            if value is not None:
                flags |= flag
                pieces.append(encode(value))
        return flags, b"".join(pieces)

    def decode(self, cursor: Cursor, flags: int) -> list[Any]:
        """Read the fields that `flags` announces; None for the others."""
        if flags >> len(self._decoders):
            raise CorruptionError(
                f"{self.title}: flags {flags:#06x} are unknown", offset=cursor.offset
            )
        return [decode(cursor) if flags & flag else None for flag, decode in self._decoders]

    def describe(self, cursor: Cursor, flags: int) -> Iterator[Described]:
        """Yield the fields that are present."""
        for field, (flag, decode) in zip(self.fields, self._decoders, strict=True):
            if flags & flag:
                start = cursor.offset
                value = CODECS[field.codec].show(decode(cursor))
                yield Described(start, cursor.offset - start, field.name, value, field.meaning)

    def table(self) -> list[tuple[str, str, str, str]]:
        """Return (bit, field, codec, meaning) per field, as SPEC.md prints them."""
        return [
            (str(bit), field.name, field.codec, field.meaning)
            for bit, field in enumerate(self.fields)
        ]
