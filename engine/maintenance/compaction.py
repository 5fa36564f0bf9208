"""Compaction: adjacent segments, and adjacent runs, become one (SPEC.md, section 12.10).

Inputs are read through the same layers as everything else and stay as they are; the output counts
once a manifest names it instead of them. If one of them is gone by then, another process has merged
it, and the output is given up.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

from lithograph.catalog.generation import Generation
from lithograph.catalog.partition import Unit, covering
from lithograph.catalog.pins import read_pins
from lithograph.errors import StorageError
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.pin import NO_SEQUENCE
from lithograph.maintenance.compaction_plan import (
    RunMerge,
    SegmentMerge,
    plan_major,
    plan_runs,
    plan_segments,
)
from lithograph.maintenance.flush import clean_up
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.output import (
    Output,
    finish_run,
    install,
    make_run_writer,
    make_segment,
)
from lithograph.maintenance.publication import Edit
from lithograph.segments.run_merge import merge_runs
from lithograph.segments.stored_slice import StoredSlice

Steps = Generator[None, None, None]
_SUPERSEDED_SHARE: Final = 5
"""Superseded bytes are merged away when they exceed one fifth."""
Entry = TypeVar("Entry", bound=SegmentEntry | RunEntry)


@dataclass(frozen=True, slots=True)
class Compaction:
    """One merge: numbers of its inputs, their bytes, and its steps."""

    inputs: tuple[int, ...]
    size_bytes: int
    steps: Steps


def compaction_due(store: OpenStore, broken: set[tuple[int, ...]]) -> Compaction | None:
    """Return the next merge that is due, or None.

    broken : inputs of merges that found damage: these wait until somebody repairs the store.
    """
    generation = store.journal.stack.generation
    manifest = generation.manifest
    unit = cast(Unit, store.options.partition)
    start = 0
    while segments := _plan_behind(start, manifest, unit, store.journal.position.commit_time):
        compaction = merge_of_segments(store, generation, segments)
        if compaction.inputs not in broken:
            return compaction
        # What is damaged stays as it is; what is newer must not pile up behind it.
        start = segments.end
    if start == 0 and store.options.history is not None:
        segments = _plan_forgetting(manifest, unit, floor_of(store)[0])
        if segments is not None:
            compaction = merge_of_segments(store, generation, segments)
            if compaction.inputs not in broken:
                return compaction
    runs = plan_runs(manifest.runs)
    if runs is not None:
        compaction = merge_of_runs(store, generation, runs)
        if compaction.inputs not in broken:
            return compaction
    return None


def _plan_behind(start: int, manifest: Manifest, unit: Unit, now: int) -> SegmentMerge | None:
    """Return the next merge among the segments from position `start` on."""
    plan = plan_segments(manifest.segments[start:], unit, now)
    if plan is None or start == 0:
        return plan
    return replace(plan, start=plan.start + start, end=plan.end + start)


def _plan_forgetting(manifest: Manifest, unit: Unit, floor: int) -> SegmentMerge | None:
    """Return the merge that carries live data forward into one base, if enough is superseded.

    Only whole segments below the floor count: what stays readable is not rewritten for this.
    """
    past = [entry for entry in manifest.segments if entry.last_sequence <= floor]
    superseded = sum(
        entry.history_size + entry.size * entry.superseding_count // max(1, entry.entry_count)
        for entry in past
    )
    total = sum(entry.size + entry.history_size for entry in past)
    if superseded * _SUPERSEDED_SHARE <= total:
        return None
    window = covering(past[0].first_time, past[-1].last_time, unit)
    return SegmentMerge(0, len(past), window.name, True, "major")


def major_compaction(store: OpenStore) -> list[Compaction]:
    """Return the merges that leave one segment and one run; [] where that is so already."""
    generation = store.journal.stack.generation
    manifest = generation.manifest
    unit = cast(Unit, store.options.partition)
    segments, runs = plan_major(manifest.segments, manifest.runs, unit)
    if segments is None:
        segments = _plan_forgetting(manifest, unit, floor_of(store)[0])
    found = []
    if segments is not None:
        found.append(merge_of_segments(store, generation, segments))
    if runs is not None:
        found.append(merge_of_runs(store, generation, runs))
    return found


def merge_of_segments(store: OpenStore, generation: Generation, plan: SegmentMerge) -> Compaction:
    """Return the merge of the segments that the plan names."""
    inputs = generation.manifest.segments[plan.start : plan.end]
    size = sum(entry.size + entry.history_size for entry in inputs)
    return Compaction(_numbers(inputs), size, _merge_segments(store, generation, plan))


def merge_of_runs(store: OpenStore, generation: Generation, plan: RunMerge) -> Compaction:
    """Return the merge of the runs that the plan names."""
    inputs = generation.manifest.runs[plan.start : plan.end]
    size = sum(entry.size for entry in inputs)
    return Compaction(_numbers(inputs), size, _merge_runs(store, generation, plan))


def _merge_segments(store: OpenStore, generation: Generation, plan: SegmentMerge) -> Steps:
    inputs = generation.manifest.segments[plan.start : plan.end]
    check_room(store, sum(entry.size + entry.history_size for entry in inputs))
    floor, floor_time = floor_of(store)
    store_uuid = store.journal.store_uuid
    parts = [
        StoredSlice(store.shelf.segment(entry, store_uuid), store.shelf.history(entry, store_uuid))
        for entry in inputs
    ]
    # Up to here it was held: other processes may have merged the inputs, and would remove them.
    del generation

    def newest_edge(source: int, adjacent: tuple[int, int, str]) -> int:
        return max(part.newest_edge(source, adjacent) for part in parts)

    slice_ = MergeSlice(parts, floor, newest_edge)
    times = (inputs[0].first_time, inputs[-1].last_time)
    segment = yield from make_segment(store, slice_, times, plan.partition, sealed=plan.sealed)

    def edit(manifest: Manifest) -> Manifest | None:
        segments = replaced(manifest.segments, inputs, segment)
        if segments is None:
            return None
        return raise_floor(replace(manifest, segments=segments), floor, floor_time)

    yield from install_and_clean_up(store, Output(segments=(segment,)), edit)


def _merge_runs(store: OpenStore, generation: Generation, plan: RunMerge) -> Steps:
    inputs = generation.manifest.runs[plan.start : plan.end]
    check_room(store, sum(entry.size for entry in inputs))
    floor, floor_time = floor_of(store)
    store_uuid = store.journal.store_uuid
    readers = [store.shelf.run(entry, store_uuid) for entry in reversed(inputs)]
    # As in `_merge_segments`.
    del generation
    writer = make_run_writer(store, inputs[0].first_sequence, inputs[-1].last_sequence)
    try:
        yield from merge_runs(readers, writer, floor=floor, oldest=plan.start == 0)
        run = finish_run(store, writer)
    except BaseException:
        writer.abandon()
        raise

    def edit(manifest: Manifest) -> Manifest | None:
        runs = replaced(manifest.runs, inputs, run)
        if runs is None:
            return None
        return raise_floor(replace(manifest, runs=runs), floor, floor_time)

    yield from install_and_clean_up(store, Output(runs=(run,)), edit)


def install_and_clean_up(store: OpenStore, output: Output, edit: Edit) -> Steps:
    if (yield from install(store, output, edit)):
        clean_up(store)


def raise_floor(manifest: Manifest, floor: int, floor_time: int) -> Manifest:
    """Return the manifest with a floor not below `floor`: what was superseded before is gone."""
    if floor <= manifest.floor_sequence:
        return manifest
    return replace(manifest, floor_sequence=floor, floor_time=floor_time)


def floor_of(store: OpenStore) -> tuple[int, int]:
    """Return the oldest commit that must stay readable, and its time; (0, 0) keeps everything."""
    history = store.options.history
    if history is None:
        return 0, 0
    now = store.journal.position.commit_time
    return oldest_needed(store, now - int(history.total_seconds() * 1_000_000))


def oldest_needed(store: OpenStore, wanted: int) -> tuple[int, int]:
    """Return the oldest commit that somebody reads, or that is the newest up to a time, and when it
    was; (0, 0) where there is none.

    wanted : µs since 1970 UTC.
    """
    journal = store.journal
    stack, published = journal.newest()
    sequence = min(stack.sequence_at(wanted), published)
    journal.hold.update()
    pinned = min((pin.sequence for pin in read_pins(store.files)), default=NO_SEQUENCE)
    sequence = min(sequence, pinned, journal.hold.oldest_sequence())
    # Only files can forget: what a memtable holds is kept until it is flushed.
    sequence = min(sequence, stack.generation.manifest.last_sequence)
    return (sequence, stack.commit_row(sequence)[0]) if sequence > 0 else (0, 0)


def check_room(store: OpenStore, size_bytes: int) -> None:
    """Raise StorageError unless the disk has room for another copy of the inputs."""
    free = store.files.free_bytes()
    if free < size_bytes:
        raise StorageError(
            f"a compaction needs {size_bytes:,} bytes in {store.files.root}, {free:,} are free: "
            "make room, and it goes on with the next flush or compact()"
        )


def _numbers(entries: Sequence[SegmentEntry] | Sequence[RunEntry]) -> tuple[int, ...]:
    return tuple([entry.number for entry in entries])


def replaced(
    entries: tuple[Entry, ...], inputs: Sequence[Entry], output: Entry
) -> tuple[Entry, ...] | None:
    """Return the entries with `output` in place of the inputs, None if these are not all there."""
    count = len(inputs)
    for start in range(len(entries) - count + 1):
        if list(entries[start : start + count]) == list(inputs):
            return entries[:start] + (output,) + entries[start + count :]  # noqa: RUF005
    return None
