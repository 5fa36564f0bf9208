"""Joining a store (SPEC.md, section 11.2).

This, and leaving it, happen under the publish lock, so that whoever holds the open lock shared
either recovered the store or joined somebody who had. Getting the open lock exclusively means to be
alone.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lithograph.catalog.current_file import read_current
from lithograph.catalog.file_numbers import next_number
from lithograph.catalog.generation import Generation
from lithograph.catalog.hold import Hold
from lithograph.catalog.manifest_file import read_manifest
from lithograph.catalog.pins import Pin
from lithograph.catalog.shared_map_file import SharedMapFile
from lithograph.catalog.shelf import Shelf
from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.errors import (
    CorruptionError,
    LockedError,
    StorageError,
    StoreExistsError,
    StoreNotFoundError,
)
from lithograph.files import Files
from lithograph.formats.file_names import CURRENT, SHARED_MAP
from lithograph.formats.pin import NO_SEQUENCE
from lithograph.formats.shared_map import SharedState
from lithograph.maintenance.creation import create_store, is_unfinished
from lithograph.maintenance.recovery import Recovered, read_store, recover, valid_slot
from lithograph.options import Options
from lithograph.write.empty_memtable import memtable_above
from lithograph.write.journal import Journal
from lithograph.write.layer_stack import LayerStack
from lithograph.write.log_chain import LogChain
from lithograph.write.replay import apply_to, before_log, follow
from lithograph.write.wal_file import LogPosition, WalFile

if TYPE_CHECKING:
    from lithograph.kernel._reads import Watch

_RETRY_INTERVAL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who joins a store, and with what."""

    files: Files
    environment: Environment
    locks: StoreLocks
    options: Options
    shelf: Shelf


def join_store(visitor: Visitor) -> Journal:
    """Open the store in a directory, creating it if the mode says so; return its journal.

    Raises
    ------
    StoreNotFoundError, LockedError, CorruptionError, FormatVersionError, StorageError
    """
    files, locks, options = visitor.files, visitor.locks, visitor.options
    if not options.writable:
        return _join_as_reader(visitor)
    if options.exclusive:
        return _join_alone(visitor)
    with locks.publish():
        if not locks.open.try_acquire(exclusive=True):
            locks.open.acquire(exclusive=False, timeout_s=locks.timeout_s)
            if options.mode == "x":
                raise store_exists(files)
            return _attach(visitor)
        journal = _create_or_recover(visitor)
        # Nobody can come between: whoever wants this lock holds the publish lock first.
        if not locks.open.try_acquire(exclusive=False):
            raise LockedError(f"{files.root}: the open lock was taken away; open again")
        return journal


def _join_alone(visitor: Visitor) -> Journal:
    """Wait until nobody has the store open, and keep everybody out from then on."""
    locks = visitor.locks
    deadline = time.monotonic() + locks.timeout_s
    while True:
        # The publish lock is given back between two tries: those inside need it to go on.
        with locks.publish():
            try:
                locks.open.acquire(exclusive=True, timeout_s=0)
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
            else:
                return _create_or_recover(visitor)
        time.sleep(_RETRY_INTERVAL_S)


def _create_or_recover(visitor: Visitor) -> Journal:
    """Make the store if there is none and the mode says so, else recover it; alone with it."""
    files, mode = visitor.files, visitor.options.mode
    if is_unfinished(files):
        if mode == "w":
            raise no_store(files)
        create_store(files, visitor.environment)
    elif mode == "x":
        raise store_exists(files)
    return _recover_alone(visitor)


def store_exists(files: Files) -> StoreExistsError:
    """Return the error for mode="x" where a store is already."""
    return StoreExistsError(f'{files.root} holds a store already; open it with mode="c" or "w"')


def no_store(files: Files) -> StoreNotFoundError:
    """Return the error for a mode that does not create."""
    return StoreNotFoundError(
        f'there is no store in {files.root}; open it with mode="c" to create one'
    )


def _recover_alone(visitor: Visitor) -> Journal:
    files, environment = visitor.files, visitor.environment
    found, log, position, current = recover(files, environment)
    state = _published(
        environment.random_u64(), current.generation, position, next_number(files, found.manifest)
    )
    shared = SharedMapFile.rewrite(files, current.store_uuid, state)
    return _journal(visitor, found, log, position, shared.read(), shared)


def _journal(
    visitor: Visitor,
    found: Recovered,
    log: WalFile,
    position: LogPosition,
    state: SharedState,
    shared: SharedMapFile | None,
) -> Journal:
    """Return the journal over what was read from the store's files."""
    current = found.current
    hold = Hold(_pin(visitor, current.generation))
    generation = Generation(
        found.manifest,
        current.manifest_number,
        visitor.shelf,
        current.store_uuid,
        is_pinned=hold.is_pinned,
    )
    return Journal(
        visitor.files,
        visitor.environment,
        visitor.locks,
        current.store_uuid,
        LayerStack(found.memtable, (), generation),
        log,
        position,
        state,
        shared,
        shelf=visitor.shelf,
        hold=hold,
        writable=visitor.options.writable,
        exclusive=visitor.options.exclusive,
    )


def _pin(visitor: Visitor, generation: int) -> Pin | None:
    """Tell other processes what this one reads; a reader that may not write goes without."""
    try:
        return Pin.take(visitor.files, visitor.environment, generation, NO_SEQUENCE)
    except StorageError:
        # A full disk, or one that cannot be written to, is no reason not to read.
        if visitor.options.writable:
            raise
        return None


def _published(
    session: int, generation: int, position: LogPosition, next_file_number: int
) -> SharedState:
    """Return what shared.map says when the log ends at `position`."""
    return SharedState(
        counter=0,
        session=session,
        generation=generation,
        wal_number=position.wal_number,
        wal_end=position.offset,
        wal_synced=position.offset,
        chain=position.chain,
        last_sequence=position.sequence,
        last_commit_time=position.commit_time,
        next_file_number=next_file_number,
    )


def _attach(visitor: Visitor) -> Journal:
    """Join the processes that have the store open; what they published is what there is."""
    files, writable = visitor.files, visitor.options.writable
    current = valid_slot(files, read_current(files))
    shared = SharedMapFile.open(files, writable=writable)
    shared.check_owner(current.store_uuid)
    state = shared.read()
    # CURRENT may be ahead of the map: whoever published a generation may have died in between.
    if state.generation > current.generation:
        raise CorruptionError(
            f"generation {state.generation} is published, CURRENT names {current.generation}",
            path=shared.path,
        )
    manifest = read_manifest(files, current)
    memtable = memtable_above(manifest)
    chain = LogChain.read(
        files,
        current.store_uuid,
        state.wal_number,
        manifest.first_wal_number,
        writable=writable,
    )
    try:
        end = follow(chain, before_log(manifest), state.wal_end, apply_to(memtable))
    except BaseException:
        chain.close()
        raise
    log = chain.take()
    found = Recovered(current, manifest, memtable, log, (), end, False)
    return _journal(visitor, found, log, end.position, state, shared)


def _join_as_reader(visitor: Visitor) -> Journal:
    """Open for reading, writing nothing; where nobody writes now, notice when somebody begins."""
    files, locks = visitor.files, visitor.locks
    try:
        with locks.publish():
            if not locks.open.try_acquire(exclusive=True):
                locks.open.acquire(exclusive=False, timeout_s=locks.timeout_s)
                return _attach(visitor)
            journal = _read_alone(visitor)
            locks.open.release()
            return journal
    except LockedError:
        raise
    except StorageError as error:
        if files.exists("locks/open") or not _cannot_lock(error):
            raise
        # A copy on a medium that cannot be written and without locks: nobody has it open.
        return _read_alone(visitor)


def _cannot_lock(error: StorageError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (
        errno.ENOENT,
        errno.EACCES,
        errno.EROFS,
        errno.EPERM,
    )


def _read_alone(visitor: Visitor) -> Journal:
    files = visitor.files
    if is_unfinished(files):
        raise no_store(files)
    watch = _Watch(files)
    seen = watch.counter()
    found = read_store(files, writable=False)
    _sync_if_possible(files, found.log)
    position = found.end.position
    state = _published(visitor.environment.random_u64(), found.current.generation, position, 1)
    journal = _journal(visitor, found, found.log, position, state, None)
    journal.rejoin = _Rejoin(files, visitor.locks, journal, watch, seen)
    return journal


class _Watch:
    """The counter of shared.map for a reader that holds no lock; the map may come into being
    later."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._shared: SharedMapFile | None = None

    def counter(self) -> bytes:
        """Return the counter, b"" where there is no map."""
        if self._shared is None and self._files.exists(SHARED_MAP):
            self._shared = SharedMapFile.open(self._files, writable=False)
        return self._shared.counter() if self._shared is not None else b""

    @property
    def watch(self) -> Watch | None:
        """The same as the kernel sees it; None where there is no map, or only the plain kernel."""
        return self._shared.watch if self._shared is not None else None


class _Rejoin:
    """Called before each read of a reader that holds no lock: joins whoever began to write."""

    def __init__(
        self, files: Files, locks: StoreLocks, journal: Journal, watch: _Watch, seen: bytes
    ) -> None:
        self._files = files
        self._locks = locks
        self._journal = journal
        self._watch = watch
        self._seen = seen

    @property
    def watch(self) -> Watch | None:
        return self._watch.watch

    def has_taken(self, counter: bytes) -> bool:
        return counter == self._seen

    def __call__(self) -> None:
        if self._watch.counter() == self._seen:
            return
        journal = self._journal
        with journal.guard:
            seen = self._watch.counter()
            if journal.shared is not None or seen == self._seen:
                return
            with self._locks.publish():
                if self._locks.open.try_acquire(exclusive=True):
                    # They wrote and left: their files say what there is, as at the opening.
                    self._follow_files()
                    self._locks.open.release()
                    self._seen = seen
                    return
                self._locks.open.acquire(exclusive=False, timeout_s=self._locks.timeout_s)
                shared = SharedMapFile.open(self._files, writable=False)
                journal.catch_up(shared.read())
                journal.attach(shared)

    def _follow_files(self) -> None:
        journal = self._journal
        found = read_store(self._files, writable=False)
        found.log.close()
        journal.catch_up(
            _published(journal.state.session, found.current.generation, found.end.position, 1)
        )
        _sync_if_possible(self._files, journal.log)


def _sync_if_possible(files: Files, log: WalFile) -> None:
    """Sync what a crash may have left in the cache only: what is served must survive a power
    cut."""
    current = files.open(CURRENT)
    try:
        for file in (log.file, current):
            try:
                file.sync_data()
            except StorageError as error:
                cause = error.__cause__
                if not (isinstance(cause, OSError) and cause.errno in (errno.EROFS, errno.EINVAL)):
                    raise
    finally:
        current.close()
