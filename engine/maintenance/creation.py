"""Making a store (SPEC.md, section 11.1).

CURRENT comes last: without a slot that can be read there is no store, and a creation that was cut
short at any step is made anew by the next one. Nothing is acknowledged before the parent is synced.
"""

from __future__ import annotations

from lithograph.catalog.current_file import create_current, read_current
from lithograph.catalog.file_numbers import manifest_numbers, wal_numbers
from lithograph.catalog.manifest_file import write_manifest
from lithograph.environment import Environment
from lithograph.errors import CorruptionError, NotAStoreError
from lithograph.files import Files
from lithograph.formats.current import SLOT_COUNT, SLOT_SIZE, CurrentSlot
from lithograph.formats.file_header import MAGIC
from lithograph.formats.file_names import (
    CURRENT,
    DIRECTORIES,
    ENTRIES,
    LOCKS_DIRECTORY,
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    manifest_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.formats.wal_header import WAL_START
from lithograph.write.wal_file import WalFile


def check_directory(files: Files) -> None:
    """Raise NotAStoreError if the directory is neither a store nor empty; writes nothing."""
    entries = files.entries("")
    strange = sorted(set(entries) - ENTRIES)
    if CURRENT in entries:
        file = files.open(CURRENT)
        try:
            starts = [file.read_at(slot * SLOT_SIZE, len(MAGIC)) for slot in range(SLOT_COUNT)]
        finally:
            file.close()
        # Zeros, and a few first bytes, are what a creation cut short may leave.
        unfinished = all(MAGIC.startswith(start.rstrip(b"\0")) for start in starts)
        strange = [] if MAGIC in starts or unfinished else [CURRENT]
    if strange:
        raise NotAStoreError(
            f"{files.root} is not a lithograph store: its {strange[0]!r} is not one of ours; "
            "use an empty directory, or a path that does not exist yet"
        )


def is_unfinished(files: Files) -> bool:
    """Return whether there is no store here yet: nothing, or what a creation cut short has left.

    A store that was used is never taken for one: its logs hold records, whatever became of CURRENT.
    """
    entries = files.entries("")
    if CURRENT in entries:
        try:
            if read_current(files).newest is not None:
                return False
        except CorruptionError:
            # A file that is too long or of two stores is no work of a creation.
            return False
    if NAMES_DIRECTORY in entries or PARTITIONS_DIRECTORY in entries:
        return False
    return all(_is_bare(files, number) for number in wal_numbers(files))


def create_store(files: Files, environment: Environment) -> None:
    """Make the files of an empty store; the caller is alone with the directory, and recovers next.

    Raises
    ------
    StorageError : what was made so far is no store, and the next creation starts over.
    """
    _remove_leftovers(files)
    store_uuid = environment.new_uuid()
    for directory in DIRECTORIES:
        files.make_directory(directory)
    log, _ = WalFile.create(
        files,
        store_uuid,
        at_least=1,
        epoch=environment.random_u64() or 1,
        previous=None,
        copies=[],
    )
    log.close()
    manifest = Manifest(generation=1, first_wal_number=log.number, next_file_number=log.number + 2)
    number = log.number + 1
    digest = write_manifest(files, store_uuid, number, manifest)
    # The directories must be found before CURRENT names what is in them.
    files.sync_directory("")
    # What is left, CURRENT's own entry and that of the store, is for the recovery that follows: it
    # must do that anyway, since a creation can die here.
    create_current(files, CurrentSlot(store_uuid, 1, 1, number, digest, log.number, WAL_START))


def prepare_locks(files: Files) -> None:
    """Make the directory of the locks, the only thing that exists before anybody is alone."""
    files.make_directory(LOCKS_DIRECTORY)


def _remove_leftovers(files: Files) -> None:
    for number in manifest_numbers(files):
        files.unlink(manifest_name(number))
    for number in wal_numbers(files):
        files.unlink(wal_name(number))


def _is_bare(files: Files, number: int) -> bool:
    """Return whether a log holds no record, nor anything that may have been one."""
    file = files.open(wal_name(number))
    try:
        return file.size() <= WAL_START
    finally:
        file.close()
