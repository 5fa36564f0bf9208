"""The start of a write-ahead log file (SPEC.md, section 6.1).

It says where the log before it ends. What that log holds behind that point was copied here, or
never counted: a reader follows the links, never the directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.file_header import HEADER_SIZE, FileHeader, FileKind
from lithograph.formats.layout import Buffer, Field, Layout
from lithograph.ids import SEQUENCE_END

WAL_HEADER: Final = Layout(
    "WAL header",
    Field("epoch", "Q", "random; every record of this file repeats it"),
    Field("first_sequence", "Q", "of the file's first record"),
    Field("previous_number", "Q", "file number of the WAL before this one; 0: there is none"),
    Field("previous_end", "Q", "where that WAL ends, in bytes: what is behind does not count"),
    Field("chain", "Q", "checksum of the last record before that end; 0: there is none"),
    Field("reserved", "16s", "zero"),
    Field("checksum", "Q", "XXH64 of bytes 64 to 120"),
)
WAL_START: Final = HEADER_SIZE + WAL_HEADER.size
"""Offset of the first record."""

assert WAL_START == 128  # On disk; SPEC.md, section 6.1.


@dataclass(frozen=True, slots=True)
class WalHeader:
    """Which records a log file holds, and what it continues."""

    store_uuid: bytes
    file_number: int
    epoch: int
    first_sequence: int
    previous_number: int
    previous_end: int
    chain: int

    def encode(self) -> bytes:
        """Return the first 128 bytes of the file."""
        body = WAL_HEADER.encode(
            epoch=self.epoch,
            first_sequence=self.first_sequence,
            previous_number=self.previous_number,
            previous_end=self.previous_end,
            chain=self.chain,
            checksum=0,
        )[:-8]
        header = FileHeader(FileKind.WAL, self.store_uuid, self.file_number).encode()
        return header + body + xxhash.xxh64_intdigest(body).to_bytes(8, "little")

    @classmethod
    def decode(cls, data: Buffer, store_uuid: bytes | None, file_number: int) -> WalHeader:
        """Read the header of the WAL that should be number `file_number` of the store.

        Raises
        ------
        CorruptionError, ChecksumError, TruncatedError, FormatVersionError
        """
        header = FileHeader.decode(data)
        header.expect(FileKind.WAL, store_uuid, file_number)
        if len(data) < WAL_START:
            raise TruncatedError(f"a WAL header takes {WAL_START} bytes, {len(data)} are there")
        body = bytes(data[HEADER_SIZE : WAL_START - 8])
        values = WAL_HEADER.decode(data, HEADER_SIZE)
        stored, computed = values.pop("checksum"), xxhash.xxh64_intdigest(body)
        if stored != computed:
            raise ChecksumError(
                f"WAL header: xxh64 {stored:#018x}, computed {computed:#018x}", offset=WAL_START - 8
            )
        found = cls(header.store_uuid, file_number, **values)
        if not 0 < found.first_sequence < SEQUENCE_END:
            raise CorruptionError(
                f"first_sequence {found.first_sequence} is out of range",
                offset=HEADER_SIZE + WAL_HEADER.offset_of["first_sequence"],
            )
        if found.previous_number >= file_number or bool(found.previous_number) != (
            found.previous_end >= WAL_START
        ):
            raise CorruptionError(
                f"WAL {file_number} cannot continue WAL {found.previous_number} "
                f"at {found.previous_end}",
                offset=HEADER_SIZE + WAL_HEADER.offset_of["previous_number"],
            )
        return found
