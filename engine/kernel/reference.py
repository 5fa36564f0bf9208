"""Plain-Python meaning of every kernel function: written to be believed."""

from __future__ import annotations

from typing import Final

import xxhash

from lithograph.formats.layout import Buffer
from lithograph.formats.shared_map import SharedState
from lithograph.formats.wal_record import ALIGNMENT, RECORD, RECORD_SIZE_MIN
from lithograph.formats.wal_record import encode_record as encode_record

xxh64 = xxhash.xxh64_intdigest

_CHECKSUM_SIZE: Final = 8


def encode_slot(
    counter: int,
    session: int,
    generation: int,
    wal_number: int,
    wal_end: int,
    wal_synced: int,
    chain: int,
    last_sequence: int,
    last_commit_time: int,
    flags: int,
    next_file_number: int,
) -> bytes:
    """Return the 128 bytes of a slot of shared.map; `SharedState` says what the numbers are.

    Raises
    ------
    OverflowError : a number does not fit its 64 bits; all but the time are unsigned.
    """
    numbers = (counter, session, generation, wal_number, wal_end, wal_synced, chain, last_sequence)
    for value in (*numbers, flags, next_file_number):
        if not 0 <= value < 2**64:
            raise OverflowError(f"{value} is not an unsigned 64-bit integer")
    if not -(2**63) <= last_commit_time < 2**63:
        raise OverflowError(f"{last_commit_time} is not a signed 64-bit integer")
    return SharedState(*numbers, last_commit_time, flags, next_file_number).encode()


def scan_records(
    data: Buffer, offset: int, epoch: int, sequence: int, chain: int
) -> tuple[list[int], int, int]:
    """Return where the unbroken chain of WAL records that starts at `offset` stands, and its end.

    Parameters
    ----------
    data : bytes of a WAL, or of a part of one.
    offset : of the first record, in bytes.
    epoch : the WAL's.
    sequence : the first record's; each next one has one more.
    chain : checksum of the record before the first.

    Returns
    -------
    The offsets of the records, the offset behind the last one, and the last one's checksum
    (`chain` when there is none). Stops at the first record that is incomplete, damaged, of another
    epoch or sequence, or not chained; says nothing about why.

    Cost: O(bytes). Source: SPEC.md, section 6.2.
    """
    for value in (epoch, sequence, chain):
        if not 0 <= value < 2**64:
            raise OverflowError(f"{value} is not an unsigned 64-bit integer")
    if not 0 <= offset <= len(data):
        raise ValueError(f"offset {offset} is outside the {len(data)} bytes of data")
    view = memoryview(data).cast("B")
    offsets: list[int] = []
    while offset + RECORD_SIZE_MIN <= len(view):
        checksum, found_chain, found_epoch, found_sequence, _, _, size, _ = RECORD.unpack_from(
            view, offset
        )
        end = offset + RECORD_SIZE_MIN + size + -size % ALIGNMENT
        if (
            end > len(view)
            or (found_chain, found_epoch, found_sequence) != (chain, epoch, sequence)
            or xxh64(view[offset + _CHECKSUM_SIZE : end]) != checksum
        ):
            break
        offsets.append(offset)
        offset, chain, sequence = end, checksum, sequence + 1
    return offsets, offset, chain
