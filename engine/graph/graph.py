"""The public handle: reading, single writes, transactions, care."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from lithograph.errors import ClosedError, ConflictError, InvalidArgumentError, ReadOnlyError
from lithograph.files import Files, OsFiles, leads_into
from lithograph.formats.moment import encode_moment
from lithograph.formats.node_patch import UNCHANGED, NodePatch
from lithograph.formats.properties import EMPTY, encode_properties
from lithograph.formats.text import check_name, check_texts
from lithograph.graph import registry
from lithograph.graph.engine import Engine
from lithograph.graph.stats import Stats, collect_stats
from lithograph.kernel import UNSURE, memory
from lithograph.maintenance.backup import BackupResult, backup_store
from lithograph.maintenance.purge import Purged
from lithograph.maintenance.verify import Finding, verify_store
from lithograph.options import parse_path
from lithograph.read.records import Node
from lithograph.transaction.commit_request import CommitRequest
from lithograph.transaction.lone import LoneChange, LoneDraft, LonePut
from lithograph.transaction.sizes import too_large
from lithograph.transaction.transaction import UNSET, Transaction, Unset
from lithograph.view.past import commit_as_of
from lithograph.view.reads import IdArray, Reads, Types
from lithograph.view.snapshot import Snapshot
from lithograph.view.view import View

Result = TypeVar("Result")


class Graph(Reads):
    """An open store; made by `lithograph.open`. May be used from any number of threads.

    Reading methods see the newest commit of any process. Writing methods are each a commit of their
    own; `transaction()` groups them. A context manager: leaving it closes the handle.
    """

    def __init__(self, engine: Engine, *, writable: bool) -> None:
        self._engine = engine
        self._writable = writable
        self._closed = False
        self._reader = engine.reader
        self._size_max = engine.options.tuning.transaction_bytes_max
        self._open_in: dict[int, weakref.ref[Transaction]] = {}
        # A handle that is dropped without close() lets go of the engine all the same.
        self._finalizer = weakref.finalize(self, registry.release, engine)

    # Views -------------------------------------------------------------------------------------

    def _view(self) -> View:
        if self._closed:
            self._check_open()
        return self._engine.view()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the graph is closed; open it again with lithograph.open()")
        self._engine.check_open()

    def node_id(self, name: str) -> int | None:
        # One call into the kernel, which also looks if anything newer was published.
        reader = self._reader
        if reader is not None:
            found: int | None = reader.find(name)
            if found is not UNSURE:
                return found
        return self._newest_view().look_up(name)

    def get_node(self, name: str) -> Node | None:
        reader = self._reader
        if reader is not None:
            found: Node | None = reader.node(name)
            if found is not UNSURE:
                return found
        return self._newest_view().node(check_name(name))

    def neighbors(self, name: str, direction: str = "out", types: Types = None) -> list[str]:
        reader = self._reader
        if reader is not None and types is None:
            found = reader.neighbor_names(name, direction)
            if found is not UNSURE:
                names: list[str] = found
                return names
            self._newest_view()
        return super().neighbors(name, direction, types)

    def neighbor_ids(self, id: int, direction: str = "out", types: Types = None) -> IdArray:
        reader = self._reader
        if reader is not None and types is None:
            found = reader.neighbors(id, direction)
            if found is not UNSURE:
                ids: IdArray = found
                return ids
            self._newest_view()
        return super().neighbor_ids(id, direction, types)

    def degree(self, name: str, direction: str = "out", types: Types = None) -> int:
        reader = self._reader
        if reader is not None and types is None:
            found = reader.degree(name, direction)
            if found is not UNSURE:
                count: int = found
                return count
            self._newest_view()
        return super().degree(name, direction, types)

    def _newest_view(self) -> View:
        if self._closed:
            self._check_open()
        return self._engine.newest_view()

    def snapshot(self) -> Snapshot:
        """Return the graph as it is now, whatever is committed later; a context manager.

        Cost: O(files). Close it when done: what it sees cannot be given back before.
        """
        return self._snapshot_at(lambda view: view.sequence)

    def as_of(self, when: datetime | int) -> Snapshot:
        """Return the graph as a commit left it; a context manager.

        Parameters
        ----------
        when : an aware datetime, for the newest commit that is not after it, or the sequence of a
            commit; 0, and times before the first commit, are the empty graph.

        Raises
        ------
        InvalidArgumentError : newer than the newest commit, or older than what `history=` keeps.

        Cost: O(files), and one block of a commit table.

        >>> import lithograph, tempfile
        >>> with lithograph.open(tempfile.mkdtemp() + "/demo.graph") as g:
        ...     g.put_node("Ada")
        ...     g.delete_node("Ada")
        ...     with g.as_of(1) as then:
        ...         "Ada" in then, "Ada" in g
        True
        (True, False)
        """
        return self._snapshot_at(lambda view: commit_as_of(view, when))

    def _snapshot_at(self, choose: Callable[[View], int]) -> Snapshot:
        """Return a snapshot of the commit that is chosen, anew where it was forgotten meanwhile."""
        engine = self._engine
        while True:
            view = self._view()
            with engine.told_when_closed():
                snapshot = engine.snapshots.take(choose(view), self._check_open)
            if snapshot is not None:
                return snapshot

    # Writing -----------------------------------------------------------------------------------

    def transaction(self, at: datetime | None = None) -> Transaction:
        """Begin a transaction: its writes become visible together when it commits, or not at all.

        Parameters
        ----------
        at : commit time of a replay, aware; not before the last commit and not after now.

        Raises
        ------
        InvalidArgumentError : this thread has a transaction open on this graph.
        ReadOnlyError, ClosedError

        >>> import lithograph, tempfile
        >>> with lithograph.open(tempfile.mkdtemp() + "/demo.graph") as g:
        ...     with g.transaction() as tx:
        ...         tx.put_node("Ada", type="Person")
        ...         tx.put_edge("Ada", "knows", "Charles", create_missing=True)
        ...     g.neighbors("Ada")
        ['Charles']
        """
        self._check_writable()
        moment = None if at is None else encode_moment(at, "at")
        transaction = self._begin(moment, self._forget)
        self._open_in[threading.get_ident()] = weakref.ref(transaction)
        return transaction

    def put_node(
        self,
        name: str,
        *,
        type: str | Unset | None = UNSET,
        observations: Iterable[str] | Unset | None = UNSET,
        properties: Mapping[str, Any] | Unset | None = UNSET,
        created_at: datetime | Unset | None = UNSET,
    ) -> None:
        """Create the node, or replace exactly the arguments passed; see `Transaction.put_node`."""
        if memory is not None:
            # A blind put reads nothing: no view, no transaction around it.
            self._check_may_write()
            draft = memory.Draft(UNSET, None, self._size_max, too_large)
            draft.put_node(name, type, observations, properties, created_at)
            committer = self._engine.committer
            if not committer.commit_alone(LonePut(draft)):
                committer.commit(CommitRequest.of_draft(draft))
            return
        self._alone(
            lambda tx: tx.put_node(
                name,
                type=type,
                observations=observations,
                properties=properties,
                created_at=created_at,
            )
        )

    def add_observations(
        self, name: str, observations: Iterable[str], unique: bool = False
    ) -> list[str]:
        """Append observations and return what was added; see `Transaction.add_observations`."""
        texts = observations if isinstance(observations, str) else _kept(observations)
        if not unique:
            self._check_may_write()
            added = check_texts(texts, "observations")
            if self._changed(name, NodePatch(appended=added or None)):
                return list(added)
        return self._alone(lambda tx: tx.add_observations(name, texts, unique))

    def remove_observations(self, name: str, observations: Iterable[str]) -> None:
        """Remove every observation equal to one of these. Raises NodeNotFoundError."""
        texts = observations if isinstance(observations, str) else _kept(observations)
        self._check_may_write()
        removed = check_texts(texts, "observations")
        if not self._changed(name, NodePatch(removed=tuple(dict.fromkeys(removed)) or None)):
            self._alone(lambda tx: tx.remove_observations(name, texts))

    def update_properties(
        self, name: str, changes: Mapping[str, Any], remove: Iterable[str] = ()
    ) -> None:
        """Set and remove single properties; see `Transaction.update_properties`."""
        keys = remove if isinstance(remove, str) else _kept(remove)
        self._check_may_write()
        set_ = encode_properties(changes, "changes")
        unset = tuple(dict.fromkeys(check_texts(keys, "remove")))
        patch = NodePatch(
            properties_set=None if set_ == EMPTY else set_, properties_unset=unset or None
        )
        if not self._changed(name, patch):
            self._alone(lambda tx: tx.update_properties(name, changes, keys))

    def delete_node(self, name: str) -> bool:
        """Delete the node and its edges in both directions; return whether there was one.

        Cost: O(its edges). A node of the same name made later has a new id and no edges.
        """
        return self._alone(lambda tx: tx.delete_node(name))

    def put_edge(
        self,
        source: str,
        type: str,
        target: str,
        *,
        key: str = "",
        properties: Mapping[str, Any] | Unset | None = UNSET,
        valid_from: datetime | Unset | None = UNSET,
        valid_to: datetime | Unset | None = UNSET,
        created_at: datetime | Unset | None = UNSET,
        create_missing: bool = False,
    ) -> None:
        """Create the edge, or replace exactly the arguments passed; see `Transaction.put_edge`."""
        if memory is not None:
            # Whether the ends are there is seen under the commit lock; the plain way says if not.
            self._check_may_write()
            draft = memory.Draft(UNSET, _is_there, self._size_max, too_large)
            draft.put_edge(
                source,
                type,
                target,
                key,
                properties,
                valid_from,
                valid_to,
                created_at,
                create_missing,
            )
            if self._engine.committer.commit_alone(LoneDraft(draft)):
                return
        self._alone(
            lambda tx: tx.put_edge(
                source,
                type,
                target,
                key=key,
                properties=properties,
                valid_from=valid_from,
                valid_to=valid_to,
                created_at=created_at,
                create_missing=create_missing,
            )
        )

    def delete_edge(self, source: str, type: str, target: str, *, key: str = "") -> bool:
        """Delete one edge; return whether there was one."""
        return self._alone(lambda tx: tx.delete_edge(source, type, target, key=key))

    # Care --------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Put everything committed so far on the medium and start a new log.

        Raises
        ------
        StorageError, FailedStateError, LockedError, ReadOnlyError
        """
        self._check_writable()
        with self._engine.told_when_closed():
            self._engine.caretaker.checkpoint()

    def compact(
        self,
        progress: Callable[[int, int], None] | None = None,
        *,
        drop_history_before: datetime | None = None,
    ) -> None:
        """Merge everything into one segment and one run, compressed; what `history` lets go, goes.

        Reads and commits go on meanwhile.

        Parameters
        ----------
        progress : called as `progress(done, total)`, bytes of files merged.
        drop_history_before : an aware datetime, not in the future. The graph as of then is the
            oldest one that can be read from now on (`as_of`): what was superseded or deleted before
            goes for good. What a snapshot of any process still reads stays, and all that came after
            it; `stats().floor_time` says how far it went.

        Raises
        ------
        InvalidArgumentError : the time is in the future, or without a time zone.
        StorageError : the disk has no room for a copy of what is merged; nothing changed.
        CorruptionError : a file is damaged; nothing changed.

        Cost: O(bytes of the store), and as much free disk.
        """
        self._check_writable()
        drop_before = None
        if drop_history_before is not None:
            drop_before = encode_moment(drop_history_before, "drop_history_before")
            if drop_before > self._engine.environment.clock_us():
                raise InvalidArgumentError(
                    f"drop_history_before={drop_history_before} is in the future: "
                    "use now to drop all that was superseded so far"
                )
        with self._engine.told_when_closed():
            self._engine.caretaker.compact(progress, drop_before)

    def purge(self, name: str) -> Purged:
        """Erase all nodes that ever had a name, with their edges and all their versions, for good.

        A node that is there is deleted first, as a commit of its own; then everything is put into
        files, and those that say anything of the node are written anew. From then on the graph of
        any moment is one in which it never was: `as_of`, `history` and `changes` do not show it,
        and counts do not count it. What other nodes say of it in their texts stays, and so do names
        of types. A crash leaves the store with all that it had, or without the node, or with the
        node deleted and not yet erased: purge it again then.

        Returns
        -------
        Purged : with `node_count` 0 where no node ever had the name. Files that a reader still
            holds are in `waiting`: they go once it has closed the store, with the next checkpoint.

        Raises
        ------
        StorageError, CorruptionError : nothing was erased.   InvalidArgumentError, ReadOnlyError

        Cost: O(bytes of all segments from the node's beginning on, and of runs with the name).
        """
        self._check_writable()
        check_name(name)
        self.delete_node(name)
        with self._engine.told_when_closed():
            return self._engine.caretaker.purge(name)

    def verify(
        self,
        deep: bool = False,
        checksums: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Finding]:
        """Return everything in the store's files that contradicts SPEC.md; empty when it is sound.

        Readers and writers go on meanwhile.

        Parameters
        ----------
        deep : read every byte, and compare what the files say with each other; without it, only
            what the manifest names is opened, and the log replayed.
        checksums : read every byte and look at its checksum; `deep` does that too.
        progress : called as `progress(done, total)`, bytes to be gone over.

        Cost: O(the log), and one small read per file; checksums: each byte once; deep: the store is
        read several times, in bounded memory, with a descriptor for every file.
        """
        self._check_open()
        engine = self._engine
        with engine.told_when_closed():
            return verify_store(
                engine.files,
                engine.journal,
                engine.shelf,
                deep=deep,
                checksums=checksums,
                progress=progress,
            )

    def backup(
        self,
        directory: str | os.PathLike[str],
        link: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> BackupResult:
        """Make `directory` a store of its own that holds everything committed so far.

        Readers and writers go on meanwhile; of this store nothing is changed. What a crash in the
        middle leaves is refused as a store and can be removed.

        Parameters
        ----------
        directory : empty, or a path that does not exist yet in a directory that does; outside of
            this store.
        link : where the file system can, the copy shares the sealed files, which never change, with
            this store by hard links: that takes no time and no room. It guards against what people
            and programs do, not against a medium that fails: False copies every byte, and reads
            the copy back.
        progress : called as `progress(done, total)`, bytes.

        Raises
        ------
        StoreExistsError : there is something in `directory`.
        CorruptionError : a file is missing or damaged, as far as it was looked at.
        StorageError : the machine failed. In all three cases `directory` is left without files.

        Cost: O(the log), and a small read per file; without links, every byte twice.

        >>> import lithograph, tempfile
        >>> above = tempfile.mkdtemp()
        >>> with lithograph.open(above + "/demo.graph") as g:
        ...     g.put_node("Ada")
        ...     g.backup(above + "/demo.backup").sequence
        ...     g.delete_node("Ada")
        1
        True
        >>> with lithograph.open(above + "/demo.backup", mode="r") as then:
        ...     "Ada" in then
        True
        """
        self._check_open()
        engine = self._engine
        target = files_for_backup(engine.files, directory)
        try:
            with engine.told_when_closed():
                return backup_store(engine.store, target, link=link, progress=progress)
        finally:
            target.close()

    def stats(self) -> Stats:
        """Return counts and sizes, by part; of the files, those of the generation that is served.

        Cost: O(files) of memory, and a look at each log and pin.
        """
        view = self._view()
        with self._engine.told_when_closed():
            return collect_stats(self._engine, view)

    def close(self) -> None:
        """Close the handle: its iterators, snapshots and transactions raise ClosedError from now
        on.

        Never waits for readers. The last handle on a store syncs what was committed, unless
        durability is "off". Closing twice is allowed.

        Raises
        ------
        StorageError : that sync failed; the handle is closed all the same.
        """
        if not self._closed:
            self._closed = True
            self._reader = None
            self._finalizer()

    def __enter__(self) -> Graph:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._engine.options.durability} durability"
        return f"<Graph {self._engine.files.root!r}, {state}>"

    # Own helpers -------------------------------------------------------------------------------

    def _check_may_write(self) -> None:
        """Do what `_check_writable` does; in one step where all is well."""
        if self._closed or self._open_in or self._engine.closed or not self._writable:
            self._check_writable()

    def _changed(self, name: str, patch: NodePatch) -> bool:
        """Change a node that must be there, in a commit of its own; return False where the plain
        way must do it, or nothing is to be done."""
        check_name(name)
        if memory is None or patch == UNCHANGED:
            return False
        return self._engine.committer.commit_alone(LoneChange(name, patch))

    def _check_writable(self) -> None:
        self._check_open()
        if not self._writable:
            raise ReadOnlyError(
                'the graph was opened with mode="r"; open it with mode="w" to write'
            )
        reference = self._open_in.get(threading.get_ident())
        transaction = reference() if reference is not None else None
        if transaction is not None and transaction.is_open:
            raise InvalidArgumentError(
                "this thread has a transaction open on this graph: write through it, "
                "or end it first"
            )

    def _begin(self, at: int | None, on_end: Callable[[Transaction], None]) -> Transaction:
        engine = self._engine
        return Transaction(
            engine.view(),
            engine.committer,
            engine.environment,
            engine.options.tuning.transaction_bytes_max,
            at,
            self._check_open,
            on_end,
        )

    def _forget(self, transaction: Transaction) -> None:
        self._open_in.pop(threading.get_ident(), None)

    def _alone(self, write: Callable[[Transaction], Result]) -> Result:
        """Do one write as a commit of its own.

        What it read may change before it commits: then it is done again on the newest state. Each
        round that fails is one in which another commit succeeded.
        """
        self._check_writable()
        while True:
            transaction = self._begin(None, _nothing)
            result = write(transaction)
            try:
                transaction.commit()
            except ConflictError:
                continue
            return result


def files_for_backup(source: Files, directory: str | os.PathLike[str]) -> OsFiles:
    """Return the files of a directory that is made if it is missing, and is not in the store."""
    path = parse_path("directory", directory)
    if leads_into(path, source.root):
        raise InvalidArgumentError(
            f"directory={path!r} is in the store that is copied: use one outside of it"
        )
    return OsFiles.create_root(path)


def _nothing(transaction: Transaction) -> None:
    """A write of its own is in no thread's list of open transactions."""


def _kept(items: Iterable[str]) -> Iterable[str]:
    """Return the items as a list where they can be read only once: a write may be done again."""
    try:
        return list(items)
    except TypeError:
        return items  # No iterable: the write says so in its own words.


def _is_there(name: str) -> int:
    """Take a node for one that is there, until the commit looks."""
    return 0
