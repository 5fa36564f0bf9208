"""WAL records: one commit each (SPEC.md, section 6.2).

A record carries its predecessor's checksum, so that it is valid only behind the very history it was
written behind, and a promise about what was synced before it, so that a torn tail can be told from
damage (section 6.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import xxhash

from lithograph.errors import ChecksumError, CorruptionError, TruncatedError
from lithograph.formats.layout import Buffer, Field, Layout, check_zero
from lithograph.formats.moment import check_moment
from lithograph.formats.operations import Operation, decode_operations, encode_operation
from lithograph.ids import SEQUENCE_END

RECORD: Final = Layout(
    "WAL record head",
    Field("checksum", "Q", "XXH64 of all that follows, to the end of the padding"),
    Field("chain", "Q", "checksum of the record before; in the first, the header's chain"),
    Field("epoch", "Q", "that of the WAL header"),
    Field("sequence", "Q", "of the commit: one more than that of the record before"),
    Field("synced_upto", "Q", "bytes of this file that were synced before this was appended"),
    Field("commit_time", "q", "µs since 1970 UTC; never less than that of the record before"),
    Field("payload_size", "I", "bytes of operations that follow, without the padding"),
    Field("operation_count", "I", "operations in the payload"),
)
RECORD_SIZE_MIN: Final = RECORD.size
ALIGNMENT: Final = 8
assert RECORD_SIZE_MIN == 56  # On disk; SPEC.md, section 6.2.


def encode_record(
    chain: int,
    epoch: int,
    sequence: int,
    synced_upto: int,
    commit_time: int,
    operation_count: int,
    payload: bytes,
) -> bytes:
    """Return a record as it is appended, a multiple of eight bytes; `WalRecord` has the fields."""
    size = len(payload)
    assert 0 < sequence < SEQUENCE_END
    assert size < 2**32
    head = RECORD.pack(0, chain, epoch, sequence, synced_upto, commit_time, size, operation_count)
    checked = b"".join((head[8:], payload, bytes(-size % ALIGNMENT)))
    return xxhash.xxh64_digest(checked)[::-1] + checked


def is_room(data: bytes) -> bool:
    """Return whether bytes behind a log's last record say nothing (SPEC.md, section 6.2)."""
    return data == bytes(len(data))


@dataclass(frozen=True, slots=True)
class WalRecord:
    """One commit as logged: its head; the operations stay in the payload until asked for."""

    chain: int
    epoch: int
    sequence: int
    synced_upto: int
    commit_time: int
    operation_count: int
    payload: bytes

    @classmethod
    def of(
        cls,
        operations: Sequence[Operation],
        *,
        chain: int,
        epoch: int,
        sequence: int,
        synced_upto: int,
        commit_time: int,
    ) -> WalRecord:
        """Return the record of a commit that does `operations`."""
        payload = b"".join([encode_operation(operation) for operation in operations])
        return cls(chain, epoch, sequence, synced_upto, commit_time, len(operations), payload)

    def encode(self) -> bytes:
        """Return the record as it is appended, a multiple of eight bytes."""
        return encode_record(
            self.chain,
            self.epoch,
            self.sequence,
            self.synced_upto,
            self.commit_time,
            self.operation_count,
            self.payload,
        )

    @classmethod
    def decode(cls, data: Buffer, offset: int = 0) -> tuple[WalRecord, int, int]:
        """Read the record at `offset`; return it, its checksum, and the offset of the next one.

        Whether a record that cannot be read is the torn end of the log or damage in its middle
        depends on what follows, so the caller decides (SPEC.md, section 6.3).

        Raises
        ------
        TruncatedError : `data` ends inside the record.
        ChecksumError : the record is complete but its checksum does not match.
        CorruptionError : the checksum matches and the head still contradicts SPEC.md.
        """
        if len(data) - offset < RECORD_SIZE_MIN:
            raise TruncatedError("WAL record head is incomplete", offset=offset)
        checksum, chain, epoch, sequence, synced_upto, commit_time, size, count = (
            RECORD.unpack_from(data, offset)
        )
        start = offset + RECORD_SIZE_MIN
        padded_end = start + size + -size % ALIGNMENT
        if padded_end > len(data):
            raise TruncatedError(f"WAL record announces {size} bytes of payload", offset=offset)
        computed = xxhash.xxh64_intdigest(memoryview(data)[offset + 8 : padded_end])
        if checksum != computed:
            raise ChecksumError(
                f"WAL record: xxh64 {checksum:#018x}, computed {computed:#018x}", offset=offset
            )
        check_zero(data, start + size, padded_end, "WAL record")
        if not 0 < sequence < SEQUENCE_END:
            raise CorruptionError(f"sequence {sequence} is out of range", offset=offset + 24)
        check_moment(commit_time, offset + 40)
        payload = bytes(data[start : start + size])
        record = cls(chain, epoch, sequence, synced_upto, commit_time, count, payload)
        return record, checksum, padded_end

    def operations(self) -> list[Operation]:
        """Return what the commit did.

        Raises
        ------
        CorruptionError : the payload contradicts SPEC.md; offsets count from the payload's start.
        """
        return decode_operations(self.payload, 0, len(self.payload), self.operation_count)
