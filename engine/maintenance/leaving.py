"""Leaving a store: what the last process does for the next opening (SPEC.md, section 11.4)."""

from __future__ import annotations

from dataclasses import replace

from lithograph.catalog.current_file import read_current, write_current
from lithograph.catalog.file_numbers import wal_numbers
from lithograph.catalog.store_locks import StoreLocks
from lithograph.errors import LockedError
from lithograph.files import Files
from lithograph.formats.file_names import wal_name
from lithograph.formats.wal_header import WAL_START
from lithograph.maintenance.caretaker import Caretaker
from lithograph.maintenance.recovery import valid_slot
from lithograph.options import Options
from lithograph.write.journal import Journal


def flush_if_last(
    caretaker: Caretaker, locks: StoreLocks, journal: Journal, options: Options
) -> None:
    """Flush a long log if nobody else has the store open: the next opening need not read it."""
    limit = options.tuning.close_wal_bytes_max
    if journal.failure is None and log_size(journal) > limit and _is_alone(locks, options):
        caretaker.checkpoint()


def log_size(journal: Journal) -> int:
    """Return the bytes of the logs behind what the generation's files hold."""
    first = journal.stack.generation.manifest.first_wal_number
    size = journal.position.offset - WAL_START
    for number in wal_numbers(journal.files):
        if first <= number < journal.log.number:
            file = journal.files.open(wal_name(number))
            size += file.size()
            file.close()
    return size


def _is_alone(locks: StoreLocks, options: Options) -> bool:
    """Return whether no other process has joined; the open lock is held shared again then."""
    if options.exclusive:
        return True
    try:
        with locks.publish(timeout_s=0):
            alone = locks.open.try_acquire(exclusive=True)
            # Nobody can come between: whoever wants this lock holds the publish lock first.
            locks.open.acquire(exclusive=False, timeout_s=locks.timeout_s)
            return alone
    except LockedError:
        return False  # Somebody is joining.


def leave_store(
    files: Files, locks: StoreLocks, journal: Journal, *, writable: bool, sync: bool
) -> None:
    """Make what was committed durable (with `sync`), and mark the end of the log if nobody is left.

    Never waits for another process. Everything is given back, also where the sync fails.
    """
    try:
        if writable and sync and journal.failure is None:
            # Without the commit lock: syncing more than is published harms nobody.
            journal.refresh()
            journal.log.file.sync_data()
            _mark_clean(files, locks, journal)
    finally:
        journal.close()
        locks.close()


def _mark_clean(files: Files, locks: StoreLocks, journal: Journal) -> None:
    """Note in CURRENT that the whole log is synced: the next opening has nothing to copy."""
    try:
        with locks.publish(timeout_s=0):
            if not locks.open.try_acquire(exclusive=True):
                return
            journal.refresh()
            position = journal.position
            log = journal.log
            if journal.state.flags:
                return
            log.cut_room(position.offset)
            if log.file.size() != position.offset:
                return
            log.file.sync_data()
            current = valid_slot(files, read_current(files))
            if (current.wal_number, current.wal_synced) != (position.wal_number, position.offset):
                write_current(
                    files, replace(current, turn=current.turn + 1, wal_synced=position.offset)
                )
    except LockedError:
        pass  # Somebody is joining or leaving: the end of the log is theirs to mark.
