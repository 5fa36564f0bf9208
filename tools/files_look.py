"""The figures of a store, read from its files without the engine.

Loading the engine takes longer than all that `segtool info` does. The manifest has the counts, the
commits in the log say what became of them, and the rest is the sizes of files. Whatever is not
plain is left to the engine, which knows what it means, or says what is wrong.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Final

import lithograph
from lithograph.catalog.current_file import read_current
from lithograph.catalog.file_numbers import wal_numbers
from lithograph.catalog.manifest_file import read_manifest
from lithograph.errors import CorruptionError, LithographError
from lithograph.files import Files, OsFiles
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_header import FileHeader, FileKind
from lithograph.formats.file_names import (
    ENTRIES,
    LOCK_OPEN,
    PINS_DIRECTORY,
    SHARED_MAP,
    is_pin,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.formats.moment import decode_moment
from lithograph.formats.pin import NO_SEQUENCE, PIN_SIZE, PINS_EVERYTHING, PinState
from lithograph.formats.shared_map import SHARED_MAP_SIZE, SharedState
from lithograph.formats.wal_header import WAL_START, WalHeader
from lithograph.options import Options
from lithograph.tools.log_counts import LogCounts

_KERNEL_MODULES: Final = ("_compiled", "_memory", "_reads", "_runs", "_survey", "_tables")
_LOCKS: Final = Path("/proc/locks")
_READ, _WRITE = "READ", "WRITE"


def figures_of_files(path: str) -> dict[str, Any] | None:
    """Return what `Graph.stats()` would say, by name; None where it takes the engine to say it.

    The pins are those of other processes: none is taken for a look at a few small files. No memory
    is taken for what is in the log either, and of that log only those bytes are called synced that
    a file says are: an engine that opens the store syncs it.
    """
    kernel = _kernel()
    if kernel is None:
        return None
    try:
        files = OsFiles(path)
    except LithographError:
        return None
    try:
        return _figures(files, kernel)
    except LithographError:
        return None
    finally:
        files.close()


def _figures(files: Files, kernel: str) -> dict[str, Any] | None:
    lock = Path(files.path_of(LOCK_OPEN))
    holders = _holders(lock)
    if set(files.entries("")) - ENTRIES or _WRITE in holders:
        return None
    # Read before CURRENT, which is never behind it.
    published = _published(files) if holders else None
    reading = read_current(files)
    if reading.newest is None or reading.damage:
        return None
    manifest = read_manifest(files, reading.newest)
    counts = _counts(files, reading.newest, manifest, published)
    if counts is None or (not holders and _holders(lock)):
        return None
    options, tuning = Options(), Options().tuning
    histories = [entry for entry in manifest.segments if entry.history is not None]
    sizes = _log_sizes(files)
    pins = _pins(files)
    return {
        "sequence": counts.sequence,
        "node_count": manifest.node_count + counts.node_count,
        "edge_count": manifest.edge_count + counts.edge_count,
        "type_count": len(manifest.types) + counts.type_count,
        "generation": manifest.generation,
        "floor_sequence": manifest.floor_sequence,
        "floor_time": decode_moment(manifest.floor_time) if manifest.floor_sequence else None,
        "memtable_size_bytes": 0,
        "memtable_size_bytes_max": tuning.memtable_size_bytes_max,
        "memtable_version_count": counts.version_count,
        "frozen_size_bytes": 0,
        "frozen_version_count": 0,
        "cache_size_bytes": 0,
        "cache_size_bytes_max": options.cache_size_bytes,
        "cache_hit_count": 0,
        "cache_miss_count": 0,
        "open_file_count": 0,
        "open_file_count_max": tuning.open_file_count_max,
        "segment_count": len(manifest.segments),
        "segment_size_bytes": sum(entry.size for entry in manifest.segments),
        "segment_entry_count": sum(entry.entry_count for entry in manifest.segments),
        "sealed_segment_count": sum(entry.sealed for entry in manifest.segments),
        "history_count": len(histories),
        "history_size_bytes": sum(entry.history_size for entry in histories),
        "history_version_count": sum(entry.version_count for entry in histories),
        "run_count": len(manifest.runs),
        "run_size_bytes": sum(entry.size for entry in manifest.runs),
        "run_name_count": sum(entry.entry_count for entry in manifest.runs),
        "wal_file_count": len(sizes),
        "wal_total_size_bytes": sum(sizes),
        "wal_size_bytes": counts.end,
        "wal_synced_bytes": counts.synced,
        "pin_count": len(pins),
        "pinned_generation": min((pin.generation for pin in pins), default=None),
        "pinned_sequence": min(
            (pin.sequence for pin in pins if pin.sequence != NO_SEQUENCE), default=None
        ),
        "kernel": kernel,
    }


def _counts(
    files: Files, slot: CurrentSlot, manifest: Manifest, published: tuple[SharedState, bytes] | None
) -> LogCounts | None:
    """Return what the logs say, as far as processes that live have published it."""
    if published is None:
        if _log_is_empty(files, slot, manifest):
            return LogCounts(manifest.last_sequence)
        counts = _count_log(files, slot.store_uuid, slot.wal_number, None, manifest)
        if counts is None or counts.end < slot.wal_synced:
            return None
        counts.synced = max(counts.synced, slot.wal_synced)
        return counts
    state, store_uuid = published
    if state.generation > slot.generation or store_uuid != slot.store_uuid:
        return None
    counts = _count_log(files, slot.store_uuid, state.wal_number, state.wal_end, manifest)
    if counts is None or counts.sequence != state.last_sequence:
        return None
    counts.synced = state.wal_synced
    return counts


def _count_log(
    files: Files, store_uuid: bytes, newest: int, end: int | None, manifest: Manifest
) -> LogCounts | None:
    # What decodes operations takes a sixth of the time of a look that needs none of it to load.
    from lithograph.tools.log_look import count_log

    return count_log(files, store_uuid, newest, end, manifest)


def _log_is_empty(files: Files, slot: CurrentSlot, manifest: Manifest) -> bool:
    """Return whether every commit is in the files that the manifest names."""
    if manifest.first_wal_number != slot.wal_number or slot.wal_synced > WAL_START:
        return False
    file = files.open(wal_name(slot.wal_number))
    try:
        if file.size() != WAL_START:
            return False
        header = WalHeader.decode(file.read_at(0, WAL_START), slot.store_uuid, slot.wal_number)
    finally:
        file.close()
    return header.first_sequence == manifest.last_sequence + 1


def _published(files: Files) -> tuple[SharedState, bytes]:
    """Return what the processes that have the store open have published, and the UUID of the store
    that they have open.

    Raises
    ------
    CorruptionError : it cannot be read, perhaps because one of them is about to write it.
    """
    file = files.open(SHARED_MAP)
    try:
        data = file.read_at(0, SHARED_MAP_SIZE)
    finally:
        file.close()
    header = FileHeader.decode(data)
    header.expect(FileKind.SHARED_MAP, header.store_uuid)
    return SharedState.decode(data), header.store_uuid


def _log_sizes(files: Files) -> list[int]:
    sizes = []
    for number in wal_numbers(files):
        file = files.open(wal_name(number))
        sizes.append(file.size())
        file.close()
    return sizes


def _pins(files: Files) -> list[PinState]:
    found = []
    for name in files.entries(PINS_DIRECTORY):
        if not is_pin(name):
            continue
        file = files.open(f"{PINS_DIRECTORY}/{name}")
        try:
            found.append(PinState.decode(file.read_at(0, PIN_SIZE)))
        except CorruptionError:
            found.append(PINS_EVERYTHING)
        finally:
            file.close()
    return found


def _holders(lock: Path) -> set[str]:
    """Return how processes hold the lock: `_READ`, `_WRITE` alone, or not at all. To try it would
    be in the way of others."""
    try:
        number = lock.stat().st_ino
    except FileNotFoundError:
        return set()  # Nobody has opened the store since it was copied here.
    except OSError:
        return {_WRITE}
    try:
        held = _LOCKS.read_text("ascii", "replace")
    except OSError:
        return {_WRITE}
    lines = [line.split() for line in held.splitlines() if f":{number} " in line]
    return {word for line in lines for word in (_READ, _WRITE) if word in line}


def _kernel() -> str | None:
    """Return which kernel would be in use; None where choosing it is an error."""
    choice = os.environ.get("LITHOGRAPH_KERNEL", "auto")
    if choice == "reference":
        return choice
    assert lithograph.__file__ is not None
    folder = [str(Path(lithograph.__file__).parent / "kernel")]
    is_built = all(PathFinder.find_spec(name, folder) is not None for name in _KERNEL_MODULES)
    if choice not in ("auto", "compiled") or (choice == "compiled" and not is_built):
        return None
    loaded = sys.modules.get("lithograph.kernel")
    return loaded.backend if loaded is not None else "compiled" if is_built else "reference"
