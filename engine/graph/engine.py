"""The engine of one open store: shared by every `Graph` that this process has on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.errors import ClosedError, LithographError
from lithograph.files import Files
from lithograph.maintenance.creation import check_directory, is_unfinished, prepare_locks
from lithograph.maintenance.session import join_store, leave_store, no_store, store_exists
from lithograph.options import Options
from lithograph.segments.layer import Layers
from lithograph.transaction.committer import Committer
from lithograph.view.view import View


class Engine:
    """One process's hold on a store.

    Attributes
    ----------
    """

    def __init__(self, files: Files, environment: Environment, options: Options) -> None:
        """Open or create the store in `files`; on failure everything but `files` is given back."""
        self.files = files
        self.environment = environment
        self.options = options
        self._closed = ""
        self._locks = StoreLocks(files, environment.process_id(), options.lock_timeout_s)
        try:
            self.journal = join_store(files, environment, self._locks, options)
        except BaseException:
            self._locks.close()
            raise
        self.committer = Committer(self.journal, self._locks, environment, options)
        self._newest = self._make_view()

    def view(self) -> View:
        """Return the view of the newest commit. Cost: one look at shared.map."""
        if self._closed:
            self.check_open()
        try:
            self.journal.refresh()
        except LithographError:
            # Written out, not `told_when_closed`: this is the path of every read.
            self.check_open()
            raise
        view = self._newest
        if view.sequence != self.journal.published:
            view = self._newest = self._make_view()
        return view

    def check_open(self) -> None:
        """Raise ClosedError if the store is closed, or was opened before a fork."""
        if self._closed:
            raise ClosedError(f"{self.files.root} {self._closed}; open it again")

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
        if self._closed:
            return
        self._closed = "is closed"
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
            self.files.close()

    def abandon(self) -> None:
        """After a fork, in the child: the store belongs to the parent."""
        self._closed = "was opened before this process was forked"
        self.files.abandon()

    def _make_view(self) -> View:
        memtable = self.journal.memtable
        sequence = self.journal.published
        return View(
            Layers((memtable,), (memtable,)),
            sequence,
            memtable.types.names.__getitem__,
            memtable.types.code,
            memtable.commits.node_count(sequence),
            memtable.commits.edge_count(sequence),
        )


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
