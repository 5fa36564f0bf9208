"""Removing what was made and never named; for a process that is alone (SPEC.md, section 11.2)."""

from __future__ import annotations

import logging

from lithograph.catalog.file_numbers import (
    manifest_numbers,
    partition_files,
    partitions,
    run_numbers,
    spool_numbers,
    wal_numbers,
)
from lithograph.catalog.manifest_file import read_manifest_file
from lithograph.catalog.pins import read_pins
from lithograph.errors import CorruptionError, StorageError
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_names import (
    history_name,
    manifest_name,
    run_name,
    segment_name,
    spool_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.obsolete import remove_empty_partition, sealed_files

_log = logging.getLogger("lithograph")


def remove_orphans(
    files: Files, current: CurrentSlot, manifest: Manifest, logs: tuple[int, ...]
) -> None:
    """Remove every file that neither the store nor a reader's pin needs; CURRENT is on the medium.

    Nothing is removed while a file that the store needs is missing: it may have another name.

    logs : numbers of the logs that count.   Cost: a listing of every directory.
    """
    named = {current.manifest_number: manifest, **_pinned(files, current)}
    needed = {name for kept in named.values() for name in sealed_files(kept)}
    needed |= {manifest_name(number) for number in named}
    needed |= {wal_name(number) for number in (*logs, current.wal_number)}
    there = _numbered_files(files)
    if missing := set(sealed_files(manifest)).difference(there):
        _log.error("%s: missing: %s; nothing is removed", files.root, ", ".join(sorted(missing)))
        return
    for name in there:
        if name not in needed:
            try:
                files.unlink(name)
            except StorageError as error:
                # It does not count and harms nobody: the next opening tries again.
                _log.warning("%s", error)
    for partition in partitions(files):
        remove_empty_partition(files, partition)


def _pinned(files: Files, current: CurrentSlot) -> dict[int, Manifest]:
    """Return older manifests, by number, that a reader without locks may still read from."""
    oldest = min((pin.generation for pin in read_pins(files)), default=current.generation)
    found = {}
    for number in manifest_numbers(files):
        try:
            manifest, _ = read_manifest_file(files, current.store_uuid, number)
        except CorruptionError:
            continue  # Torn: it was never named.
        if oldest <= manifest.generation < current.generation:
            found[number] = manifest
    return found


def _numbered_files(files: Files) -> list[str]:
    """Return the paths of all numbered files that are there."""
    names = [manifest_name(number) for number in manifest_numbers(files)]
    names += [wal_name(number) for number in wal_numbers(files)]
    names += [run_name(number) for number in run_numbers(files)]
    names += [spool_name(number) for number in spool_numbers(files)]
    for partition, number, kind in partition_files(files):
        name = segment_name if kind == "seg" else history_name
        names.append(name(partition, number))
    return names
