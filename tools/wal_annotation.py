"""What a write-ahead log says: its header, every record, every operation (SPEC.md, section 6).

A record that cannot be read is followed by the next sound one, wherever that is. One record is held
at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from lithograph.errors import CorruptionError, FormatVersionError, TruncatedError
from lithograph.formats.file_header import HEADER, HEADER_SIZE
from lithograph.formats.layout import Described
from lithograph.formats.moment import decode_moment
from lithograph.formats.operations import (
    HEAD,
    OperationKind,
    decode_operations,
    describe_operation,
)
from lithograph.formats.wal_header import WAL_HEADER, WAL_START, WalHeader
from lithograph.formats.wal_record import (
    ALIGNMENT,
    RECORD,
    RECORD_SIZE_MIN,
    WalRecord,
    is_room,
)
from lithograph.tools.annotation import Damage, Note, Part, damage, fitting
from lithograph.tools.regular_file import RegularFile
from lithograph.tools.sealed_annotation import Selection

RECORD_SIZE_MAX: Final = 2**28
"""Larger records are not read: a commit is 64 MiB at most, but for the deletion of a huge hub."""

_WINDOW_SIZE: Final = 2**20
_HASHED_SHARE_MAX: Final = 16
"""The search for the next sound record hashes this many times the size of the log at most."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the next record must continue; None behind damage, where anything sound will do."""

    sequence: int | None
    chain: int | None


def annotate_wal(file: RegularFile, selection: Selection) -> Iterator[Note]:
    """Yield the headers, every record's head and operations, and what is damaged.

    Of a commit that is not selected only damage is told.
    """
    data = file.read_at(0, WAL_START)
    yield Part(0, "file header")
    yield from fitting(HEADER, data)
    yield Part(HEADER_SIZE, "WAL header")
    yield from fitting(WAL_HEADER, data, HEADER_SIZE)
    number = HEADER.offset_of["file_number"]
    expected = _Expected(None, None)
    try:
        header = WalHeader.decode(data, None, int.from_bytes(data[number : number + 8], "little"))
        expected = _Expected(header.first_sequence, header.chain)
    except FormatVersionError as error:
        yield damage(error)
        return
    except CorruptionError as error:
        yield damage(error)
        if len(data) < WAL_START:
            return
    epoch = WAL_HEADER.describe(data, HEADER_SIZE)
    yield from _records(file, next(epoch).value, expected, selection.sequence)


def _records(
    file: RegularFile, epoch: int, expected: _Expected, wanted: int | None
) -> Iterator[Note]:
    offset = WAL_START
    is_found = wanted is None
    budget = _Budget(file.size * _HASHED_SHARE_MAX)
    # Invariant: what is before `offset` has been annotated.
    while offset < file.size:
        try:
            record, checksum, end = _read_record(file, offset)
        except CorruptionError as error:
            if _is_room(file, offset):
                yield Described(offset, file.size - offset, "room", None, "zeros written ahead")
                break
            following = _find_record(file, offset + 1, epoch, budget)
            yield from _unreadable(file, offset, error, following)
            if following is None:
                return
            offset, expected = following[0], _Expected(None, None)
            continue
        misplaced = list(_check_place(record, offset, epoch, expected))
        if misplaced or wanted in (None, record.sequence):
            is_found = True
            yield from _record(file, record, offset, end, misplaced)
        offset, expected = end, _Expected(record.sequence + 1, checksum)
    if not is_found:
        yield Part(file.size, f"there is no commit {wanted} in this log")


def _record(
    file: RegularFile, record: WalRecord, offset: int, end: int, misplaced: list[Damage]
) -> Iterator[Note]:
    """Yield a record that is sound by itself."""
    time = decode_moment(record.commit_time).isoformat()
    yield Part(
        offset,
        f"record: commit {record.sequence} at {time}, {end - offset} bytes, "
        f"{record.operation_count} operations",
    )
    yield from fitting(RECORD, file.read_at(offset, RECORD_SIZE_MIN), 0, offset)
    yield from misplaced
    yield from _operations(record, offset + RECORD_SIZE_MIN)


def _operations(record: WalRecord, base: int) -> Iterator[Note]:
    """Yield the operations of a record whose checksum holds; `base` is its payload's offset."""
    payload, count, offset = record.payload, record.operation_count, 0
    for number in range(1, count + 1):
        try:
            if len(payload) - offset < HEAD.size:
                raise TruncatedError(f"operation {number} of {count} is missing", offset=offset)
            kind, _, _, size, _ = HEAD.unpack_from(payload, offset)
            end = min(offset + max(size, HEAD.size), len(payload))
            decode_operations(payload, offset, end, 1)
        except CorruptionError as error:
            yield from fitting(HEAD, payload, offset, base)
            yield damage(error, base)
            return
        verb = OperationKind(kind).name.lower().replace("_", " ")
        yield Part(base + offset, f"operation {number} of {count}: {verb}")
        for field in describe_operation(payload, offset):
            yield replace(field, offset=base + field.offset)
        offset = end
    if offset != len(payload):
        left = len(payload) - offset
        yield damage(CorruptionError(f"{left} bytes too many", offset=offset), base)


def _check_place(
    record: WalRecord, offset: int, epoch: int, expected: _Expected
) -> Iterator[Damage]:
    """Yield damage unless the record, sound by itself, continues the one before it."""
    for name, found, wanted in (
        ("epoch", record.epoch, epoch),
        ("sequence", record.sequence, expected.sequence),
        ("chain", record.chain, expected.chain),
    ):
        if wanted is not None and found != wanted:
            where = RECORD.offset_of[name]
            error = CorruptionError(f"{name} {found:#x}, expected {wanted:#x}", offset=where)
            yield damage(error, offset)
            return


def _unreadable(
    file: RegularFile,
    offset: int,
    error: CorruptionError,
    following: tuple[int, WalRecord] | None,
) -> Iterator[Note]:
    """Yield what stands where a record should, and whether something promises it was synced."""
    yield Part(offset, "bytes that are no sound record")
    yield from fitting(RECORD, file.read_at(offset, RECORD_SIZE_MIN), 0, offset)
    if following is None:
        size = file.size - offset
        message = (
            f"{error.message}; nothing sound in the {size} bytes behind says that they were "
            "synced: a torn tail, unless CURRENT or a newer WAL says so"
        )
    else:
        start, record = following
        promised = record.synced_upto > offset
        says = "says that this was synced: it is damage" if promised else "follows"
        message = f"{error.message}; commit {record.sequence} at {start} {says}"
    yield Damage(offset + error.offset, message, error)
    if following is not None:
        yield Described(offset, following[0] - offset, "skipped", None, "up to the next record")


def _is_room(file: RegularFile, offset: int) -> bool:
    """Return whether nothing but zeros stands from `offset` to the file's end."""
    return all(
        is_room(file.read_at(start, _WINDOW_SIZE))
        for start in range(offset, file.size, _WINDOW_SIZE)
    )


def _read_record(file: RegularFile, offset: int) -> tuple[WalRecord, int, int]:
    """Return the record at `offset`, its checksum, and the offset behind it."""
    head = file.read_at(offset, RECORD_SIZE_MIN)
    size = RECORD_SIZE_MIN
    if len(head) == RECORD_SIZE_MIN:
        payload_size: int = RECORD.unpack_from(head)[6]
        size += payload_size + -payload_size % ALIGNMENT
    if size > RECORD_SIZE_MAX and offset + size <= file.size:
        raise CorruptionError(f"a record of {size} bytes, {RECORD_SIZE_MAX} at most are read")
    data = file.read_at(offset, size) if offset + size <= file.size else head
    record, checksum, end = WalRecord.decode(data)
    return record, checksum, offset + end


@dataclass(slots=True)
class _Budget:
    """Bytes that may still be hashed in the search for sound records."""

    left: int


def _find_record(
    file: RegularFile, start: int, epoch: int, budget: _Budget
) -> tuple[int, WalRecord] | None:
    """Return the first sound record of this log at or behind `start`; None if there is none."""
    pattern = epoch.to_bytes(8, "little")
    where = RECORD.offset_of["epoch"]
    start += -start % ALIGNMENT
    while start < file.size:
        # Windows overlap by all but one byte of the pattern, so that no match falls between.
        window = file.read_at(start + where, _WINDOW_SIZE + len(pattern) - 1)
        found = window.find(pattern)
        while found >= 0:
            candidate = start + found
            if found % ALIGNMENT == 0 and budget.left > 0:
                try:
                    record, _, end = _read_record(file, candidate)
                except TruncatedError:
                    pass  # Nothing was hashed.
                except CorruptionError:
                    head = file.read_at(candidate, RECORD_SIZE_MIN)
                    budget.left -= RECORD.unpack_from(head)[6]
                else:
                    budget.left -= end - candidate
                    return candidate, record
            found = window.find(pattern, found + 1)
        start += _WINDOW_SIZE
    return None
