"""What is left of the logs of a damaged store, in the order of the commits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lithograph.catalog.file_numbers import wal_numbers
from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.file_names import wal_name
from lithograph.formats.operations import (
    DefineType,
    DeleteEdge,
    DeleteNode,
    InsertEdge,
    InsertNode,
    Operation,
    UpdateEdge,
    UpdateNode,
)
from lithograph.formats.wal_header import WAL_START, WalHeader
from lithograph.formats.wal_record import ALIGNMENT, RECORD, RECORD_SIZE_MIN, WalRecord, is_room
from lithograph.maintenance.salvage_finding import Findings
from lithograph.maintenance.salvage_version import SalvagedVersion, Step

_EPOCH_OFFSET: Final = RECORD.offset_of["epoch"]


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """One commit of a log: its operations, decoded."""

    sequence: int
    time: int
    operations: list[Operation]

    def versions(self) -> Iterator[SalvagedVersion]:
        """Yield what it made of nodes and edges."""
        for operation in self.operations:
            found = _version_of(self.sequence, self.time, operation)
            if found is not None:
                yield found


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    start: int
    end: int


def salvaged_commits(
    files: Files,
    store_uuid: bytes | None,
    first_log: int,
    promised: dict[int, int],
    findings: Findings,
    *,
    promised_all: bool,
) -> Iterator[LoggedCommit]:
    """Yield the commits that the logs hold, by sequence, each once: as the newest log has it.

    first_log : number of the oldest that counts; 0 where no manifest says.
    promised : bytes of logs that CURRENT says were synced, by file number.
    promised_all : nothing that it promised is lost; else every tail may have been.

    Room and a torn tail of the newest log (SPEC.md, 6.2 and 6.3) are left out, and no loss. Where
    whole records stand behind what cannot be read, they count, although nothing may promise that
    they were synced: they were commits.
    """
    places: dict[int, _Place] = {}
    # The first log is there as long as the manifest is in force, whatever CURRENT says.
    needed = {first_log: WAL_START} if first_log else {}
    _note_missing(files, needed | promised, findings)
    logs = [number for number in wal_numbers(files) if number >= first_log]
    headers = {number: _header(files, number, store_uuid, findings) for number in logs}
    ends = {
        header.previous_number: header.previous_end
        for header in headers.values()
        if header is not None
    }
    for number in logs:
        header = headers[number]
        if header is None and store_uuid is not None and _is_foreign(files, number, store_uuid):
            continue
        synced = promised.get(number, 0) if promised_all else None
        for sequence, place in _scan(files, number, header, ends, synced, findings):
            places[sequence] = place
    for sequence in sorted(places):
        place = places[sequence]
        data = _read(files, place.name, place.start, place.end)
        try:
            record, _, _ = WalRecord.decode(data)
            commit = LoggedCommit(sequence, record.commit_time, record.operations())
        except CorruptionError as error:
            findings.add(error.located(files.path_of(place.name), place.start), "log", 1)
            continue
        yield commit


def _note_missing(files: Files, promised: dict[int, int], findings: Findings) -> None:
    """Note what the manifest and CURRENT promise of logs, and is not there."""
    for number, size in promised.items():
        name = wal_name(number)
        try:
            found = len(_read(files, name, 0, None))
            message = f"{size} bytes of it were synced, {found} are there"
        except CorruptionError as error:
            found, message = 0, error.message
        if found < size:
            findings.add(CorruptionError(message, path=files.path_of(name), offset=found), "log")
            findings.log_size_bytes += size - found


def _scan(
    files: Files,
    number: int,
    header: WalHeader | None,
    ends: dict[int, int],
    synced: int | None,
    findings: Findings,
) -> Iterator[tuple[int, _Place]]:
    """Yield sequence and place of every record of a log that counts, or may.

    synced : bytes of it that were promised; None where nobody knows.
    """
    name = wal_name(number)
    data = _read(files, name, 0, None)
    is_newest = number not in ends
    end = min(len(data), ends.get(number, len(data)))
    epoch = header.epoch if header is not None else None
    offset = WAL_START
    while offset < end:
        try:
            record, _, next_offset = WalRecord.decode(data, offset)
            if epoch is not None and record.epoch != epoch:
                raise CorruptionError("a record of another log", offset=offset)
        except CorruptionError as error:
            start = offset
            offset = _next_record(data, start + ALIGNMENT, end, epoch)
            is_end = is_newest and offset == end and (synced or 0) <= start
            if is_end and (synced is not None or is_room(data[start:end])):
                return  # A torn tail, or room.
            findings.add(error.located(files.path_of(name)), f"log, {offset - start} bytes")
            findings.log_size_bytes += offset - start
            continue
        epoch = record.epoch if epoch is None else epoch
        yield record.sequence, _Place(name, offset, next_offset)
        offset = next_offset


def _next_record(data: bytes, start: int, end: int, epoch: int | None) -> int:
    """Return where the next valid record begins, or the end."""
    budget = 16 * max(len(data), 4096)
    for offset in _candidates(data, start, end, epoch):
        try:
            WalRecord.decode(data, offset)
        except CorruptionError:
            # What looks like a record and is none must not be hashed for ever.
            size = int.from_bytes(data[offset + 48 : offset + 52], "little")
            budget -= size if size <= len(data) - offset else 0
            if budget < 0:
                return end
        else:
            return offset
    return end


def _candidates(data: bytes, start: int, end: int, epoch: int | None) -> Iterator[int]:
    """Yield where records may begin."""
    if epoch is None:
        yield from range(start, end - RECORD_SIZE_MIN + 1, ALIGNMENT)
        return
    pattern = epoch.to_bytes(8, "little")
    found = data.find(pattern, start + _EPOCH_OFFSET, end)
    while found >= 0:
        if (found - _EPOCH_OFFSET) % ALIGNMENT == 0:
            yield found - _EPOCH_OFFSET
        found = data.find(pattern, found + 1, end)


def _header(
    files: Files, number: int, store_uuid: bytes | None, findings: Findings
) -> WalHeader | None:
    name = wal_name(number)
    try:
        return WalHeader.decode(_read(files, name, 0, WAL_START), store_uuid, number)
    except CorruptionError as error:
        findings.add(error.located(files.path_of(name)), "header of a log", 0)
        return None


def _is_foreign(files: Files, number: int, store_uuid: bytes) -> bool:
    """Return whether the header is sound, and that of another store's log."""
    try:
        WalHeader.decode(_read(files, wal_name(number), 0, WAL_START), None, number)
    except CorruptionError:
        return False
    return True


def _read(files: Files, name: str, start: int, end: int | None) -> bytes:
    file = files.open(name)
    try:
        stop = file.size() if end is None else end
        return file.read_at(start, max(0, stop - start))
    finally:
        file.close()


def _version_of(sequence: int, time: int, operation: Operation) -> SalvagedVersion | None:
    match operation:
        case InsertNode(node_id, _, node):
            return SalvagedVersion(sequence, Step.MAKE_NODE, time, time, node_id, None, node, None)
        case UpdateNode(node_id, node):
            return SalvagedVersion(sequence, Step.CHANGE_NODE, time, 0, node_id, None, node, None)
        case DeleteNode(node_id):
            return SalvagedVersion(sequence, Step.END_NODE, time, 0, node_id, None, None, None)
        case InsertEdge(source, target, code, key, edge):
            adjacent = (code, target, key)
            return SalvagedVersion(
                sequence, Step.MAKE_EDGE, time, time, source, adjacent, None, edge
            )
        case UpdateEdge(source, target, code, key, edge):
            adjacent = (code, target, key)
            return SalvagedVersion(
                sequence, Step.CHANGE_EDGE, time, 0, source, adjacent, None, edge
            )
        case DeleteEdge(source, target, code, key):
            adjacent = (code, target, key)
            return SalvagedVersion(sequence, Step.END_EDGE, time, 0, source, adjacent, None, None)
        case DefineType():
            return None
