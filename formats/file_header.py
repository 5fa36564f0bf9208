"""The 64 bytes that every file of a store starts with (SPEC.md, section 3).

Its layout and its checksum are the same in every format version, so that any version can tell a
file that is damaged from one that is merely newer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import xxhash

from lithograph.errors import (
    ChecksumError,
    CorruptionError,
    FormatVersionError,
    TruncatedError,
)
from lithograph.formats.layout import Buffer, Field, Layout

MAGIC: Final = b"\x93LITHO\r\n"
FORMAT_VERSION: Final = 0

HEADER: Final = Layout(
    "file header",
    Field("magic", "8s", "93 4C 49 54 48 4F 0D 0A: tells text-mode damage from the rest"),
    Field("format_version", "H", "0 until lithograph 0.1.0"),
    Field("kind", "H", "1 CURRENT, 2 manifest, 3 WAL, 4 shared.map, 5 run, 6 segment, 7 history"),
    Field("reserved_codec", "B", "zero: will name a compression"),
    Field("reserved_cipher", "B", "zero: will name an encryption"),
    Field("reserved_key", "H", "zero: will name an encryption key"),
    Field("store_uuid", "16s", "the same in every file of a store"),
    Field("file_number", "Q", "the number in the file's name; 0 for CURRENT and shared.map"),
    Field("reserved", "16s", "zero"),
    Field("checksum", "Q", "XXH64 of bytes 0 to 56"),
)
HEADER_SIZE: Final = HEADER.size
assert HEADER_SIZE == 64  # On disk; SPEC.md, section 3.
_CHECKED: Final = HEADER_SIZE - 8


class FileKind(IntEnum):
    """What a file is; on disk (SPEC.md, section 3)."""

    CURRENT = 1
    MANIFEST = 2
    WAL = 3
    SHARED_MAP = 4
    RUN = 5
    SEGMENT = 6
    HISTORY = 7


@dataclass(frozen=True, slots=True)
class FileHeader:
    """Who a file says it is."""

    kind: FileKind
    store_uuid: bytes
    file_number: int = 0

    def encode(self) -> bytes:
        """Return the first 64 bytes of the file."""
        data = HEADER.encode(
            magic=MAGIC,
            format_version=FORMAT_VERSION,
            kind=self.kind,
            store_uuid=self.store_uuid,
            file_number=self.file_number,
            checksum=0,
        )
        checked = data[:_CHECKED]
        return checked + xxhash.xxh64_intdigest(checked).to_bytes(8, "little")

    @classmethod
    def decode(cls, data: Buffer) -> FileHeader:
        """Read the header at the start of `data`.

        Raises
        ------
        TruncatedError, ChecksumError, CorruptionError : not a header, or a damaged one.
        FormatVersionError : sound, but of a version this library does not know.
        """
        if len(data) < HEADER_SIZE:
            raise TruncatedError(f"a file header takes 64 bytes, {len(data)} are there")
        if bytes(data[:8]) != MAGIC:
            raise CorruptionError(f"magic {bytes(data[:8]).hex()}, expected {MAGIC.hex()}")
        stored = int.from_bytes(data[_CHECKED:HEADER_SIZE], "little")
        computed = xxhash.xxh64_intdigest(bytes(data[:_CHECKED]))
        if stored != computed:
            raise ChecksumError(f"file header: xxh64 {stored:#018x}, computed {computed:#018x}")
        version = int.from_bytes(data[8:10], "little")
        if version != FORMAT_VERSION:
            raise FormatVersionError(
                f"format version {version}, this library reads {FORMAT_VERSION}: "
                "open the store with the lithograph release that wrote it, or a newer one"
            )
        values = HEADER.decode(data)
        try:
            kind = FileKind(values["kind"])
        except ValueError:
            raise CorruptionError(f"file kind {values['kind']} is unknown", offset=10) from None
        return cls(kind, values["store_uuid"], values["file_number"])

    def expect(self, kind: FileKind, store_uuid: bytes | None, file_number: int = 0) -> None:
        """Raise CorruptionError unless this header is the one its place in the store asks for.

        `store_uuid` is None where the store's identity is not known yet.
        """
        if self.kind != kind:
            raise CorruptionError(f"file kind {self.kind.name}, expected {kind.name}", offset=10)
        if store_uuid is not None and self.store_uuid != store_uuid:
            raise CorruptionError(
                f"the file belongs to store {self.store_uuid.hex()}, not to {store_uuid.hex()}",
                offset=HEADER.offset_of["store_uuid"],
            )
        if self.file_number != file_number:
            raise CorruptionError(
                f"file number {self.file_number}, expected {file_number}",
                offset=HEADER.offset_of["file_number"],
            )
