"""What stands in a store's directory, held against what should."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from lithograph.catalog.current_file import read_current
from lithograph.catalog.manifest_file import read_manifest
from lithograph.files import Files
from lithograph.formats.file_names import (
    CURRENT,
    LOCK_COMMIT,
    LOCK_COMPACT,
    LOCK_FLUSH,
    LOCK_OPEN,
    LOCK_PUBLISH,
    PARTITIONS_DIRECTORY,
    PINS_DIRECTORY,
    SHARED_MAP,
    manifest_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.obsolete import sealed_files
from lithograph.maintenance.recovery import valid_slot
from lithograph.write.log_chain import LogChain

_ALWAYS: Final = {
    CURRENT,
    SHARED_MAP,
    LOCK_OPEN,
    LOCK_COMMIT,
    LOCK_PUBLISH,
    LOCK_FLUSH,
    LOCK_COMPACT,
}


def leftovers(files: Files, *, pin_count: int = 1) -> list[str]:
    """Return what is wrong with the directory of a store that was just opened, or just closed.

    Every sealed file, manifest and log that is named is there, and no other; no spool, no partition
    without files, no pin but those of the `pin_count` processes that have the store open.
    """
    slot = valid_slot(files, read_current(files))
    manifest = read_manifest(files, slot)
    chain = LogChain.read(
        files, slot.store_uuid, slot.wal_number, manifest.first_wal_number, writable=False
    )
    logs = {wal_name(header.file_number) for header in chain.headers}
    chain.close()
    named = logs | {manifest_name(slot.manifest_number), *sealed_files(manifest)}
    found = set(_walk(files, ""))
    pins = {name for name in found if name.startswith(f"{PINS_DIRECTORY}/")}
    wrong = [f"{name} is named and missing" for name in sorted(named - found)]
    wrong += [f"{name} is left behind" for name in sorted(found - named - pins - _ALWAYS)]
    if len(pins) != pin_count:
        wrong.append(f"{len(pins)} pins of {pin_count} processes")
    return wrong + _needless_directories(files, manifest)


def _needless_directories(files: Files, manifest: Manifest) -> list[str]:
    needed = {segment.partition for segment in manifest.segments}
    there = set(files.entries(PARTITIONS_DIRECTORY))
    return [f"partition {name} is empty" for name in sorted(there - needed)]


def _walk(files: Files, directory: str) -> Iterator[str]:
    for name in files.entries(directory):
        path = posixpath.join(directory, name)
        # Only directories have names without a dot, but for the lock files and CURRENT.
        if "." in name or path in _ALWAYS:
            yield path
        else:
            yield from _walk(files, path)
