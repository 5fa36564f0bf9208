"""What the commits in the logs change of the counts of a store, without applying them.

The records are followed as the engine follows them: each checked, each chained to the one before
it (SPEC.md, 6.2). Of their operations only the heads are looked at. Where anything is not plain, a
torn tail among it, nothing is said: the engine knows what it means.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

import xxhash

from lithograph.files import Files
from lithograph.formats.file_names import wal_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN
from lithograph.formats.operations import HEAD, DeleteNode, decode_operations
from lithograph.formats.wal_header import WAL_START, WalHeader
from lithograph.formats.wal_record import ALIGNMENT, RECORD, RECORD_SIZE_MIN
from lithograph.tools.log_counts import LogCounts

_OPERATION: Final = Struct("<BxHI")
"""Kind, flags and size, the beginning of `HEAD`."""

_TYPE, _INSERT_NODE, _UPDATE_NODE, _DELETE_NODE, _INSERT_EDGE, _UPDATE_EDGE, _DELETE_EDGE = range(
    1, 8
)


def count_log(
    files: Files, store_uuid: bytes, newest: int, end: int | None, manifest: Manifest
) -> LogCounts | None:
    """Follow the logs from the manifest's first to number `newest`; None where that is not plain.

    end : bytes of the newest that count; None takes all of it but its room.

    Raises
    ------
    CorruptionError, StorageError : a log is not there, or not one of the store.

    Cost: 1 µs for each commit, 0.4 µs for each operation, and a hash of the logs. Memory: one log.
    """
    headers = _chain(files, store_uuid, newest, manifest.first_wal_number)
    if headers is None:
        return None
    counts = LogCounts(manifest.last_sequence)
    position = headers[0].first_sequence, headers[0].chain
    if position[0] > manifest.last_sequence + 1:
        return None
    for header, successor in zip(headers, [*headers[1:], None], strict=True):
        if (header.first_sequence, header.chain) != position:
            return None
        stop = end if successor is None else successor.previous_end
        data = _read(files, header.file_number, stop)
        if data is None:
            return None
        counts.synced = WAL_START
        found = _follow(data, header, counts, manifest.last_sequence)
        if found is None:
            return None
        position, counts.end = found[:2], found[2]
        has_room = stop is None and data.count(0, counts.end) == len(data) - counts.end
        if counts.end < len(data) and not has_room:
            return None
    counts.sequence = position[0] - 1
    if counts.sequence < manifest.last_sequence or counts.synced > counts.end:
        return None
    return counts


def _chain(files: Files, store_uuid: bytes, newest: int, oldest: int) -> list[WalHeader] | None:
    """Return the headers of the logs, oldest first."""
    headers: list[WalHeader] = []
    number = newest
    while number >= oldest:
        file = files.open(wal_name(number))
        try:
            headers.append(WalHeader.decode(file.read_at(0, WAL_START), store_uuid, number))
        finally:
            file.close()
        if number == oldest:
            return headers[::-1]
        number = headers[-1].previous_number
    return None


def _read(files: Files, number: int, end: int | None) -> bytes | None:
    """Return a log up to its end; None if it is shorter."""
    file = files.open(wal_name(number))
    try:
        size = file.size()
        if end is not None and end > size:
            return None
        return file.read_at(0, size if end is None else end)
    finally:
        file.close()


def _follow(
    data: bytes, header: WalHeader, counts: LogCounts, flushed: int
) -> tuple[int, int, int] | None:
    """Count the commits of one log that are above `flushed`, as far as records follow each other.

    Return sequence and chain that the next record would have, and where it would stand. None where
    what the operations of a record are is not plain.
    """
    view, end, offset = memoryview(data), len(data), WAL_START
    sequence, last = header.first_sequence, header.chain
    while offset < end:
        if end - offset < RECORD_SIZE_MIN:
            break
        checksum, chain, epoch, found, synced, time, size, operation_count = RECORD.unpack_from(
            data, offset
        )
        start = offset + RECORD_SIZE_MIN
        stop = start + size
        following = stop + -size % ALIGNMENT
        if (
            following > end
            or (chain, epoch, found) != (last, header.epoch, sequence)
            or xxhash.xxh64_intdigest(view[offset + 8 : following]) != checksum
            or any(view[stop:following])
            or not MOMENT_MIN <= time <= MOMENT_MAX
        ):
            break
        if sequence > flushed and not _count(data, start, stop, operation_count, counts):
            return None
        counts.synced = max(counts.synced, synced)
        sequence, last, offset = sequence + 1, checksum, following
    return sequence, last, offset


def _count(data: bytes, start: int, end: int, operation_count: int, counts: LogCounts) -> bool:
    """Add the operations of a commit, that stand at [start, end); return whether they are plain."""
    kinds = [0] * 8
    for kind, where, size in _heads(data, start, end):
        if not _TYPE <= kind <= _DELETE_EDGE:
            return False
        kinds[kind] += 1
        start = where + size
        if kind == _DELETE_NODE:
            [ended] = decode_operations(data, where, start, 1)
            assert isinstance(ended, DeleteNode)
            loops = sum(target == ended.node_id for _, target, _ in ended.outgoing)
            edge_count = len(ended.outgoing) + len(ended.incoming) - loops
            counts.edge_count -= edge_count
            counts.version_count += edge_count
    counts.type_count += kinds[_TYPE]
    counts.node_count += kinds[_INSERT_NODE] - kinds[_DELETE_NODE]
    counts.edge_count += kinds[_INSERT_EDGE] - kinds[_DELETE_EDGE]
    counts.version_count += sum(kinds[_INSERT_NODE:])
    return start == end and sum(kinds) == operation_count


def _heads(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, offset, size) of operations that follow each other, as long as they fit."""
    while start + HEAD.size <= end:
        kind, _, size = _OPERATION.unpack_from(data, start)
        if not HEAD.size <= size <= end - start:
            return
        yield kind, start, size
        start += size
