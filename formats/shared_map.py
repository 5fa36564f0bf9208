"""shared.map: how far the log is published, for every process to see (SPEC.md, section 8).

A counter that changes with every publication, and two checksummed slots that take turns: the writer
fills the slot that is not in force, then stores the counter. A reader that finds the counter as it
left it has nothing to do.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.layout import Buffer, Field, Layout

COUNTER_OFFSET: Final = HEADER_SIZE
COUNTER_SIZE: Final = 8
SLOTS_OFFSET: Final = 128

SLOT: Final = Layout(
    "shared.map slot",
    Field("counter", "Q", "the value the counter takes when this slot is in force"),
    Field("session", "Q", "random; new whenever a process that was alone rewrote the map"),
    Field("generation", "Q", "of the manifest in force"),
    Field("wal_number", "Q", "file number of the WAL that commits go to"),
    Field("wal_end", "Q", "bytes of it that are published"),
    Field("wal_synced", "Q", "bytes of it that are synced"),
    Field("chain", "Q", "checksum of the last published record"),
    Field("last_sequence", "Q", "of that record"),
    Field("last_commit_time", "q", "of that record, µs since 1970 UTC"),
    Field("flags", "Q", "bit 0: the next writer must start a new WAL before it commits"),
    Field("next_file_number", "Q", "no file of the store has this number or a higher one yet"),
    Field("reserved", "32s", "zero"),
    Field("checksum", "Q", "XXH64 of the slot's other bytes"),
)
SLOT_SIZE: Final = SLOT.size
SHARED_MAP_SIZE: Final = SLOTS_OFFSET + 2 * SLOT_SIZE
assert SLOT_SIZE == 128  # SPEC.md, section 8: two cache lines.
assert SHARED_MAP_SIZE == 384

FLAG_SWITCH_WAL: Final = 1


class SharedState(NamedTuple):
    """What is published: readers serve exactly this."""

    counter: int
    session: int
    generation: int
    wal_number: int
    wal_end: int
    wal_synced: int
    chain: int
    last_sequence: int
    last_commit_time: int
    flags: int = 0
    next_file_number: int = 1

    @property
    def offset(self) -> int:
        """Where in the file this state's slot stands."""
        return SLOTS_OFFSET + self.counter % 2 * SLOT_SIZE

    def encode(self) -> bytes:
        """Return the 128 bytes of the slot."""
        checked = SLOT.pack(*self, b"", 0)[:-8]
        return checked + xxhash.xxh64_digest(checked)[::-1]

    @classmethod
    def decode(cls, data: Buffer) -> SharedState:
        """Read the state in force from a whole map.

        Raises
        ------
        TruncatedError, ChecksumError, CorruptionError : the slot that the counter names cannot be
            read. While a writer is at work this can be a passing sight: read again.
        """
        if len(data) < SHARED_MAP_SIZE:
            raise TruncatedError(f"shared.map takes {SHARED_MAP_SIZE} bytes, {len(data)} are there")
        counter = int.from_bytes(data[COUNTER_OFFSET : COUNTER_OFFSET + COUNTER_SIZE], "little")
        offset = SLOTS_OFFSET + counter % 2 * SLOT_SIZE
        values = SLOT.decode(data, offset)
        stored = values.pop("checksum")
        computed = xxhash.xxh64_intdigest(bytes(data[offset : offset + SLOT_SIZE - 8]))
        if stored != computed:
            raise ChecksumError(
                f"shared.map slot: xxh64 {stored:#018x}, computed {computed:#018x}", offset=offset
            )
        state = cls(**values)
        if state.counter != counter:
            raise CorruptionError(
                f"the counter is {counter}, its slot says {state.counter}", offset=COUNTER_OFFSET
            )
        return state
