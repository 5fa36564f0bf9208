"""Counts and sizes of an open store, by part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lithograph import kernel
from lithograph.catalog.file_numbers import wal_numbers
from lithograph.errors import CorruptionError, StorageError
from lithograph.files import Files
from lithograph.formats.file_names import PINS_DIRECTORY, is_pin, wal_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.moment import decode_moment
from lithograph.formats.pin import NO_SEQUENCE, PIN_SIZE, PINS_EVERYTHING, PinState
from lithograph.graph.engine import Engine
from lithograph.view.view import View


@dataclass(frozen=True, slots=True)
class Stats:
    """What `Graph.stats()` returns; sizes in bytes. `segtool info` shows it by the same names.

    Attributes
    ----------
    sequence, node_count, edge_count, type_count : of the newest commit.
    generation : of the manifest whose files are served.
    floor_sequence, floor_time : the oldest commit as of which the store can be read; 0 and None
        where everything is kept.
    memtable_size_bytes, memtable_version_count : memory of commits that are in the log only, and
        their versions of nodes and edges.
    memtable_size_bytes_max : what the memtable may take before it is frozen.
    frozen_size_bytes, frozen_version_count : of the memtable that is being flushed, if one is.
    cache_size_bytes, cache_size_bytes_max : decompressed blocks kept, and the limit.
    cache_hit_count, cache_miss_count : blocks asked for since the store was opened.
    open_file_count, open_file_count_max : segments, histories and runs that are mapped now.
    segment_count, segment_size_bytes, segment_entry_count : nodes and edges that segments say
        something of; one that several of them know counts in each.
    sealed_segment_count : of the segments, those of closed windows, compressed.
    history_count, history_size_bytes, history_version_count : superseded versions in files.
    run_count, run_size_bytes, run_name_count : of the name index; a name counts in each run.
    wal_file_count, wal_total_size_bytes : logs that are there, also those about to go.
    wal_size_bytes, wal_synced_bytes : published and synced bytes of the newest one.
    pin_count : files in locks/pins, one for each process that has the store open; what dead ones
        left goes when files are removed.
    pinned_generation, pinned_sequence : the oldest generation whose files, and the oldest commit
        whose versions, any of them needs; None where none does.
    kernel : "compiled" or "reference".
    """

    sequence: int
    node_count: int
    edge_count: int
    type_count: int
    generation: int
    floor_sequence: int
    floor_time: datetime | None
    memtable_size_bytes: int
    memtable_size_bytes_max: int
    memtable_version_count: int
    frozen_size_bytes: int
    frozen_version_count: int
    cache_size_bytes: int
    cache_size_bytes_max: int
    cache_hit_count: int
    cache_miss_count: int
    open_file_count: int
    open_file_count_max: int
    segment_count: int
    segment_size_bytes: int
    segment_entry_count: int
    sealed_segment_count: int
    history_count: int
    history_size_bytes: int
    history_version_count: int
    run_count: int
    run_size_bytes: int
    run_name_count: int
    wal_file_count: int
    wal_total_size_bytes: int
    wal_size_bytes: int
    wal_synced_bytes: int
    pin_count: int
    pinned_generation: int | None
    pinned_sequence: int | None
    kernel: str


def collect_stats(engine: Engine, view: View) -> Stats:
    """Return the figures of an engine, and the counts of its newest view."""
    journal, cache, tuning = engine.journal, engine.shelf.cache, engine.options.tuning
    stack = journal.stack
    memtable, frozen, manifest = stack.memtable, stack.frozen, stack.generation.manifest
    histories = [entry for entry in manifest.segments if entry.history is not None]
    logs = _log_sizes(engine.files)
    pins = _pins(engine.files)
    return Stats(
        sequence=view.sequence,
        node_count=view.node_count,
        edge_count=view.edge_count,
        type_count=memtable.type_count,
        generation=manifest.generation,
        floor_sequence=manifest.floor_sequence,
        floor_time=_floor_time(manifest),
        memtable_size_bytes=memtable.size_bytes,
        memtable_size_bytes_max=tuning.memtable_size_bytes_max,
        memtable_version_count=memtable.version_count,
        frozen_size_bytes=sum(each.size_bytes for each in frozen),
        frozen_version_count=sum(each.version_count for each in frozen),
        cache_size_bytes=cache.size_bytes,
        cache_size_bytes_max=engine.options.cache_size_bytes,
        cache_hit_count=cache.hit_count,
        cache_miss_count=cache.miss_count,
        open_file_count=engine.shelf.open_count,
        open_file_count_max=tuning.open_file_count_max,
        segment_count=len(manifest.segments),
        segment_size_bytes=sum(entry.size for entry in manifest.segments),
        segment_entry_count=sum(entry.entry_count for entry in manifest.segments),
        sealed_segment_count=sum(entry.sealed for entry in manifest.segments),
        history_count=len(histories),
        history_size_bytes=sum(entry.history_size for entry in histories),
        history_version_count=sum(entry.version_count for entry in histories),
        run_count=len(manifest.runs),
        run_size_bytes=sum(entry.size for entry in manifest.runs),
        run_name_count=sum(entry.entry_count for entry in manifest.runs),
        wal_file_count=len(logs),
        wal_total_size_bytes=sum(logs),
        wal_size_bytes=journal.position.offset,
        wal_synced_bytes=journal.state.wal_synced,
        pin_count=len(pins),
        pinned_generation=min((pin.generation for pin in pins), default=None),
        pinned_sequence=min(
            (pin.sequence for pin in pins if pin.sequence != NO_SEQUENCE), default=None
        ),
        kernel=kernel.backend,
    )


def _floor_time(manifest: Manifest) -> datetime | None:
    return decode_moment(manifest.floor_time) if manifest.floor_sequence else None


def _log_sizes(files: Files) -> list[int]:
    """Return the sizes of the logs that are there; one may go at any moment."""
    sizes = []
    for number in wal_numbers(files):
        try:
            file = files.open(wal_name(number))
        except (StorageError, CorruptionError):
            if files.exists(wal_name(number)):
                raise
            continue
        sizes.append(file.size())
        file.close()
    return sizes


def _pins(files: Files) -> list[PinState]:
    """Return the pins that are there, without taking their locks: looking changes nothing."""
    found = []
    for name in files.entries(PINS_DIRECTORY):
        if not is_pin(name):
            continue
        try:
            file = files.open(f"{PINS_DIRECTORY}/{name}")
        except (StorageError, CorruptionError):
            continue  # Just released, or not ours to read.
        try:
            found.append(PinState.decode(file.read_at(0, PIN_SIZE)))
        except CorruptionError:
            found.append(PINS_EVERYTHING)
        finally:
            file.close()
    return found
