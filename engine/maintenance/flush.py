"""Flush: a frozen memtable becomes segments and a run (SPEC.md, section 11.5).

The memtable was frozen behind a new log, so once a manifest names what was written here, the logs
before that one are not needed any more. A crash at any step leaves the old generation, whose logs
still hold everything, or the new one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Final, cast

from lithograph.catalog.partition import Unit, window_of
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.maintenance.obsolete import remove_obsolete
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.output import (
    Output,
    discard,
    finish_run,
    make_run_writer,
    make_segment,
    sync_directories,
)
from lithograph.maintenance.publication import publish
from lithograph.segments.run_tree import QuickTree
from lithograph.segments.run_writer import RunWriter
from lithograph.write.memtable import Memtable
from lithograph.write.quick_memtable import QuickMemtable
from lithograph.write.quick_memtable_slice import memtable_slice

_STEP: Final = 256
_QUICK_STEP: Final = 4096
"""Names between two steps; of those that the kernel adds, in 0.2 µs each."""


def flush(store: OpenStore) -> Generator[None, None, None]:
    """Write the frozen memtable to files and publish them, in bounded steps.

    Does nothing where nothing is frozen, or where another process has flushed the same commits.

    Raises
    ------
    StorageError : nothing was published, and nothing is left behind; the memtable stays.
    """
    journal = store.journal
    if not journal.stack.frozen:
        return
    memtable = journal.stack.frozen[-1]
    segments: list[SegmentEntry] = []
    runs: list[RunEntry] = []
    published = False
    try:
        for first, last, partition in _windows(memtable, store.options.partition):
            slice_ = memtable_slice(memtable, first, last)
            times = (memtable.commits.time(first), memtable.commits.time(last))
            segment = yield from make_segment(store, slice_, times, partition, sealed=False)
            segments.append(segment)
        runs += yield from _write_run(store, memtable)
        sync_directories(store, Output(tuple(segments), tuple(runs)))
        yield
        published = _publish(store, memtable, segments, runs)
    finally:
        if not published:
            discard(store, Output(tuple(segments), tuple(runs)))
    if published:
        clean_up(store)


def clean_up(store: OpenStore) -> None:
    """Remove what only old generations named; what fails here is tried again the next time."""
    journal = store.journal
    store.renew_view()
    journal.hold.update()
    remove_obsolete(
        store.files,
        journal.store_uuid,
        journal.stack.generation.manifest,
        journal.hold.oldest_generation(),
        store.shelf,
    )


def _windows(memtable: Memtable, unit: str) -> Iterator[tuple[int, int, str]]:
    """Yield (first sequence, last sequence, partition) for each window that commits fall into."""
    commits = memtable.commits
    start, last = commits.first_sequence, commits.last_sequence
    while start <= last:
        window = window_of(commits.time(start), cast(Unit, unit))
        end = start
        while end < last and commits.time(end + 1) < window.end:
            end += 1
        yield start, end, window.name
        start = end + 1


def _write_run(store: OpenStore, memtable: Memtable) -> Generator[None, None, list[RunEntry]]:
    """Write the names of the memtable; return a list of one run, or of none without names."""
    commits = memtable.commits
    if not memtable.names_after("", False, 1):
        return []
    writer = make_run_writer(store, commits.first_sequence, commits.last_sequence)
    try:
        yield from _add_names(writer, memtable)
        return [finish_run(store, writer)]
    except BaseException:
        writer.abandon()
        raise


def _add_names(writer: RunWriter, memtable: Memtable) -> Iterator[None]:
    """Add the names of the memtable to a run, in steps."""
    if isinstance(memtable, QuickMemtable) and isinstance(writer.tree, QuickTree):
        source = memtable.names_source()
        while writer.tree.add_from(source, _QUICK_STEP) == _QUICK_STEP:
            yield
        return
    for count, (name, versions) in enumerate(memtable.all_names(), 1):
        writer.add(name.encode(), versions)
        if count % _STEP == 0:
            yield


def _publish(
    store: OpenStore, memtable: Memtable, segments: list[SegmentEntry], runs: list[RunEntry]
) -> bool:
    journal, commits = store.journal, memtable.commits
    last = commits.last_sequence

    def edit(manifest: Manifest) -> Manifest | None:
        if manifest.last_sequence != commits.first_sequence - 1:
            return None  # Another process has flushed these commits.
        return replace(
            manifest,
            first_wal_number=journal.log_after_freeze,
            next_id=memtable.next_id,
            last_sequence=last,
            last_commit_time=commits.time(last),
            node_count=commits.node_count(last),
            edge_count=commits.edge_count(last),
            types=tuple(memtable.types.names[: memtable.type_count]),
            runs=(*manifest.runs, *runs),
            segments=(*manifest.segments, *segments),
        )

    def act() -> bool:
        if memtable not in journal.stack.frozen:
            return False
        return publish(journal, store.locks, edit)

    return store.committer.exclusively(act)
