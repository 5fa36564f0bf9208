"""Dropping the past: one segment and one run without what was superseded (SPEC.md, 12.10).

Both are published by one manifest, which raises the floor: until then everything is as it was, and
from then on no file in force holds what was superseded before the floor.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import cast

from lithograph.catalog.generation import Generation
from lithograph.catalog.partition import Unit, covering
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.operations import AdjacentEdge
from lithograph.maintenance.compaction import (
    Steps,
    check_room,
    install_and_clean_up,
    oldest_needed,
    raise_floor,
    replaced,
)
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.output import Output, discard, finish_run, make_run_writer, make_segment
from lithograph.segments.run_merge import merge_runs
from lithograph.segments.run_reader import RunReader
from lithograph.segments.stored_slice import StoredSlice


@dataclass(frozen=True, slots=True)
class Forgetting:
    """The work of dropping the past up to the commit `floor`.

    size_bytes : of the files that are read.
    """

    floor: int
    size_bytes: int
    steps: Steps


def forgetting(store: OpenStore, time: int) -> Forgetting | None:
    """Return what is to be done so that the newest commit up to `time` is the oldest one kept.

    time : µs since 1970 UTC. A snapshot or a pin that needs an older commit keeps it, and all
        that came after it.

    Returns
    -------
    Forgetting | None : None where everything before is forgotten already.
    """
    floor, floor_time = oldest_needed(store, time)
    generation = store.journal.stack.generation
    manifest = generation.manifest
    if floor == 0 or not is_due(manifest, floor):
        return None
    size = sum(entry.size + entry.history_size for entry in manifest.segments)
    size += sum(entry.size for entry in manifest.runs)
    return Forgetting(floor, size, _forget(store, generation, floor, floor_time))


def is_due(manifest: Manifest, floor: int) -> bool:
    """Return whether files may hold what was superseded up to `floor`."""
    if floor == manifest.floor_sequence:
        # It was raised by merges of some of the files.
        return len(manifest.segments) > 1 or len(manifest.runs) > 1
    return floor > manifest.floor_sequence


def _forget(store: OpenStore, generation: Generation, floor: int, floor_time: int) -> Steps:
    segments, runs = generation.manifest.segments, generation.manifest.runs
    check_room(store, sum(entry.size + entry.history_size for entry in segments))
    store_uuid = store.journal.store_uuid
    parts = [
        StoredSlice(store.shelf.segment(entry, store_uuid), store.shelf.history(entry, store_uuid))
        for entry in segments
    ]
    readers = [store.shelf.run(entry, store_uuid) for entry in reversed(runs)]
    # Up to here it was held: other processes may have merged the inputs, and would remove them.
    del generation
    output = Output()
    try:
        times = (segments[0].first_time, segments[-1].last_time)
        segment = yield from _merge_segments(store, parts, times, floor)
        output = Output(segments=(segment,))
        if runs:
            run = yield from _merge_runs(store, readers, floor)
            output = replace(output, runs=(run,))
    except BaseException:
        discard(store, output)
        raise

    def edit(newest: Manifest) -> Manifest | None:
        kept = replaced(newest.segments, segments, output.segments[0])
        kept_runs = replaced(newest.runs, runs, output.runs[0]) if runs else newest.runs
        if kept is None or kept_runs is None:
            return None
        return raise_floor(replace(newest, segments=kept, runs=kept_runs), floor, floor_time)

    yield from install_and_clean_up(store, output, edit)


def _merge_segments(
    store: OpenStore, parts: Sequence[StoredSlice], times: tuple[int, int], floor: int
) -> Generator[None, None, SegmentEntry]:
    def newest_edge(source: int, adjacent: AdjacentEdge) -> int:
        return max(part.newest_edge(source, adjacent) for part in parts)

    window = covering(*times, cast(Unit, store.options.partition))
    slice_ = MergeSlice(parts, floor, newest_edge)
    return make_segment(store, slice_, times, window.name, sealed=True)


def _merge_runs(
    store: OpenStore, readers: Sequence[RunReader], floor: int
) -> Generator[None, None, RunEntry]:
    """Make one run of all, newest first."""
    first, last = readers[-1].first_sequence, readers[0].last_sequence
    writer = make_run_writer(store, first, last)
    try:
        yield from merge_runs(readers, writer, floor=floor, oldest=True)
        return finish_run(store, writer)
    except BaseException:
        writer.abandon()
        raise
