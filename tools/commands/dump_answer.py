"""The shape of what `segtool dump` writes of a file."""

from __future__ import annotations

from typing import Any

import msgspec


class DumpedField(msgspec.Struct, forbid_unknown_fields=True):
    """Some bytes that mean one thing.

    offset, size : in bytes from the start of the file; the size is 0 in a compressed block.
    field : its name.
    value : what it holds: bytes and checksums in hexadecimal, times in ISO 8601.
    meaning : in words, perhaps empty.
    """

    offset: int
    size: int
    field: str
    value: Any
    meaning: str


class DumpedPart(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A structure of the file.

    offset : in bytes from the start of the file.
    title : what it is.
    fields : in the order of the bytes.
    error : what contradicts SPEC.md in it; absent where nothing does.
    """

    offset: int
    title: str
    fields: list[DumpedField]
    error: str | None = None


class DumpedError(msgspec.Struct, forbid_unknown_fields=True):
    """Damage.

    offset : of the first bad byte, from the start of the file.
    message : what was found and what was expected.
    """

    offset: int
    message: str


class DumpedFile(msgspec.Struct, forbid_unknown_fields=True):
    """A file.

    path : as it was opened.
    kind : what it is: "CURRENT", "manifest", "WAL", "shared.map", "run", "segment", "history" or
        "pin".
    size : in bytes.
    parts : its structures, in their order.
    errors : all damage, at most 1,000 of it.
    """

    path: str
    kind: str
    size: int
    parts: list[DumpedPart]
    errors: list[DumpedError]


RECORD_SHAPE = DumpedFile
