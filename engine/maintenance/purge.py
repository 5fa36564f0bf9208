"""Purging: every version of a node and its edges is erased from every file (SPEC.md, 12.10).

The node has ended, and everything up to its end is in segments and runs. Each of them that says
anything of it is written anew without it, and one manifest puts all in place of the old ones: a
crash leaves the store as it was, or without the node. The old files go as all others do, when
nobody reads them any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lithograph.catalog.file_numbers import wal_numbers
from lithograph.catalog.generation import Generation
from lithograph.catalog.pins import read_pins
from lithograph.errors import CorruptionError
from lithograph.formats.file_names import history_name, run_name, segment_name, wal_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.ids import ABSENT
from lithograph.maintenance.compaction import check_room
from lithograph.maintenance.flush import clean_up
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.output import (
    Output,
    discard,
    finish_run,
    install,
    make_run_writer,
    make_segment,
)
from lithograph.maintenance.purged_run import PurgedRun
from lithograph.maintenance.purged_slice import Counted, PurgedSlice, edges_at, holds_any
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.stored_slice import StoredSlice

_STEP: Final = 256

_Opened = tuple[SegmentEntry, SegmentReader, HistoryReader | None]


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did.

    node_count : nodes of the name that were erased: each time it was made anew is one.
    file_count : segments, histories and runs that were written anew.
    waiting : files with what was erased that a reader still holds, by their names in the store:
        they go with the next flush or merge after it has closed the store.
    readers : numbers of the processes that may be these.
    """

    node_count: int
    file_count: int
    waiting: tuple[str, ...] = ()
    readers: tuple[int, ...] = ()


def purge(store: OpenStore, name: str) -> Generator[None, None, Purged | None]:
    """Erase what segments and runs say of ended nodes of a name; None if others merged meanwhile.

    Raises
    ------
    CorruptionError : a file is damaged; nothing changed.
    StorageError : there is no room for a copy of the files; nothing changed.

    Cost: every file that holds something of the node is written again, and every segment from its
    beginning to its end; with a floor, all names are read. In the kernel 0.4 µs for each node and
    edge that stays, 1.6 where the segment is compressed, in Python 26; 0.5 ms for each edge that
    enters the node.
    """
    # Held until all is written: other processes may merge the inputs, and would remove them.
    generation = store.journal.stack.generation
    ids = yield from _ids_of(store, generation, name)
    if not ids:
        return Purged(0, 0)
    opened = [
        (
            entry,
            store.shelf.segment(entry, store.journal.store_uuid),
            store.shelf.history(entry, store.journal.store_uuid),
        )
        for entry in generation.manifest.segments
    ]
    counted, known = _counted(opened, ids, generation.manifest.last_sequence)
    chosen = [
        one
        for one in opened
        if counted.is_counted(one[0].first_sequence, one[0].last_sequence)
        or holds_any(one[1], one[2], ids)
    ]
    check_room(store, sum(entry.size + entry.history_size for entry, _, _ in chosen))
    segments: dict[SegmentEntry, SegmentEntry] = {}
    runs: dict[RunEntry, RunEntry | None] = {}
    output = Output()
    try:
        for entry, segment, history in chosen:
            slice_ = PurgedSlice(StoredSlice(segment, history), ids, counted)
            times = (entry.first_time, entry.last_time)
            segments[entry] = yield from make_segment(
                store, slice_, times, entry.partition, sealed=entry.sealed
            )
            output = replace(output, segments=tuple(segments.values()))
        for run in generation.manifest.runs:
            reader = store.shelf.run(run, store.journal.store_uuid)
            if reader.find(name.encode()):
                runs[run] = yield from _without(store, run, PurgedRun(reader, name.encode(), ids))
                made = tuple([made for made in runs.values() if made is not None])
                output = replace(output, runs=made)
    except BaseException:
        discard(store, output)
        raise
    del generation, opened, chosen

    def edit(manifest: Manifest) -> Manifest | None:
        if not (segments.keys() <= {*manifest.segments} and runs.keys() <= {*manifest.runs}):
            return None
        kept = [runs.get(run, run) for run in manifest.runs]
        return replace(
            manifest,
            segments=tuple([segments.get(entry, entry) for entry in manifest.segments]),
            runs=tuple([run for run in kept if run is not None]),
            purged_count=manifest.purged_count + known,
        )

    if not (yield from install(store, output, edit)):
        return None
    clean_up(store)
    return _finished(store, len(ids), segments, runs)


def _ids_of(
    store: OpenStore, generation: Generation, name: str
) -> Generator[None, None, frozenset[int]]:
    """Return the ids of all nodes that had a name and ended."""
    encoded = name.encode()
    store_uuid = store.journal.store_uuid
    found: set[int] = set()
    living: int | None = None
    for entry in reversed(generation.manifest.runs):
        for _, node_id in store.shelf.run(entry, store_uuid).find(encoded):
            if node_id != ABSENT:
                found.add(node_id)
            if living is None:
                living = node_id
    if generation.manifest.floor_sequence:
        # The name index has forgotten what ended before the floor; a segment may not have.
        for segment_entry in generation.manifest.segments:
            for count, (node_id, other) in enumerate(
                store.shelf.segment(segment_entry, store_uuid).all_names()
            ):
                if other == name:
                    found.add(node_id)
                if count % _STEP == 0:
                    yield
    # Made anew by somebody else since: that is another node.
    found.discard(ABSENT if living is None else living)
    return frozenset(found)


def _counted(opened: Sequence[_Opened], ids: frozenset[int], last: int) -> tuple[Counted, int]:
    """Return what nodes and their edges added to the counts, and of how many there is a record."""
    nodes: Counter[int] = Counter()
    edges: Counter[int] = Counter()
    known = 0
    for node_id in ids:
        is_alive = is_known = False
        for _, segment, history in opened:
            versions = StoredSlice(segment, history).node_versions(node_id)
            is_known = is_known or bool(versions)
            for version in versions:
                if version.full and not is_alive:
                    nodes[version.born_sequence] += 1
                    is_alive = True
                elif version.change is None and is_alive:
                    nodes[version.sequence] -= 1
                    is_alive = False
        known += is_known
    alive: set[tuple[int, tuple[int, int, str]]] = set()
    for _, segment, history in opened:
        # An edge between two of them is met at either end.
        met: set[tuple[int, tuple[int, int, str]]] = set()
        for node_id in ids:
            for source, adjacent, found in edges_at(segment, history, node_id):
                edge = (source, adjacent)
                if edge in met:
                    continue
                met.add(edge)
                for state in found:
                    if state.full and edge not in alive:
                        edges[state.born_sequence] += 1
                        alive.add(edge)
                    elif state.change is None and edge in alive:
                        edges[state.sequence] -= 1
                        alive.discard(edge)
    counted = Counted(nodes, edges)
    if counted.at(last) != (0, 0):
        raise CorruptionError(
            "a node that ended still counts as alive, or an edge of it: verify the store"
        )
    return counted, known


def _without(
    store: OpenStore, entry: RunEntry, purged: PurgedRun
) -> Generator[None, None, RunEntry | None]:
    """Write what is left of a run; return its entry, None if it would be empty."""
    writer = make_run_writer(store, entry.first_sequence, entry.last_sequence)
    try:
        yield from purged.write(writer)
        if not writer.entry_count:
            writer.abandon()
            return None
        return finish_run(store, writer)
    except BaseException:
        writer.abandon()
        raise


def _finished(
    store: OpenStore, node_count: int, segments: Iterable[SegmentEntry], runs: Iterable[RunEntry]
) -> Purged:
    """Return what was done, and which of the old files are still there."""
    names = [run_name(entry.number) for entry in runs]
    for entry in segments:
        names.append(segment_name(entry.partition, entry.number))
        if entry.history is not None:
            names.append(history_name(entry.partition, entry.number))
    files, manifest = store.files, store.journal.stack.generation.manifest
    logs = [number for number in wal_numbers(files) if number < manifest.first_wal_number]
    waiting = [name for name in names if files.exists(name)] + [wal_name(log) for log in logs]
    readers = [pin.process for pin in read_pins(files) if pin.generation < manifest.generation]
    return Purged(node_count, len(names), tuple(waiting), tuple(sorted(readers)) if waiting else ())
