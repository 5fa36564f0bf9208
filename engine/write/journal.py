"""The journal: one process's place in the log, and the layers that follow it.

Invariants
1. `published` is the sequence of the newest commit that readers may see; the layers hold every
   commit up to it, and beyond it only commits whose records stand complete in the log.
2. Only the holder of the commit lock appends, and only where the log ends as published.
3. Nothing that was appended is cut once it is in the memtable: the next writer adopts it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Protocol

from lithograph.catalog.current_file import read_current
from lithograph.catalog.generation import Generation
from lithograph.catalog.hold import Hold
from lithograph.catalog.manifest_file import read_manifest
from lithograph.catalog.shared_map_file import SharedMapFile
from lithograph.catalog.shelf import Shelf
from lithograph.catalog.store_locks import StoreLocks
from lithograph.environment import Environment
from lithograph.errors import ClosedError, CorruptionError, FailedStateError, StorageError
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_names import CURRENT
from lithograph.formats.manifest import Manifest
from lithograph.formats.shared_map import COUNTER_SIZE, FLAG_SWITCH_WAL, SharedState
from lithograph.formats.wal_header import WAL_START
from lithograph.formats.wal_record import WalRecord
from lithograph.write.commit import Commit
from lithograph.write.empty_memtable import memtable_above
from lithograph.write.layer_stack import LayerStack
from lithograph.write.log_chain import LogChain
from lithograph.write.memtable import Memtable
from lithograph.write.replay import apply_to, before_log, follow
from lithograph.write.wal_file import LogPosition, WalFile
from lithograph.write.wal_switch import switch_wal

if TYPE_CHECKING:
    from lithograph.kernel._reads import Watch

_log = logging.getLogger("lithograph")


class LoneReading(Protocol):
    """What a reader that holds no lock asks before each read."""

    @property
    def watch(self) -> Watch | None:
        """The counter that says whether somebody began to write, as the kernel sees it."""

    def __call__(self) -> None:
        """Join whoever began to write."""

    def has_taken(self, counter: bytes) -> bool:
        """Return whether what is read is what was there when the counter was this."""


class Journal:
    """The log as this process sees it.

    Attributes
    ----------
    stack : the layers; its memtable follows the log.   published : see the invariants.
    position : behind the last published record that the memtable holds.
    state : what shared.map said when it was last read or written.
    failure : the error after which nothing may be written any more, or None.
    log_after_freeze : number of the log that was begun when a memtable was last frozen.
    """

    def __init__(
        self,
        files: Files,
        environment: Environment,
        locks: StoreLocks,
        store_uuid: bytes,
        stack: LayerStack,
        log: WalFile,
        position: LogPosition,
        state: SharedState,
        shared: SharedMapFile | None,
        *,
        shelf: Shelf,
        hold: Hold,
        writable: bool,
        exclusive: bool,
    ) -> None:
        self.files = files
        self.store_uuid = store_uuid
        self.stack = stack
        self.shelf = shelf
        self.hold = hold
        self.log = log
        self.position = position
        self.published = position.sequence
        self.state = state
        self.shared = shared
        self.failure: StorageError | None = None
        self.log_after_freeze = 0
        self.rejoin: LoneReading | None = None
        self._environment = environment
        self._locks = locks
        self._writable = writable
        self._exclusive = exclusive
        self._closed = False
        # The counter that `state` was read with: what came since is news.
        self._seen = _counter_bytes(state)
        self.guard = threading.Lock()
        hold.track(stack.generation)

    @property
    def memtable(self) -> Memtable:
        """The memtable that takes the next commits."""
        return self.stack.memtable

    def newest(self) -> tuple[LayerStack, int]:
        """Return layers, and the newest published commit, which they hold."""
        while True:
            stack = self.stack
            published = self.published
            if self.stack is stack:
                return stack, published

    # Following ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what other processes published. Cost: one look at shared.map if no news."""
        if self.shared is None:
            if self.rejoin is not None:
                self.rejoin()
        elif not self._exclusive and self.shared.counter() != self._seen:
            with self.guard:
                self._take_news()

    @property
    def watch(self) -> Watch | None:
        """The counter of shared.map as the kernel sees it, or None."""
        shared = self.shared or self.rejoin
        return shared.watch if shared is not None else None

    def has_taken(self, counter: bytes) -> bool:
        """Return whether `newest` says what was published when the map's counter was this."""
        if self.shared is None:
            return self.rejoin is not None and self.rejoin.has_taken(counter)
        return self._seen == counter

    def _take_news(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.files.root} is closed; open it again")
        assert self.shared is not None
        seen = self.shared.counter()
        if seen == self._seen:
            return
        self.catch_up(self.shared.read())
        # An older counter than the state's only makes the next look read the map once more.
        self._seen = seen

    def catch_up(self, state: SharedState) -> None:
        """Apply what was published behind `position`, through every log in between.

        Where other files became the store, begin anew above them: with an empty memtable.
        """
        if state.generation > self.stack.generation.number:
            self._begin_anew(state)
            return
        same = state.wal_number == self.log.number
        if same:
            chain = LogChain.of(self.log, self.files)
        else:
            chain = LogChain.read(
                self.files,
                self.store_uuid,
                state.wal_number,
                self.log.number,
                writable=self._writable,
            )
        try:
            end = follow(chain, self.position, state.wal_end, apply_to(self.memtable))
        except BaseException:
            if not same:
                chain.close()
            raise
        log = chain.take()
        if end.position.sequence != state.last_sequence:
            if not same:
                chain.close()
            raise CorruptionError(
                f"shared.map says commit {state.last_sequence}, the log ends with commit "
                f"{end.position.sequence}",
                path=log.path,
                offset=end.position.offset,
            )
        self.state = state
        self.position = end.position
        if not same:
            self.log.close()
            self.log = log
        self.published = end.position.sequence

    def _begin_anew(self, state: SharedState) -> None:
        """Serve the generation that CURRENT names, and the log behind what its files hold.

        Without a pin its files may go meanwhile: then CURRENT names a newer one.
        """
        while True:
            slot = self.current_slot()
            try:
                self._serve(slot, state)
            except CorruptionError:
                if self.hold.is_pinned or self.current_slot().generation == slot.generation:
                    raise
            else:
                return
            if self.shared is not None:
                state = self.shared.read()

    def _serve(self, slot: CurrentSlot, state: SharedState) -> None:
        if slot.generation < state.generation:
            raise CorruptionError(
                f"generation {state.generation} is published, CURRENT names {slot.generation}",
                path=self.files.path_of(CURRENT),
            )
        manifest = read_manifest(self.files, slot)
        memtable = memtable_above(manifest)
        chain = LogChain.read(
            self.files,
            self.store_uuid,
            state.wal_number,
            manifest.first_wal_number,
            writable=self._writable,
        )
        try:
            end = follow(chain, before_log(manifest), state.wal_end, apply_to(memtable))
            if end.position.sequence != state.last_sequence:
                raise CorruptionError(
                    f"shared.map says commit {state.last_sequence}, the log ends with commit "
                    f"{end.position.sequence}",
                    path=chain.take().path,
                    offset=end.position.offset,
                )
            generation = Generation(
                manifest,
                slot.manifest_number,
                self.shelf,
                self.store_uuid,
                is_pinned=self.hold.is_pinned,
            )
        except BaseException:
            chain.close()
            raise
        self.hold.track(generation)
        self.state = state
        self.position = end.position
        self.log.close()
        self.log = chain.take()
        self.stack = LayerStack(memtable, (), generation)
        self.published = end.position.sequence

    # Writing, under the commit lock ------------------------------------------------------------

    def prepare(self, wal_size_max: int) -> None:
        """Make the log ready for an append: caught up, without a tail, not too large.

        Raises
        ------
        FailedStateError : an earlier failure forbids writing.
        StorageError, CorruptionError
        """
        if self.failure is not None:
            self.check_usable()
        assert self.shared is not None
        # Without the guard: nobody but the holder of the commit lock changes the counter, and
        # whoever takes news in says so last. Otherwise, and once it is closed, with it.
        if self._closed or self.shared.counter() != self._seen:
            with self.guard:
                self._take_news()
        # Each time, though this process may have written last: another one may have appended and
        # died since, without publishing anything.
        end = self.state.wal_end
        if not self.log.ends_at(end) or self.state.flags & FLAG_SWITCH_WAL:
            self._adopt_tail()
        elif end > wal_size_max:
            self.switch()

    def append(self, commits: list[Commit], *, sync: bool) -> None:
        """Log, sync, apply and publish commits, in this order; on return readers see them.

        Raises
        ------
        StorageError : nothing was written that counts; the journal goes on, or `failure` says why
            it cannot.
        """
        position = self.position
        pieces = []
        synced_upto = self.state.wal_synced
        for commit in commits:
            piece, position = self.log.encode_commit(
                position,
                commit.sequence,
                commit.time,
                commit.operation_count,
                commit.payload,
                synced_upto,
            )
            pieces.append(piece)
        self._write(b"".join(pieces), sync=sync)
        if sync:
            self._sync()
            synced_upto = position.offset
        for commit in commits:
            self.memtable.apply(commit)
        self._publish(position, synced_upto)

    def append_record(self, record: bytes, commit_time: int, *, sync: bool) -> None:
        """Log, sync, apply and publish one commit, as `append`, from the record that the log gets:
        the next one behind `position`."""
        before = self.position
        end = before.offset + len(record)
        self._write(record, sync=sync)
        if sync:
            self._sync()
        self.stack.memtable.apply_record(record)
        self._publish(
            LogPosition(
                before.wal_number,
                end,
                int.from_bytes(record[:8], "little"),
                before.sequence + 1,
                commit_time,
            ),
            end if sync else self.state.wal_synced,
        )

    def sync(self) -> None:
        """Put every published commit on the medium. Under the commit lock."""
        self.check_usable()
        if self.state.wal_synced < self.state.wal_end:
            self._sync()
            self._publish(self.position, self.position.offset)

    def switch(self) -> None:
        """Start a new log behind the last commit. Under the commit lock, caught up, no tail."""
        with contextlib.suppress(StorageError):
            # Nobody writes here any more. Where it stays, it is in nobody's way.
            self.log.cut_room(self.position.offset)
        self.sync()
        with self._locks.publish():
            # Whoever finds this flag knows that CURRENT may name a log that shared.map does not.
            self._publish(self.position, self.position.offset, FLAG_SWITCH_WAL)
            self._switch(self.position, ())

    def freeze(self) -> None:
        """Let a new memtable take the next commits, behind a new log; under the commit lock.

        Caught up, no tail, and nothing frozen already.
        """
        stack = self.stack
        assert not stack.frozen
        assert stack.memtable.commits.last_sequence == self.published
        self.switch()
        self.log_after_freeze = self.log.number
        with self.guard:
            self.stack = LayerStack(stack.memtable.successor(), (stack.memtable,), stack.generation)

    def claim_number(self) -> int:
        """Return a file number that nobody else gets; under the commit lock, caught up."""
        number = self.state.next_file_number
        self._publish(
            self.position, self.state.wal_synced, self.state.flags, next_file_number=number + 1
        )
        return number

    def adopt_generation(self, number: int) -> None:
        """Serve the generation that CURRENT names and shared.map does not know of yet.

        Under the commit and publish locks.
        """
        self._publish(self.position, self.state.wal_synced, self.state.flags, generation=number)
        with self.guard:
            self._begin_anew(self.state)

    def install(self, manifest: Manifest, manifest_number: int) -> None:
        """Serve the files of `manifest`, which CURRENT names; under the commit and publish locks.

        A frozen memtable that they hold is given up.
        """
        generation = Generation(manifest, manifest_number, self.shelf, self.store_uuid)
        self.hold.track(generation)
        self._publish(
            self.position,
            self.state.wal_synced,
            self.state.flags,
            generation=generation.number,
        )
        with self.guard:
            stack = self.stack
            frozen = tuple(
                memtable
                for memtable in stack.frozen
                if memtable.commits.last_sequence > manifest.last_sequence
            )
            self.stack = LayerStack(stack.memtable, frozen, generation)

    def check_usable(self) -> None:
        """Raise FailedStateError after a failure that could not be undone."""
        if self.failure is not None:
            raise FailedStateError(
                f"an earlier write failed ({self.failure}); what was acknowledged is safe: "
                "close the store and open it again to go on"
            ) from self.failure

    def _adopt_tail(self) -> None:
        """Carry what a dead or failed writer left behind the published end into a new log."""
        log, state = self.log, self.state
        header = log.header
        start = LogPosition(log.number, WAL_START, header.chain, header.first_sequence - 1, 0)
        chain = LogChain.of(log, self.files)
        end = follow(chain, start, None, _ignore, promised=state.wal_synced)
        if end.position.offset < state.wal_end:
            raise CorruptionError(
                f"the log is readable to {end.position.offset}, "
                f"{state.wal_end} bytes are published",
                path=log.path,
                offset=end.position.offset,
            )
        adopted = end.position.sequence - state.last_sequence
        _log.warning(
            "%s: a writer died or failed; whole commits of it kept: %d; torn bytes cut: %d",
            log.path,
            adopted,
            end.tail_size,
        )
        with self._locks.publish():
            if not state.flags & FLAG_SWITCH_WAL:
                self._publish(self.position, state.wal_synced, FLAG_SWITCH_WAL)
            self._switch(end.unsynced, end.copies)

    def _switch(self, previous: LogPosition, copies: tuple[WalRecord, ...]) -> None:
        """Start a log behind `previous` with `copies`; under the publish lock, with the flag
        set."""
        assert self.shared is not None
        slot = self.current_slot()
        log, position, _ = switch_wal(
            self.files, self._environment, slot, previous, copies, self.state.next_file_number
        )
        with self.guard:
            state = self.shared.publish(
                self.state._replace(
                    wal_number=log.number,
                    wal_end=position.offset,
                    wal_synced=position.offset,
                    chain=position.chain,
                    last_sequence=position.sequence,
                    last_commit_time=position.commit_time,
                    flags=0,
                    next_file_number=log.number + 1,
                )
            )
            log.close()
            self.catch_up(state)
            self._seen = _counter_bytes(state)

    def current_slot(self) -> CurrentSlot:
        """Return the slot of CURRENT in force."""
        reading = read_current(self.files)
        if reading.newest is None:
            raise CorruptionError(
                "both slots are damaged; close the store in every process",
                path=self.files.path_of(CURRENT),
            )
        return reading.newest

    def _write(self, data: bytes, *, sync: bool) -> None:
        end = self.position.offset
        try:
            if sync:
                self.log.make_room(end, len(data))
            self.log.file.write_at(end, data)
        except BaseException as error:
            # Full disk, or an interruption: take back what was written, the journal goes on.
            try:
                self.log.cut(end)
            except StorageError as second:
                self.fail(second)
            raise error

    def _sync(self) -> None:
        try:
            self.log.file.sync_data()
        except StorageError as error:
            # The system may now take unwritten pages for clean: no retry can be trusted.
            self.fail(error)
            raise

    def _publish(
        self,
        position: LogPosition,
        synced: int,
        flags: int = 0,
        *,
        generation: int | None = None,
        next_file_number: int | None = None,
    ) -> None:
        shared = self.shared
        assert shared is not None
        in_force = self.state
        with self.guard:
            try:
                # By position: this is the path of every commit.
                state = SharedState(
                    shared.next_counter(),
                    in_force.session,
                    in_force.generation if generation is None else generation,
                    in_force.wal_number,
                    position.offset,
                    synced,
                    position.chain,
                    position.sequence,
                    position.commit_time,
                    flags,
                    next_file_number or in_force.next_file_number,
                )
                seen = shared.store(state)
            except StorageError as error:
                self.fail(error)
                raise
            self.state = state
            self.position = position
            self.published = position.sequence
            # Last: interrupted before this, the next look finds news and sets all three right.
            self._seen = seen

    def fail(self, error: StorageError) -> None:
        """Refuse writes from now on, and tell the next writer not to trust this log's end."""
        self.failure = error
        _log.error("%s: writing stops here until the store is reopened: %s", self.log.path, error)
        if self.shared is not None:
            try:
                # What is in force, not what this process meant to publish when it failed.
                in_force = self.shared.read()
                self.shared.publish(in_force._replace(flags=FLAG_SWITCH_WAL))
            except (StorageError, CorruptionError) as second:
                _log.error("%s: cannot tell other processes: %s", self.log.path, second)

    def attach(self, shared: SharedMapFile) -> None:
        """Follow `shared` from now on; under `guard`, caught up."""
        self._seen = b""
        self.shared = shared

    def close(self) -> None:
        # Under the guard: no thread may be reading through a descriptor that is given back.
        with self.guard:
            self._closed = True
            self.log.close()
            if self.shared is not None:
                self.shared.close()
            self.hold.release()


def _counter_bytes(state: SharedState) -> bytes:
    return state.counter.to_bytes(COUNTER_SIZE, "little")


def _ignore(record: WalRecord) -> None:
    """Take a record without applying it: the caller only asks where the log ends."""
