"""Files on their way into a generation: made, synced with their directories, or taken back."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lithograph.errors import CorruptionError, StorageError
from lithograph.formats.file_names import (
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    history_name,
    run_name,
    segment_name,
)
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.maintenance.obsolete import remove_empty_partition
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.publication import Edit, publish
from lithograph.segments.run_writer import RunWriter
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.segment_check import check_written
from lithograph.segments.segment_writer import write_segment
from lithograph.segments.slice import Slice

_READ_BACK_SIZE_MAX: Final = 64 * 2**20
"""Bytes of a file that the system still has in memory when it is written; 3 µs for each 4 KiB."""


@dataclass(frozen=True, slots=True)
class Output:
    """The sealed files that one piece of work has made."""

    segments: tuple[SegmentEntry, ...] = ()
    runs: tuple[RunEntry, ...] = ()


def make_segment(
    store: OpenStore, slice_: Slice, times: tuple[int, int], partition: str, *, sealed: bool
) -> Generator[None, None, SegmentEntry]:
    """Write a segment and its history in bounded steps; return its entry.

    times : commit times of the slice's first and last commit, µs since 1970 UTC.
    """
    store.files.make_directory(PARTITIONS_DIRECTORY)
    directory = f"{PARTITIONS_DIRECTORY}/{partition}"
    while True:
        store.files.make_directory(directory)
        number = store.claim_number()
        try:
            written = yield from write_segment(
                store.files, number, partition, store.journal.store_uuid, slice_, compress=sealed
            )
        except FileExistsError:
            continue  # A number given by a process that died, to a file that nobody named.
        entry = SegmentEntry(
            written.segment,
            written.history,
            partition,
            slice_.first_sequence,
            slice_.last_sequence,
            *times,
            slice_.first_id,
            slice_.end_id,
            written.entry_count,
            written.version_count,
            written.superseding_count,
            sealed,
        )
        _check_segment(store, entry)
        return entry


def make_run_writer(store: OpenStore, first_sequence: int, last_sequence: int) -> RunWriter:
    """Return the writer of a new run over a range of commits."""
    store.files.make_directory(NAMES_DIRECTORY)
    while True:
        number = store.claim_number()
        try:
            return RunWriter(
                store.files, number, store.journal.store_uuid, first_sequence, last_sequence
            )
        except FileExistsError:
            continue


def finish_run(store: OpenStore, writer: RunWriter) -> RunEntry:
    """Close and sync a run; return its entry."""
    info = writer.finish()
    entry = RunEntry(info.ref, info.first_sequence, info.last_sequence, info.entry_count)
    _check_run(store, entry)
    return entry


def _check_segment(store: OpenStore, entry: SegmentEntry) -> None:
    """Open what was just written, as whoever reads it will; check all of it if asked to."""
    store_uuid = store.journal.store_uuid
    try:
        segment = store.shelf.segment(entry, store_uuid)
        history = store.shelf.history(entry, store_uuid)
        _read_back(segment.file)
        if store.options.tuning.check_outputs:
            _refuse(check_written(segment, history))
    except BaseException:
        store.shelf.forget(entry.number)
        discard(store, Output(segments=(entry,)))
        raise


def _read_back(file: SealedFile) -> None:
    """Compare the checksums of a file that was just written, unless it is large.

    Raises CorruptionError before anybody relies on it. It also spares the first who read it 30 µs
    for each block: one edge in twelve of a load met a block that nobody had checked yet.
    """
    if file.data_size <= _READ_BACK_SIZE_MAX:
        file.check(0, file.data_size)


def _check_run(store: OpenStore, entry: RunEntry) -> None:
    try:
        run = store.shelf.run(entry, store.journal.store_uuid)
        _read_back(run.file)
        if store.options.tuning.check_outputs:
            _refuse(run.check())
    except BaseException:
        store.shelf.forget(entry.number)
        discard(store, Output(runs=(entry,)))
        raise


def _refuse(findings: Iterator[CorruptionError]) -> None:
    """Raise the first finding: what was written is not published, its inputs stay."""
    for finding in findings:
        raise finding


def sync_directories(store: OpenStore, output: Output) -> None:
    """Put the directory entries of new files on the medium; the files are there already."""
    if output.segments:
        for partition in sorted({segment.partition for segment in output.segments}):
            store.files.sync_directory(f"{PARTITIONS_DIRECTORY}/{partition}")
        store.files.sync_directory(PARTITIONS_DIRECTORY)
    if output.runs:
        store.files.sync_directory(NAMES_DIRECTORY)
    # `partitions` and `names` themselves may be new.
    store.files.sync_directory("")


def install(store: OpenStore, output: Output, edit: Edit) -> Generator[None, None, bool]:
    """Publish files that were made, or take them back; return whether they are in force."""
    published = False
    try:
        sync_directories(store, output)
        yield
        published = store.committer.exclusively(lambda: publish(store.journal, store.locks, edit))
    finally:
        if not published:
            discard(store, output)
    return published


def discard(store: OpenStore, output: Output) -> None:
    """Remove files that were made and not published, as far as the machine lets us.

    Does nothing where they are in force, or may be: after a failure between CURRENT and shared.map,
    and when an interruption came right behind the publication.
    """
    manifest = store.journal.stack.generation.manifest
    in_force = {*manifest.segments, *manifest.runs}
    if store.journal.failure is not None or in_force.intersection((*output.segments, *output.runs)):
        return
    names = [run_name(run.number) for run in output.runs]
    for segment in output.segments:
        names.append(segment_name(segment.partition, segment.number))
        if segment.history is not None:
            names.append(history_name(segment.partition, segment.number))
    _remove(store, names)
    for partition in {segment.partition for segment in output.segments}:
        remove_empty_partition(store.files, partition)


def _remove(store: OpenStore, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(StorageError):
            store.files.unlink(name)
