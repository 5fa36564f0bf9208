"""What a compaction of everything would merge, by what the manifest says alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from lithograph.catalog.partition import Unit
from lithograph.formats.file_names import history_name, run_name, segment_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.maintenance.compaction import oldest_needed
from lithograph.maintenance.compaction_plan import plan_major
from lithograph.maintenance.forgetting import is_due
from lithograph.maintenance.open_store import OpenStore


@dataclass(frozen=True, slots=True)
class CompactionEstimate:
    """What `Graph.compact` would do now.

    inputs : names of the files that would be merged, in the store.   bytes_in : their sizes.
    bytes_out : what would be left of them, estimated from counts; that it is compressed is not in
        it, so that it is rather too much.
    log_commit_count : commits that are only in the log, and would be written to files first.
    floor_sequence : the oldest commit that could be read from then on.
    """

    inputs: tuple[str, ...]
    bytes_in: int
    bytes_out: int
    log_commit_count: int
    floor_sequence: int


def estimate_compaction(store: OpenStore, drop_before: int | None = None) -> CompactionEstimate:
    """Return what a compaction would do; it reads no file that is not open.

    drop_before : µs since 1970 UTC, as in `Caretaker.compact`.
    """
    journal = store.journal
    manifest = journal.stack.generation.manifest
    pending = journal.position.sequence - manifest.last_sequence
    floor = manifest.floor_sequence
    forgets = False
    if drop_before is not None:
        wanted, _ = oldest_needed(store, drop_before)
        forgets = is_due(manifest, wanted)
        floor = max(floor, wanted)
    segments, runs = _inputs(manifest, cast(Unit, store.options.partition), forgets, pending)
    names = [run_name(entry.number) for entry in runs]
    for entry in segments:
        names.append(segment_name(entry.partition, entry.number))
        if entry.history is not None:
            names.append(history_name(entry.partition, entry.number))
    size_in = sum(entry.size for entry in runs)
    size_in += sum(entry.size + entry.history_size for entry in segments)
    size_out = sum(entry.size for entry in runs) + _size_left(segments, floor if forgets else 0)
    return CompactionEstimate(tuple(sorted(names)), size_in, size_out, pending, floor)


def _inputs(
    manifest: Manifest, unit: Unit, forgets: bool, pending: int
) -> tuple[tuple[SegmentEntry, ...], tuple[RunEntry, ...]]:
    # What is in the log becomes another segment, and another run, next to those that are there.
    if forgets or pending:
        return manifest.segments, manifest.runs
    segments, runs = plan_major(manifest.segments, manifest.runs, unit)
    return (
        manifest.segments if segments is not None else (),
        manifest.runs if runs is not None else (),
    )


def _size_left(segments: tuple[SegmentEntry, ...], floor: int) -> int:
    """Return about how many bytes the segments come to when what they say twice is said once."""
    left = 0
    for entry in segments:
        superseding = entry.size * entry.superseding_count // max(1, entry.entry_count)
        # What is superseded becomes history, unless it is forgotten.
        left += entry.size - superseding
        if entry.last_sequence > floor:
            left += entry.history_size + superseding
    return left
