"""Publishing a generation: other files become the store (SPEC.md, section 11.5).

The caller holds the commit lock and has synced the files that the new manifest names, and their
directories. Order: manifest, its directory, slot of CURRENT, shared.map. A crash leaves CURRENT
naming the old generation or the new one, and both are complete.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from lithograph.catalog.current_file import write_slot
from lithograph.catalog.manifest_file import read_manifest, write_manifest
from lithograph.catalog.store_locks import StoreLocks
from lithograph.errors import StorageError
from lithograph.formats.file_names import CURRENT, manifest_name
from lithograph.formats.manifest import Manifest
from lithograph.write.journal import Journal

Edit = Callable[[Manifest], Manifest | None]
"""Returns the manifest with its change, or None where an input of the change is gone."""


def publish(journal: Journal, locks: StoreLocks, edit: Edit) -> bool:
    """Put the manifest that `edit` makes of the newest one in force; return whether it did.

    Raises
    ------
    StorageError : the old generation is in force, or, where CURRENT could not be synced, either;
        the journal then refuses to write and nothing may be removed.
    """
    files = journal.files
    with locks.publish():
        slot = journal.current_slot()
        if slot.generation != journal.stack.generation.number:
            # Somebody published and died before the map said so.
            journal.adopt_generation(slot.generation)
            return False
        manifest = edit(read_manifest(files, slot))
        if manifest is None:
            return False
        number = journal.claim_number()
        manifest = replace(manifest, generation=slot.generation + 1, next_file_number=number + 1)
        # Opened first: what cannot be opened was not written to, and nothing is uncertain.
        current = files.open(CURRENT, writable=True)
        try:
            digest = _write_manifest(journal, number, manifest)
            turn = slot.turn + 1
            slot = replace(slot, turn=turn, manifest_number=number, manifest_hash=digest)
            try:
                write_slot(current, replace(slot, generation=manifest.generation))
                journal.install(manifest, number)
            except BaseException as error:
                _fail(journal, error)
                raise
        finally:
            current.close()
    return True


def _write_manifest(journal: Journal, number: int, manifest: Manifest) -> bytes:
    """Write and sync a manifest; return its hash."""
    try:
        return write_manifest(journal.files, journal.store_uuid, number, manifest)
    except BaseException:
        _remove(journal, number)
        raise


def _fail(journal: Journal, error: BaseException) -> None:
    """Refuse to write from now on: nobody knows which generation is in force."""
    if journal.failure is None:
        uncertain = StorageError("interrupted while a generation was published")
        journal.fail(error if isinstance(error, StorageError) else uncertain)


def _remove(journal: Journal, number: int) -> None:
    """Remove a manifest that nothing names, if the machine lets us."""
    # What stays is removed by the next process that is alone.
    with contextlib.suppress(StorageError):
        journal.files.unlink(manifest_name(number))
