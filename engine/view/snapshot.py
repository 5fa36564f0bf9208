"""Snapshots: the graph as it was at one commit, however much is written meanwhile.

Flushes and merges put newer layers in the place of those that a snapshot began with. It moves to
them, so that an idle one keeps neither memory nor files.

Invariants
1. From before a snapshot looks at the floor until it is closed, its commit is counted in the hold:
   merges that begin meanwhile keep what it sees.
2. A snapshot always has layers that hold its commit. A merge that began earlier may still raise the
   floor above it: then it stays with those that it has.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

from lithograph.errors import ClosedError, StorageError
from lithograph.view.reads import Reads
from lithograph.view.view import View
from lithograph.write.journal import Journal


class Snapshots:
    """The open snapshots of one process on one store."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: weakref.WeakSet[Snapshot] = weakref.WeakSet()
        self._guard = threading.Lock()

    def take(self, sequence: int, check_graph: Callable[[], None]) -> Snapshot | None:
        """Return a new snapshot of a commit that was published, None if it is below the floor.

        Raises
        ------
        StorageError : other processes cannot be told to keep it.
        """
        hold = self._journal.hold
        hold.keep(sequence)
        try:
            # The floor is looked at when no merge that begins from now on can raise it.
            stack, _ = self._journal.newest()
            forgotten = sequence < stack.generation.manifest.floor_sequence
            view = None if forgotten else View.over(stack, sequence)
        except BaseException:
            hold.forsake(sequence)
            raise
        if view is None:
            hold.forsake(sequence)
            return None
        snapshot = Snapshot(view, self, check_graph)
        with self._guard:
            self._open.add(snapshot)
        return snapshot

    def move(self) -> None:
        """Move every snapshot to the newest layers."""
        with self._guard:
            snapshots = list(self._open)
        for snapshot in snapshots:
            snapshot.move()

    def moved(self, view: View) -> View:
        """Return the same commit on the newest layers, or `view` where they have forgotten it."""
        stack = self._journal.stack
        if view.layers.owner is stack.generation:
            return view
        if view.sequence < stack.generation.manifest.floor_sequence:
            return view
        return view.on(stack)

    def forsake(self, sequence: int) -> None:
        """Keep a snapshot's commit no longer than to the next look at the hold; takes no lock."""
        self._journal.hold.forsake(sequence)

    def let_go(self, sequence: int) -> None:
        """Keep a snapshot's commit no longer."""
        # Where other processes cannot be told, they keep too much until they are told again.
        with contextlib.suppress(StorageError):
            self._journal.hold.let_go(sequence)


class Snapshot(Reads):
    """All reading methods of `Graph`, as of the commit it was taken at; a context manager.

    Ends with `close()`, with its graph, or with its process.
    """

    def __init__(self, view: View, snapshots: Snapshots, check_graph: Callable[[], None]) -> None:
        self._fixed = view
        self._snapshots = snapshots
        self._check_graph = check_graph
        self._closed = False
        # One that is dropped without close() lets go all the same.
        self._finalizer = weakref.finalize(self, snapshots.forsake, view.sequence)

    def _view(self) -> View:
        self._check_open()
        return self.move()

    def move(self) -> View:
        """Move to the newest layers and return the view over them. Cost: O(1) without news."""
        view = self._snapshots.moved(self._fixed)
        self._fixed = view
        return view

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the snapshot is closed; take a new one with graph.snapshot()")
        self._check_graph()

    def close(self) -> None:
        """Let go of what the snapshot keeps; its iterators raise ClosedError from now on."""
        self._closed = True
        if self._finalizer.detach() is None:
            return
        try:
            self._check_graph()
        except ClosedError:
            # Another handle may go on with the store; or it belongs to another process by now.
            self._snapshots.forsake(self._fixed.sequence)
        else:
            self._snapshots.let_go(self._fixed.sequence)

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Snapshot at commit {self._fixed.sequence}>"
