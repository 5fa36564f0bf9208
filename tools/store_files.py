"""What a store is made of: its files as the manifest names them, and its logs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from lithograph.catalog.file_numbers import wal_numbers
from lithograph.catalog.partition import window_named
from lithograph.errors import CorruptionError, StorageError
from lithograph.formats.file_names import history_name, run_name, segment_name, wal_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import SegmentEntry
from lithograph.formats.moment import MOMENT_MAX, decode_moment
from lithograph.graph.engine import Engine
from lithograph.tools.commands.ls_answer import Partition, Run, Segment, Wal
from lithograph.write.wal_file import WalFile


def manifest_of(engine: Engine) -> Manifest:
    """Return the manifest of the generation that is served."""
    stack, _ = engine.journal.newest()
    return stack.generation.manifest


def files(engine: Engine) -> Iterator[Segment | Run | Wal]:
    """Yield segments, runs and logs, each the oldest first."""
    yield from segments(engine)
    yield from runs(engine)
    yield from logs(engine)


def segments(engine: Engine) -> Iterator[Segment]:
    """Yield the segments, the oldest first."""
    for entry in manifest_of(engine).segments:
        yield Segment(
            file=segment_name(entry.partition, entry.number),
            history=history_name(entry.partition, entry.number) if entry.history else None,
            partition=entry.partition,
            size_bytes=entry.size,
            history_size_bytes=entry.history_size,
            first_sequence=entry.first_sequence,
            last_sequence=entry.last_sequence,
            first_time=decode_moment(entry.first_time),
            last_time=decode_moment(entry.last_time),
            first_id=entry.first_id,
            end_id=entry.end_id,
            entry_count=entry.entry_count,
            superseding_count=entry.superseding_count,
            version_count=entry.version_count,
            is_sealed=entry.sealed,
        )


def partitions(engine: Engine) -> Iterator[Partition]:
    """Yield the partitions that have segments, the oldest first."""
    by_time = sorted(manifest_of(engine).segments, key=lambda entry: entry.first_sequence)
    for name, entries in groupby(by_time, key=lambda entry: entry.partition):
        yield _partition(name, list(entries))


def _partition(name: str, entries: list[SegmentEntry]) -> Partition:
    window = window_named(name)
    assert window is not None  # The manifest was checked when it was read.
    return Partition(
        partition=name,
        start=decode_moment(window.start),
        # The last year of the calendar has no moment behind it.
        end=decode_moment(window.end) if window.end <= MOMENT_MAX else None,
        segment_count=len(entries),
        size_bytes=sum(entry.size for entry in entries),
        history_size_bytes=sum(entry.history_size for entry in entries),
        entry_count=sum(entry.entry_count for entry in entries),
        superseding_count=sum(entry.superseding_count for entry in entries),
        version_count=sum(entry.version_count for entry in entries),
        first_sequence=entries[0].first_sequence,
        last_sequence=entries[-1].last_sequence,
    )


def runs(engine: Engine) -> Iterator[Run]:
    """Yield the runs of the name index, the oldest first."""
    for entry in manifest_of(engine).runs:
        yield Run(
            file=run_name(entry.number),
            size_bytes=entry.size,
            first_sequence=entry.first_sequence,
            last_sequence=entry.last_sequence,
            name_count=entry.entry_count,
        )


def logs(engine: Engine) -> Iterator[Wal]:
    """Yield the logs that are there, the oldest first; one may go meanwhile and is left out."""
    journal = engine.journal
    position, first_needed = journal.position, manifest_of(engine).first_wal_number
    for number in wal_numbers(engine.files):
        try:
            log = WalFile.open(engine.files, number, journal.store_uuid)
        except (StorageError, CorruptionError):
            if engine.files.exists(wal_name(number)):
                raise
            continue
        try:
            is_current = number == position.wal_number
            state = "current" if is_current else "needed" if number >= first_needed else "leaving"
            yield Wal(
                file=wal_name(number),
                size_bytes=position.offset if is_current else log.file.size(),
                first_sequence=log.header.first_sequence,
                last_sequence=position.sequence if is_current else None,
                state=state,
            )
        finally:
            log.close()
