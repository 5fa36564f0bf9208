"""The engine of one open store: shared by every `Graph` that this process has on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lithograph.catalog.shelf import Shelf
from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.errors import ClosedError, LithographError
from lithograph.files import Files
from lithograph.kernel import quick
from lithograph.maintenance.caretaker import Caretaker
from lithograph.maintenance.creation import check_directory, is_unfinished, prepare_locks
from lithograph.maintenance.leaving import flush_if_last, leave_store
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.session import (
    Visitor,
    join_store,
    no_store,
    store_exists,
)
from lithograph.options import Options
from lithograph.transaction.committer import Committer
from lithograph.view.snapshot import Snapshots
from lithograph.view.view import View

if TYPE_CHECKING:
    from lithograph.kernel._reads import QuickReader

_log = logging.getLogger("lithograph")


class Engine:
    """One process's hold on a store.

    Attributes
    ----------
    store : its parts, for maintenance.   snapshots : those that are open.
    closed : why it may not be used any more, "" while it may.
    reader : what the kernel answers by itself of the newest view; None on the reference.
    """

    def __init__(self, files: Files, environment: Environment, options: Options) -> None:
        """Open or create the store in `files`; on failure everything but `files` is given back."""
        self.files = files
        self.environment = environment
        self.options = options
        self.closed = ""
        self.reader: QuickReader | None = quick.QuickReader() if quick is not None else None
        self._locks = StoreLocks(files, environment.process_id(), options.lock_timeout_s)
        self.shelf = Shelf(files, options.cache_size_bytes, options.tuning.open_file_count_max)
        files.on_exhausted = self.shelf.shrink
        try:
            self.journal = join_store(Visitor(files, environment, self._locks, options, self.shelf))
        except BaseException:
            self._locks.close()
            raise
        self.committer = Committer(self.journal, self._locks, environment, options)
        self.store = OpenStore(
            files,
            environment,
            options,
            self._locks,
            self.journal,
            self.committer,
            self.shelf,
            self._renew_view,
        )
        self.caretaker = Caretaker(self.store)
        if options.writable:
            self.committer.upkeep = self.caretaker
        self.snapshots = Snapshots(self.journal)
        self._stack, sequence = self.journal.newest()
        self._newest = View.over(self._stack, sequence)

    def view(self) -> View:
        """Return the view of the newest commit. Cost: one look at shared.map."""
        if self.closed:
            self.check_open()
        try:
            self.journal.refresh()
        except LithographError:
            # Written out, not `told_when_closed`: this is the path of every read.
            self.check_open()
            raise
        view = self._newest
        journal = self.journal
        if view.sequence != journal.published or self._stack is not journal.stack:
            view = self._renew_view()
        return view

    def newest_view(self) -> View:
        """Return the view of the newest commit, and let the kernel answer from it until the next
        one is published."""
        watch = self.journal.watch
        # Before the view is made: what it is made of is as new as the counter, and whatever is
        # published from here on changes that.
        seen = watch.load() if watch is not None else None
        is_known = seen is not None and self.journal.has_taken(seen)
        view = self.view()
        if is_known and self.reader is not None and watch is not None and seen is not None:
            self.reader.renew(watch, seen, view.quick)
            if self.closed:
                self.reader.clear()
        return view

    def _renew_view(self) -> View:
        stack, sequence = self.journal.newest()
        view = View.over(stack, sequence)
        if stack.generation is not self._stack.generation:
            self.snapshots.move()
        if stack is not self._stack:
            # A process that only reads from now on must not keep what it committed to.
            self.committer.forget_layers()
        # Two threads may both get here; each has a view of its own, and the later one stays.
        self._stack, self._newest = stack, view
        return view

    def check_open(self) -> None:
        """Raise ClosedError if the store is closed, or was opened before a fork."""
        if self.closed:
            raise ClosedError(f"{self.files.root} {self.closed}; open it again")

    @contextmanager
    def told_when_closed(self) -> Iterator[None]:
        """Turn an error that comes of another thread's closing the store into ClosedError."""
        try:
            yield
        except LithographError:
            self.check_open()
            raise

    def close(self) -> None:
        """Make durable what was committed; everything is given back even where that fails.

        Waits for a commit that another thread has under way, never for readers.
        """
        if self.closed:
            return
        self.closed = "is closed"
        if self.reader is not None:
            self.reader.clear()
        failure = self.journal.failure
        unsaid: LithographError | None = None
        try:
            self.caretaker.close()
            if self.options.writable:
                flush_if_last(self.caretaker, self._locks, self.journal, self.options)
        except LithographError as error:
            # What was committed is in the log: the next opening has more to read, that is all;
            # unless it was the sync of the log that failed.
            _log.warning("%s: not flushed at closing: %s", self.files.root, error)
            unsaid = error if self.journal.failure is not failure else None
        self.committer.close()
        try:
            leave_store(
                self.files,
                self._locks,
                self.journal,
                writable=self.options.writable,
                sync=self.options.durability != "off",
            )
        finally:
            self.shelf.close()
            self.files.close()
        if unsaid is not None:
            raise unsaid

    def abandon(self) -> None:
        """After a fork, in the child: the store belongs to the parent."""
        self.closed = "was opened before this process was forked"
        if self.reader is not None:
            self.reader.clear()
        self.files.abandon()


def open_engine(files: Files, environment: Environment, options: Options) -> Engine:
    """Open or create the store in a directory; a foreign directory is left as it is.

    Raises
    ------
    NotAStoreError, StoreNotFoundError, StoreExistsError : by mode and what is there.
    LockedError, CorruptionError, FormatVersionError, StorageError
    """
    check_directory(files)
    unfinished = is_unfinished(files)
    if unfinished and options.mode in ("r", "w"):
        raise no_store(files)
    if not unfinished and options.mode == "x":
        raise store_exists(files)
    if options.writable:
        prepare_locks(files)
    return Engine(files, environment, options)
