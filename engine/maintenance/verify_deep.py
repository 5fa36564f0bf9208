"""The deep check of a graph whose files are sound one by one: do they fit together?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lithograph.catalog.shelf import Shelf
from lithograph.errors import CorruptionError
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import SegmentEntry
from lithograph.maintenance.finding import Finding
from lithograph.maintenance.meter import Meter, Pace
from lithograph.maintenance.node_lives import Part, Report
from lithograph.maintenance.obsolete import sealed_sizes
from lithograph.maintenance.verify_graph import GraphCheck, Index, NameStream
from lithograph.maintenance.verify_quick import Stored, is_quickly_sound
from lithograph.segments.name_sum import NameSum
from lithograph.segments.run_reader import RunReader
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.stored_slice import StoredSlice
from lithograph.write.memtable import Memtable
from lithograph.write.memtable_slice import MemtableSlice

_PASSES: Final = 3
"""Over nodes, and over their lists in both directions."""


def verify_graph(
    shelf: Shelf,
    store_uuid: bytes,
    manifest: Manifest,
    logged: tuple[Memtable, str] | None,
    *,
    place: str,
    runs_are_sound: bool,
    quick: NameSum | None,
    meter: Meter,
) -> list[Finding] | None:
    """Return what contradicts SPEC.md between the files, and between them and what is logged.

    logged : the commits behind the manifest's, and the path of the log; None leaves them out.
    place : path for what is wrong in no single file.   runs_are_sound : else names are left out.
    quick : the names of all runs, to go the quick way (`verify_quick`) and no other: records were
        not gone over yet. None comes back where it does not find that all is right.
    meter : is told the bytes of the files that were gone over.
    """
    findings: list[Finding] = []

    def report(path: str, message: str) -> None:
        findings.append(Finding(path, 0, message))

    stored: list[Stored] = []
    parts: list[Part] = []
    indexes: list[Index] = []
    for entry in manifest.segments:
        segment = shelf.segment(entry, store_uuid)
        _compare_entry(segment, entry, report)
        history = shelf.history(entry, store_uuid)
        parts.append(Part(segment.path, StoredSlice(segment, history), len(manifest.types)))
        stored.append((segment, history))
    if logged is not None and not logged[0].is_empty:
        memtable, path = logged
        commits = memtable.commits
        whole = MemtableSlice(memtable, commits.first_sequence, commits.last_sequence)
        parts.append(Part(path, whole, memtable.type_count))
        indexes.append(Index(path, lambda: _logged_names(memtable)))
    indexes += [
        _index(shelf.run(entry, store_uuid)) for entry in reversed(manifest.runs) if runs_are_sound
    ]
    _compare_counts(shelf, store_uuid, manifest, place, report)
    floor = manifest.floor_sequence
    size = sum(sealed_sizes(manifest).values())
    if quick is not None:
        above = logged[0] if logged is not None and not logged[0].is_empty else None
        is_sound = is_quickly_sound(stored, manifest, above, quick, meter, size)
        return findings if is_sound else None
    try:
        names = indexes if runs_are_sound else None
        with Pace(meter, size, _PASSES * (parts[-1].slice_.end_id if parts else 0)) as pace:
            GraphCheck(parts, names, floor, place, report, manifest.purged_count, pace).run()
    except CorruptionError as error:
        findings.append(Finding.of(error))
    return findings


def _index(run: RunReader) -> Index:
    return Index(run.path, run.scan)


def _logged_names(memtable: Memtable) -> NameStream:
    return ((name.encode(), versions) for name, versions in memtable.all_names())


def _compare_entry(segment: SegmentReader, entry: SegmentEntry, report: Report) -> None:
    """Compare the times of the first and the last commit with those of the commit table."""
    for what, sequence, time in (
        ("first", entry.first_sequence, entry.first_time),
        ("last", entry.last_sequence, entry.last_time),
    ):
        found = segment.commit_row(sequence)[0]
        if found != time:
            report(
                segment.path,
                f"the {what} commit is at {found} µs, the manifest says {time}",
            )


def _compare_counts(
    shelf: Shelf, store_uuid: bytes, manifest: Manifest, place: str, report: Report
) -> None:
    """Compare the manifest's counters with the row of its newest commit, and the floor's time."""
    for what, sequence, expected in _expected_rows(manifest):
        entry = next(
            entry
            for entry in manifest.segments
            if entry.first_sequence <= sequence <= entry.last_sequence
        )
        row = tuple(shelf.segment(entry, store_uuid).commit_row(sequence))
        if row[: len(expected)] != expected:
            report(
                place,
                f"{what}: time and counts of commit {sequence} are {expected} in the manifest, "
                f"{row[: len(expected)]} in the commit table",
            )


def _expected_rows(manifest: Manifest) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    if manifest.last_sequence:
        counters = (manifest.last_commit_time, manifest.node_count, manifest.edge_count)
        yield "newest commit", manifest.last_sequence, counters
    if manifest.floor_sequence:
        yield "floor", manifest.floor_sequence, (manifest.floor_time,)
