"""Following the log: opening, catching up and recovering are this one mechanism.

Apply the records after the sequence I have, from the log I am in to the newest one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.manifest import Manifest
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
from lithograph.formats.wal_record import RECORD_SIZE_MIN, WalRecord
from lithograph.write.commit import Commit
from lithograph.write.log_chain import LogChain
from lithograph.write.memtable import Memtable
from lithograph.write.tail import promise_behind
from lithograph.write.wal_file import LoggedRecord, LogPosition, WalFile

ApplyRecord = Callable[[WalRecord], None]


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where the newest log stops.

    position : behind the last record that counts.
    synced : bytes of the newest log that something promises were synced.
    unsynced : position of the first record that nothing promises was synced, or `position`.
    copies : the records from there on.
    tail_size : bytes behind `position` that do not count, without the zeros at their end.
    """

    position: LogPosition
    synced: int
    unsynced: LogPosition
    copies: tuple[WalRecord, ...]
    tail_size: int


def follow(
    chain: LogChain,
    position: LogPosition,
    end: int | None,
    apply: ApplyRecord,
    promised: int = 0,
) -> LogEnd:
    """Apply every record of `chain` behind `position`, which is in its first log.

    end : bytes of the newest log that must be readable (they are published); None finds the end by
        the tail rule, for a process that is alone.
    promised : bytes of the newest log that something outside it says were synced.

    Raises
    ------
    CorruptionError : a record that counts cannot be read.
    """
    applied = position
    records: list[LoggedRecord] = []
    rest = b""
    start = position
    for log, successor in chain.walk():
        limit = successor.previous_end if successor else end
        start = _start(log, applied)
        if start.sequence > applied.sequence:
            raise CorruptionError(
                f"WAL {log.number} begins behind commit {start.sequence}, "
                f"the store holds commits up to {applied.sequence}",
                path=log.path,
                offset=HEADER_SIZE,
            )
        if successor is not None and start.offset > successor.previous_end:
            # This log was cut here by a successor that holds copies of what is behind.
            continue
        records, rest = log.read(start, limit)
        for logged in records:
            if logged.record.sequence > applied.sequence:
                _apply(log, logged, applied, apply)
                applied = _behind(log, logged)
        reached = records[-1].end if records else start.offset
        if limit is not None and reached != limit:
            raise log.why_unreadable(rest, reached)
        if successor is not None:
            reached_position = _behind(log, records[-1]) if records else start
            _check_link(log, successor, applied, reached_position)
    newest = chain.take()
    final = _behind(newest, records[-1]) if records else start
    if final.sequence < applied.sequence:
        raise CorruptionError(
            f"the log ends with commit {final.sequence}, "
            f"commit {applied.sequence} was in it before",
            path=newest.path,
            offset=final.offset,
        )
    if end is not None:
        return LogEnd(final, end, final, (), 0)
    return _judge_tail(newest, start, records, rest, promised)


def before_log(manifest: Manifest) -> LogPosition:
    """Return the position from which the logs are followed: in none of them yet."""
    return LogPosition(0, 0, 0, manifest.last_sequence, manifest.last_commit_time)


def _start(log: WalFile, applied: LogPosition) -> LogPosition:
    """Return where to read `log` from: behind what was applied, or its beginning."""
    if applied.wal_number == log.number:
        return applied
    header = log.header
    return LogPosition(
        log.number, WAL_START, header.chain, header.first_sequence - 1, applied.commit_time
    )


def _behind(log: WalFile, logged: LoggedRecord) -> LogPosition:
    return LogPosition(
        log.number,
        logged.end,
        logged.checksum,
        logged.record.sequence,
        logged.record.commit_time,
    )


def _apply(log: WalFile, logged: LoggedRecord, applied: LogPosition, apply: ApplyRecord) -> None:
    record = logged.record
    if record.sequence != applied.sequence + 1 or record.commit_time < applied.commit_time:
        raise CorruptionError(
            f"commit {record.sequence} at {record.commit_time} µs follows commit "
            f"{applied.sequence} at {applied.commit_time} µs",
            path=log.path,
            offset=logged.offset,
        )
    try:
        apply(record)
    except CorruptionError as error:
        raise error.located(log.path, logged.offset + RECORD_SIZE_MIN) from None


def _check_link(log: WalFile, successor: WalHeader, applied: LogPosition, end: LogPosition) -> None:
    """Raise CorruptionError unless `successor` continues `log`, which was read up to `end`."""
    if (successor.first_sequence, successor.chain) != (end.sequence + 1, end.chain):
        raise CorruptionError(
            f"WAL {successor.file_number} does not continue what ends here",
            path=log.path,
            offset=end.offset,
        )
    assert applied.sequence >= end.sequence


def _judge_tail(
    log: WalFile,
    start: LogPosition,
    records: Sequence[LoggedRecord],
    rest: bytes,
    promised: int,
) -> LogEnd:
    """Apply the tail rule to what is behind the last of `records`."""
    final = _behind(log, records[-1]) if records else start
    synced = max([start.offset, promised, *(logged.record.synced_upto for logged in records)])
    promised = synced
    tail_size = len(rest.rstrip(b"\0"))
    if tail_size:
        try:
            promised = max(synced, promise_behind(rest, log.header.epoch))
        except CorruptionError as error:
            raise error.located(log.path, final.offset) from None
    if promised > final.offset:
        raise log.why_unreadable(rest, final.offset)
    unsynced = start
    copies = []
    for logged in records:
        if logged.end <= synced:
            unsynced = _behind(log, logged)
        else:
            copies.append(logged.record)
    return LogEnd(final, synced, unsynced, tuple(copies), tail_size)


def apply_to(memtable: Memtable) -> ApplyRecord:
    """Return the function that decodes a record, checks it against the memtable and applies it."""

    def apply(record: WalRecord) -> None:
        if record.sequence <= memtable.commits.last_sequence:
            # This process wrote it, and failed or was interrupted before it could publish it.
            return
        operations = None
        if not memtable.is_sound(record.payload, record.operation_count):
            operations = record.operations()
            _check_operations(operations, memtable)
        memtable.apply(
            Commit(
                record.sequence,
                record.commit_time,
                record.payload,
                record.operation_count,
                operations,
            )
        )

    return apply


def _check_operations(operations: Sequence[Operation], memtable: Memtable) -> None:
    """Raise CorruptionError where an operation speaks of ids or types that cannot be."""
    next_id, type_count = memtable.next_id, memtable.type_count
    for operation in operations:
        code: int | None = None
        ends: tuple[int, ...] = ()
        match operation:
            case InsertNode(node_id, _, patch):
                if node_id != next_id:
                    raise CorruptionError(f"node id {node_id} is inserted, {next_id} is next")
                next_id += 1
                code = patch.type_code
            case UpdateNode(node_id, patch):
                ends, code = (node_id,), patch.type_code
            case DeleteNode(node_id):
                ends = (node_id,)
            case InsertEdge(source, target, type_code) | UpdateEdge(source, target, type_code):
                ends, code = (source, target), type_code
            case DeleteEdge(source, target, type_code):
                ends, code = (source, target), type_code
            case DefineType(new_code, name):
                if new_code != type_count or memtable.types.code(name) not in (None, new_code):
                    raise CorruptionError(
                        f"type {name!r} is defined as {new_code}, {type_count} is next"
                    )
                type_count += 1
        if any(end >= next_id for end in ends):
            raise CorruptionError(f"an operation on id {max(ends)}, {next_id} is next")
        if code is not None and code >= type_count:
            raise CorruptionError(f"type code {code} was never defined")
