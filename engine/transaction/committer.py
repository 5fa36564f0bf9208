"""Group commit: one thread leads, and commits for all that wait (DESIGN, section 4).

The leader takes the commit lock, resolves every waiting transaction against the newest state,
appends their records, syncs once, applies and publishes. A transaction that cannot be committed
fails alone.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.errors import (
    ClosedError,
    CorruptionError,
    InvalidArgumentError,
    LithographError,
    StorageError,
)
from lithograph.formats.moment import MOMENT_MAX, decode_moment
from lithograph.formats.operations import DeleteNode, Operation, encode_operation
from lithograph.kernel import UNSURE
from lithograph.options import Options
from lithograph.segments.layer import Layers
from lithograph.transaction.commit_request import CommitRequest
from lithograph.transaction.draft_resolve import resolve_draft
from lithograph.transaction.intents import Intents
from lithograph.transaction.lone import LoneWrite, Newest
from lithograph.transaction.resolve import Resolver
from lithograph.transaction.sizes import too_large
from lithograph.write.commit import Commit
from lithograph.write.empty_memtable import MEMTABLE
from lithograph.write.journal import Journal
from lithograph.write.layer_stack import LayerStack
from lithograph.write.memtable import Memtable

_GROUP_MAX: Final = 256


Result = TypeVar("Result")


class Upkeep(Protocol):
    """What goes on behind the commits; without it, nothing does."""

    def wait_for_room(self) -> None:
        """Return when the memtable can take more; raise StorageError where that cannot be."""

    def before_group(self) -> None:
        """Freeze the memtable if it is full; under the commit lock, caught up."""


class _NoUpkeep:
    """Stands in until somebody cares for the store."""

    def wait_for_room(self) -> None:
        """There is always room."""

    def before_group(self) -> None:
        """Nothing is ever full."""


class Committer:
    """Commits the transactions of one process.

    Attributes
    ----------
    upkeep : asked before each commit.
    """

    def __init__(
        self, journal: Journal, locks: StoreLocks, environment: Environment, options: Options
    ) -> None:
        self.upkeep: Upkeep = _NoUpkeep()
        self._journal = journal
        self._commit_lock = locks.commit()
        self._environment = environment
        self._sync = options.durability == "full"
        self._tuning = options.tuning
        # Guarded by `_queue`; a request leaves the line only when it is done, or by its own thread.
        self._waiting: list[CommitRequest] = []
        self._queue = threading.Lock()
        self._leading = threading.Lock()
        self._closed = False
        self._newest = Newest(journal, options.tuning.transaction_bytes_max)

    def commit_alone(self, write: LoneWrite) -> bool:
        """Commit one write, if nobody else commits now; return whether that was done, or nothing
        was to be changed. Where it was not, nothing was done.

        Raises
        ------
        InvalidArgumentError, NodeNotFoundError, LockedError, StorageError, FailedStateError,
        CorruptionError : nothing was written that counts.
        """
        self.upkeep.wait_for_room()
        if self._waiting or self._leading.locked():
            return False
        with self._leading:
            if self._closed:
                self._check_open()
            return self._lead_alone(write)

    def _lead_alone(self, write: LoneWrite) -> bool:
        journal = self._journal
        newest = self._newest
        stands = False
        try:
            with self._commit_lock:
                journal.prepare(self._tuning.wal_size_bytes_max)
                self.upkeep.before_group()
                newest.time = self._commit_time(None, journal.position.commit_time)
                record = write.record(newest)
                if record is UNSURE:
                    return False
                if record is not None:
                    assert isinstance(record, bytes)
                    journal.append_record(record, newest.time, sync=self._sync)
                # From here on the commit stands, whatever becomes of the lock.
                stands = True
        except Exception:
            if not stands:
                raise
        return True

    def forget_layers(self) -> None:
        """Keep no layers that the journal does not have any more; may be called by any thread."""
        self._newest.forget_layers()

    def commit(self, request: CommitRequest) -> int | None:
        """Commit; return the sequence, or None where there was nothing to change.

        Raises
        ------
        ConflictError, InvalidArgumentError, LockedError, StorageError, FailedStateError,
        CorruptionError : nothing of this transaction was written that counts.
        """
        self.upkeep.wait_for_room()
        if not (self._waiting or self._leading.locked()):
            # Nobody else is at it: no need to stand in line.
            with self._leading:
                self._check_open()
                self._lead([request])
        else:
            self._stand_in_line(request)
        if request.error is not None:
            raise request.error
        return request.sequence

    def _stand_in_line(self, request: CommitRequest) -> None:
        """Wait until the request is done, by this thread or another one."""
        try:
            with self._queue:
                self._waiting.append(request)
            with self._leading:
                # Whoever led before may have taken this request along; a group may be full
                # before it comes to this one.
                while not request.done:
                    self._check_open()
                    self._lead(self._next_group())
            # At once: what a large transaction puts takes much memory.
            with self._queue, contextlib.suppress(ValueError):
                self._waiting.remove(request)
        except BaseException:
            # Interrupted while waiting: nobody shall commit this later, behind the caller's back.
            with self._queue, contextlib.suppress(ValueError):
                self._waiting.remove(request)
            raise

    def exclusively(self, action: Callable[[], Result]) -> Result:
        """Do something under the commit lock, caught up and with a log that can be appended to."""
        with self._leading:
            self._check_open()
            with self._commit_lock:
                self._journal.prepare(self._tuning.wal_size_bytes_max)
                return action()

    def close(self) -> None:
        """Wait for the commit that is under way, and let no other begin."""
        with self._leading:
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the store was closed before this could be committed; open it again")

    def _next_group(self) -> list[CommitRequest]:
        """Return the first requests that fit one group; they stay in line until they are done."""
        with self._queue:
            self._waiting = [request for request in self._waiting if not request.done]
            group: list[CommitRequest] = []
            size = 0
            for request in self._waiting[:_GROUP_MAX]:
                size += request.size_min
                if group and size > self._tuning.transaction_bytes_max:
                    break
                group.append(request)
            return group

    def _lead(self, group: list[CommitRequest]) -> None:
        try:
            with self._commit_lock:
                self._journal.prepare(self._tuning.wal_size_bytes_max)
                self.upkeep.before_group()
                commits = self._resolve(group)
                if commits:
                    self._journal.append(commits, sync=self._sync)
                # From here on the commits stand, whatever becomes of the lock.
                for request in group:
                    request.done = True
        except BaseException as error:
            for request in group:
                if not request.done:
                    request.sequence = None
                    request.error = request.error or _share(error)
                    request.done = True
            if not isinstance(error, Exception):
                raise

    def _resolve(self, group: list[CommitRequest]) -> list[Commit]:
        """Turn the requests into commits; one that cannot be gets its error and is left out."""
        journal = self._journal
        stage = _Stage(journal.stack, journal.position.sequence, journal.position.commit_time)
        commits: list[Commit] = []
        for request in group:
            try:
                commit = self._resolve_one(request, stage)
            except LithographError as error:
                request.error = error
                continue
            if commit is not None:
                commits.append(commit)
                request.sequence = commit.sequence
                if request is not group[-1]:
                    stage.apply(commit)
        return commits

    def _resolve_one(self, request: CommitRequest, stage: _Stage) -> Commit | None:
        if request.reads:
            request.reads.check(stage.layers, stage.sequence, stage.type_code)
        time = self._commit_time(request.at, stage.time)
        # Where no commit came between, what the transaction found is what is there now.
        is_newest = stage.sequence == request.reads.view_sequence
        if request.draft is not None:
            resolved = resolve_draft(request.draft, stage, is_newest=is_newest)
            if resolved is not None:
                payload, count = resolved
                self._check_encoded(len(payload))
                return Commit(stage.sequence + 1, time, payload, count) if count else None
            request.intents = Intents()
            request.intents.take(request.draft)
            request.found = request.draft.found()
            request.draft = None
        resolver = Resolver(
            stage.layers,
            stage.sequence,
            stage.type_code,
            stage.next_id,
            stage.type_count,
            time,
            request.found if is_newest else {},
        )
        operations = resolver.resolve(request.intents)
        if not operations:
            return None
        pieces = [encode_operation(operation) for operation in operations]
        self._check_size(operations, pieces)
        return Commit(stage.sequence + 1, time, b"".join(pieces), len(operations), operations)

    def _commit_time(self, at: int | None, last: int) -> int:
        now = self._environment.clock_us()
        if at is None:
            return min(max(now, last + 1), MOMENT_MAX)
        if at < last:
            raise InvalidArgumentError(
                f"at={decode_moment(at)}: the last commit was at {decode_moment(last)}; "
                "commit times never run back"
            )
        if at > now:
            raise InvalidArgumentError(f"at={decode_moment(at)} is in the future")
        return at

    def _check_size(self, operations: list[Operation], pieces: list[bytes]) -> None:
        # Deleting a hub is exempt: nobody could split it.
        size = sum(
            len(piece)
            for operation, piece in zip(operations, pieces, strict=True)
            if not isinstance(operation, DeleteNode)
        )
        self._check_encoded(size)

    def _check_encoded(self, size: int) -> None:
        limit = self._tuning.transaction_bytes_max
        if size > limit:
            raise too_large(size, limit)


class _Stage:
    """The newest state as the next transaction of a group will find it."""

    def __init__(self, stack: LayerStack, sequence: int, time: int) -> None:
        memtable = stack.memtable
        self._layers: Layers | None = None
        self.quick = stack.quick(sequence)
        self.sequence = sequence
        self.time = time
        self.next_id = memtable.next_id
        self.type_count = memtable.type_count
        self.type_code = memtable.types.code
        self._stack = stack
        self._scratch: Memtable | None = None

    @property
    def layers(self) -> Layers:
        """The layers of the state; made when somebody asks, for a draft seldom does."""
        if self._layers is None:
            self._layers = self._stack.layers
        return self._layers

    def apply(self, commit: Commit) -> None:
        """Let the following transactions of the group see `commit`, which is not logged yet."""
        scratch = self._scratch
        if scratch is None:
            scratch = self._scratch = MEMTABLE(
                sequence=self.sequence,
                commit_time=self.time,
                next_id=self.next_id,
                types=self._stack.memtable.types.names,
            )
            below = self._stack.layers
            self._layers = Layers((scratch, *below.names), (scratch, *below.graph), below.owner)
            self.type_code = scratch.types.code
        scratch.apply(commit)
        self.quick = self._stack.quick(commit.sequence, scratch)
        self.sequence, self.time = commit.sequence, commit.time
        self.next_id, self.type_count = scratch.next_id, scratch.type_count


def _share(error: BaseException) -> BaseException:
    """Return an error of its own for each thread that fails with the leader."""
    if isinstance(error, CorruptionError):
        return error.located(error.path)
    if not isinstance(error, Exception):
        return StorageError(
            "the commit was interrupted; the store holds it whole or not at all: read to see which"
        )
    try:
        shared = copy.copy(error)
    except Exception:  # An exception of a foreign kind need not be copyable.
        return error
    shared.__cause__ = error.__cause__
    return shared
