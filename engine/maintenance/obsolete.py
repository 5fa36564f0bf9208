"""Removing files that nobody needs any more (SPEC.md, section 11.6).

A file that was published is removed only through the manifest that named it: when that manifest is
older than every pin, whatever it names and no newer manifest does can go, and it goes itself last.
Files that no manifest names may be another process's work in progress: only a process that is
alone removes those (`recovery`).
"""

from __future__ import annotations

import logging

from lithograph.catalog.file_numbers import manifest_numbers, wal_numbers
from lithograph.catalog.manifest_file import read_manifest_file
from lithograph.catalog.pins import read_pins
from lithograph.catalog.shelf import Shelf
from lithograph.errors import CorruptionError, StorageError
from lithograph.files import Files
from lithograph.formats.file_names import (
    PARTITIONS_DIRECTORY,
    history_name,
    manifest_name,
    run_name,
    segment_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest

_log = logging.getLogger("lithograph")


def remove_obsolete(
    files: Files, store_uuid: bytes, current: Manifest, own_generation: int, shelf: Shelf
) -> None:
    """Remove what only generations older than every pin named. Failures wait for the next time.

    current : the newest manifest, in force.   own_generation : the oldest this process reads from.

    Cost: a listing of `manifest/`, `wal/` and `locks/pins/`, and the reading of old manifests.
    """
    oldest = min([own_generation, *(pin.generation for pin in read_pins(files))])
    kept, gone = [current], []
    for number in manifest_numbers(files):
        try:
            manifest, _ = read_manifest_file(files, store_uuid, number)
        except CorruptionError:
            continue  # Being written, or damaged: whoever is alone next decides.
        if manifest.generation < min(oldest, current.generation):
            gone.append((number, manifest))
        elif manifest.generation != current.generation:
            kept.append(manifest)
    needed = {name for manifest in kept for name in sealed_files(manifest)}
    for number, manifest in gone:
        names = [name for name in sealed_files(manifest) if name not in needed]
        for file_number in file_numbers(manifest) - file_numbers(current):
            shelf.forget(file_number)
        if all([_unlink(files, name) for name in names]):
            _unlink(files, manifest_name(number))
        for partition in {segment.partition for segment in manifest.segments}:
            remove_empty_partition(files, partition)
    first_wal = min(manifest.first_wal_number for manifest in kept)
    for number in wal_numbers(files):
        if number < first_wal:
            _unlink(files, wal_name(number))


def file_numbers(manifest: Manifest) -> set[int]:
    """Return the numbers of the runs and segments that a manifest names."""
    numbers = {run.number for run in manifest.runs}
    return numbers | {segment.number for segment in manifest.segments}


def sealed_files(manifest: Manifest) -> list[str]:
    """Return the paths of the runs, segments and histories that a manifest names."""
    return list(sealed_sizes(manifest))


def sealed_sizes(manifest: Manifest) -> dict[str, int]:
    """Return the bytes of each run, segment and history that a manifest names, by path."""
    sizes = {run_name(run.number): run.size for run in manifest.runs}
    for segment in manifest.segments:
        sizes[segment_name(segment.partition, segment.number)] = segment.ref.size
        if segment.history is not None:
            sizes[history_name(segment.partition, segment.number)] = segment.history.size
    return sizes


def remove_empty_partition(files: Files, partition: str) -> None:
    """Remove a partition's directory if nothing is in it."""
    try:
        files.remove_directory(f"{PARTITIONS_DIRECTORY}/{partition}")
    except StorageError as error:
        _log.warning("%s", error)


def _unlink(files: Files, name: str) -> bool:
    """Remove a file that may be gone already; return whether it is gone now."""
    try:
        if files.exists(name):
            files.unlink(name)
    except StorageError as error:
        if not files.exists(name):
            return True  # Another process was faster.
        _log.warning("%s", error)
        return False
    return True
