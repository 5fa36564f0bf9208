"""CURRENT: two checksummed slots, the newer valid one says what the store is (SPEC.md, section 4).

A slot fills a 4 KiB page, so that writing one can tear nothing of the other. Writers overwrite the
slot that is not the newest valid one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.file_header import HEADER, HEADER_SIZE, FileHeader, FileKind
from lithograph.formats.layout import Buffer, Described, Field, Layout, check_zero

SLOT_COUNT: Final = 2
SLOT_SIZE: Final = 4096
CURRENT_SIZE: Final = SLOT_COUNT * SLOT_SIZE

SLOT: Final = Layout(
    "CURRENT slot",
    Field("turn", "Q", "counts the writes of CURRENT; of two valid slots the higher turn wins"),
    Field("generation", "Q", "of the manifest"),
    Field("manifest_number", "Q", "file number of the manifest"),
    Field("manifest_hash", "32s", "BLAKE2b-256 of the whole manifest file"),
    Field("wal_number", "Q", "file number of the newest WAL"),
    Field("wal_synced", "Q", "bytes of that WAL known to be synced when the slot was written"),
)
_BODY_END: Final = HEADER_SIZE + SLOT.size
_CHECKSUM_OFFSET: Final = SLOT_SIZE - 8


@dataclass(frozen=True, slots=True)
class CurrentSlot:
    """What is the store: a manifest, and the newest write-ahead log."""

    store_uuid: bytes
    turn: int
    generation: int
    manifest_number: int
    manifest_hash: bytes
    wal_number: int
    wal_synced: int

    @property
    def index(self) -> int:
        """Which of the two pages this turn is written to."""
        return self.turn % SLOT_COUNT

    def encode(self) -> bytes:
        """Return the 4,096 bytes of the slot."""
        body = FileHeader(FileKind.CURRENT, self.store_uuid).encode() + SLOT.encode(
            turn=self.turn,
            generation=self.generation,
            manifest_number=self.manifest_number,
            manifest_hash=self.manifest_hash,
            wal_number=self.wal_number,
            wal_synced=self.wal_synced,
        )
        checked = body.ljust(_CHECKSUM_OFFSET, b"\0")
        return checked + xxhash.xxh64_intdigest(checked).to_bytes(8, "little")

    @classmethod
    def decode(cls, page: Buffer, index: int) -> CurrentSlot:
        """Read the slot that fills `page`; `index` is the page's place in the file.

        Raises
        ------
        CorruptionError, ChecksumError, TruncatedError, FormatVersionError
        """
        if len(page) < SLOT_SIZE:
            raise TruncatedError(f"a slot takes {SLOT_SIZE} bytes, {len(page)} are there")
        header = FileHeader.decode(page)
        header.expect(FileKind.CURRENT, None)
        stored = int.from_bytes(page[_CHECKSUM_OFFSET:SLOT_SIZE], "little")
        computed = xxhash.xxh64_intdigest(bytes(page[:_CHECKSUM_OFFSET]))
        if stored != computed:
            raise ChecksumError(
                f"CURRENT slot {index}: xxh64 {stored:#018x}, computed {computed:#018x}"
            )
        check_zero(page, _BODY_END, _CHECKSUM_OFFSET, f"CURRENT slot {index}")
        slot = cls(header.store_uuid, **SLOT.decode(page, HEADER_SIZE))
        if slot.index != index:
            raise CorruptionError(f"turn {slot.turn} stands in slot {index}", offset=HEADER_SIZE)
        return slot


def describe_current(data: Buffer) -> Iterator[Described]:
    """Yield the fields of both slots, as far as the bytes reach."""
    for start in range(0, min(len(data), CURRENT_SIZE) - SLOT_SIZE + 1, SLOT_SIZE):
        yield from HEADER.describe(data, start)
        yield from SLOT.describe(data, start + HEADER_SIZE)
        end = start + SLOT_SIZE
        checksum = int.from_bytes(data[end - 8 : end], "little")
        yield Described(end - 8, 8, "checksum", checksum, "XXH64 of the slot's other bytes")
