"""Pins: what a process that has the store open may still read (SPEC.md, section 10.1).

A pin counts as long as its process holds the lock on its file, and tells what files and versions
must be kept for it. It is overwritten in place and never synced: no process outlives a power cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError
from lithograph.formats.layout import Buffer, Field, Layout

PIN: Final = Layout(
    "pin",
    Field("generation", "Q", "oldest generation whose files the process may still read"),
    Field("sequence", "Q", "oldest commit that a snapshot of it needs; 2^63 - 1: there is none"),
    Field("process", "Q", "its process number, for messages"),
    Field("reserved", "32s", "zero"),
    Field("checksum", "Q", "XXH64 of the other bytes"),
)
PIN_SIZE: Final = PIN.size
assert PIN_SIZE == 64  # On disk; SPEC.md, section 10.1.

NO_SEQUENCE: Final = 2**63 - 1
"""No snapshot needs an older version of anything."""


@dataclass(frozen=True, slots=True)
class PinState:
    """What one process pins.

    generation : oldest generation whose files it may still read; 0 pins all files.
    sequence : oldest commit that a snapshot needs, NO_SEQUENCE for none; 0 pins all versions.
    process : 0 where it is unknown.
    """

    generation: int
    sequence: int
    process: int

    def encode(self) -> bytes:
        """Return the 64 bytes of the file."""
        checked = PIN.encode(
            generation=self.generation, sequence=self.sequence, process=self.process, checksum=0
        )[:-8]
        return checked + xxhash.xxh64_intdigest(checked).to_bytes(8, "little")

    @classmethod
    def decode(cls, data: Buffer) -> PinState:
        """Read a pin.

        Raises
        ------
        TruncatedError, ChecksumError, CorruptionError : it cannot be read, perhaps only because its
            process is overwriting it: whoever wants to know what is pinned takes it for everything.
        """
        values = PIN.decode(data)
        stored = values.pop("checksum")
        computed = xxhash.xxh64_intdigest(bytes(data[: PIN_SIZE - 8]))
        if stored != computed:
            raise ChecksumError(f"pin: xxh64 {stored:#018x}, computed {computed:#018x}")
        if values["sequence"] > NO_SEQUENCE:
            raise CorruptionError(
                f"pin: a sequence of {values['sequence']}", offset=PIN.offset_of["sequence"]
            )
        return cls(**values)


PINS_EVERYTHING: Final = PinState(0, 0, 0)
"""What a pin that cannot be read is taken for."""
