"""The caretaker: flushes and compacts behind the commits of one process.

Both kinds of work are generators that do a bounded step at a time. A thread steps them, or, without
one (`Tuning.background`), the commit that needs room does, and tests step them by hand.

Invariants
1. At most one memtable is frozen; it is given up only when its files are published.
2. A commit that finds the memtable full while another is frozen waits: memory never grows beyond
   two memtables and the commits of one group.
3. Work that failed is tried again when somebody needs it, not on and on.
4. Flushing comes before merging, so that commits wait least; where there are as many segments as a
   look-up may visit, merging comes first, and commits wait for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Final, TypeVar

from lithograph.errors import ClosedError, CorruptionError, LithographError, StorageError
from lithograph.maintenance.compaction import Compaction, compaction_due, major_compaction
from lithograph.maintenance.compaction_plan import CompactionTuning
from lithograph.maintenance.flush import clean_up, flush
from lithograph.maintenance.forgetting import forgetting
from lithograph.maintenance.open_store import OpenStore
from lithograph.maintenance.purge import Purged, purge

_log = logging.getLogger("lithograph")

_IDLE_S: Final = 60.0
_LOOK_S: Final = 0.01
_ATTEMPTS: Final = 4
_SEGMENT_COUNT_MAX: Final = CompactionTuning().segment_count_max

Progress = Callable[[int, int], None]
Result = TypeVar("Result")


class Caretaker:
    """Implements `transaction.committer.Upkeep`.

    Attributes
    ----------
    failure : the error of the last flush, if it failed and none has succeeded since.
    """

    def __init__(self, store: OpenStore) -> None:
        self._store = store
        self._tuning = store.options.tuning
        self._threaded = self._tuning.background
        self._thread: threading.Thread | None = None
        # Guards what follows; the thread waits on it for work, commits wait on it for room.
        self._change = threading.Condition()
        self._stopping = False
        self._flush_wanted = False
        self._compaction_wanted = False
        self.failure: LithographError | None = None
        # One at a time steps the work: the thread, or whoever works in its place.
        self._working = threading.Lock()
        self._flush: Generator[None, None, None] | None = None
        self._waited_s = 0.0
        self._compaction: Compaction | None = None
        # Inputs of merges that found damage: merging them again would only find it again.
        self._broken: set[tuple[int, ...]] = set()

    # Asked by the committer --------------------------------------------------------------------

    def before_group(self) -> None:
        journal = self._store.journal
        if self._is_full() and not journal.stack.frozen:
            journal.freeze()
            self._want_flush()

    def wait_for_room(self) -> None:
        if not (self._store.journal.stack.frozen and self._is_full()):
            return
        if not self._threaded:
            self.finish_flush()
            self.work_off()
            return
        self._want_flush()
        with self._change:
            while self._is_full() and self._store.journal.stack.frozen:
                if self._stopping:
                    raise ClosedError(
                        "the store was closed before this could be committed; open it again"
                    )
                if self.failure is not None and not self._flush_wanted:
                    raise _full(self.failure)
                self._change.wait(_IDLE_S)

    # Asked by the graph ------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Put every commit so far into files, and retire the log behind them; remove what was only
        kept for readers that are gone.

        Raises
        ------
        StorageError, FailedStateError, LockedError : what was committed is as safe as before.
        """
        journal, committer = self._store.journal, self._store.committer

        def freeze() -> None:
            if journal.memtable.is_empty:
                journal.sync()
            elif not journal.stack.frozen:
                journal.freeze()

        self.finish_flush()
        committer.exclusively(freeze)
        if journal.stack.frozen:
            self.finish_flush()
        else:
            clean_up(self._store)

    def finish_flush(self) -> None:
        """Flush what is frozen, in this thread or with the one that has begun to."""
        with self._working:
            while self._step_flush():
                pass
        if self._tuning.compaction:
            self._want_compaction()

    def step(self) -> bool:
        """Do one step of what is due; return whether there was any. For use without a thread."""
        with self._working:
            return self._step_flush() or self._step_compaction()

    def work_off(self) -> None:
        """Do everything that is due, in this thread."""
        while self.step():
            pass

    def compact(self, progress: Progress | None = None, drop_before: int | None = None) -> None:
        """Merge everything into one segment and one run, in this thread.

        progress : called with bytes of input done and to do.
        drop_before : µs since 1970 UTC; what was superseded before then goes as well.

        Raises
        ------
        StorageError, CorruptionError : what was merged before stands, the rest is as it was.
        """
        self.checkpoint()
        done = self._forget(drop_before, progress) if drop_before is not None else 0
        while merges := major_compaction(self._store):
            total = done + sum(merge.size_bytes for merge in merges)
            for merge in merges[1:]:
                merge.steps.close()
            self._work_at(merges[0].steps)
            done += merges[0].size_bytes
            if progress is not None:
                progress(done, total)

    def _forget(self, time: int, progress: Progress | None) -> int:
        """Drop the past before `time`; return how many bytes of input that took."""
        for _ in range(_ATTEMPTS):
            work = forgetting(self._store, time)
            if work is None:
                return 0
            self._work_at(work.steps)
            # Else another process has merged some of the inputs meanwhile.
            if self._store.journal.stack.generation.manifest.floor_sequence >= work.floor:
                if progress is not None:
                    progress(work.size_bytes, work.size_bytes)
                return work.size_bytes
        raise StorageError(
            f"{self._store.files.root} was merged by others again and again while its past was "
            "to be dropped; nothing was dropped: do it once more"
        )

    def purge(self, name: str) -> Purged:
        """Erase everything that files say of ended nodes of a name, in this thread.

        Raises
        ------
        StorageError, CorruptionError : nothing was erased.
        """
        for _ in range(_ATTEMPTS):
            self.checkpoint()
            found = self._work_at(purge(self._store, name))
            if found is not None:
                return found
        raise StorageError(
            f"{self._store.files.root} was merged by others again and again while it was to be "
            "purged; nothing was erased: do it once more"
        )

    def close(self) -> None:
        """Stop after the step under way; unfinished files are taken back."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        thread = self._thread
        # Where its start was interrupted it may never run; if it does, it stops at once.
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join()
        with self._working:
            if self._flush is not None:
                self._flush.close()
            if self._compaction is not None:
                self._compaction.steps.close()
            self._flush = self._compaction = None
            self._store.locks.flush.release()
            self._store.locks.compact.release()

    # The work ----------------------------------------------------------------------------------

    def _is_full(self) -> bool:
        return self._store.journal.memtable.size_bytes >= self._tuning.memtable_size_bytes_max

    def _step_flush(self) -> bool:
        """Do one step of the flush that is due; return whether more may be due."""
        if self._flush is None:
            if not self._store.journal.stack.frozen:
                self._flush_wanted = False
                return False
            if not self._may_flush():
                return True
            self._flush = flush(self._store)
        try:
            next(self._flush)
        except StopIteration:
            self._end_flush()
            self.failure = None
            self._compaction_wanted = self._tuning.compaction
            return bool(self._store.journal.stack.frozen)
        except BaseException as error:
            self._end_flush()
            self._flush_wanted = False
            if isinstance(error, LithographError):
                self.failure = error
            raise
        return True

    def _work_at(self, steps: Generator[None, None, Result]) -> Result:
        """Do all steps in this thread, and return their result; flushes that come due go first, so
        that no commit waits."""
        try:
            while True:
                with self._working:
                    if self._stopping:
                        raise ClosedError("the store was closed while it was compacted")
                    if not self._step_flush():
                        try:
                            next(steps)
                        except StopIteration as end:
                            result: Result = end.value
                            return result
        finally:
            steps.close()

    def _may_flush(self) -> bool:
        """Return whether to begin a flush; wait a little where another process has begun one.

        It may flush the very commits that are frozen here, which are given up then.
        """
        locks = self._store.locks
        if locks.flush.try_acquire(exclusive=True) or not self._threaded:
            return True
        self._waited_s += _LOOK_S
        if self._waited_s > locks.timeout_s:
            return True
        time.sleep(_LOOK_S)
        self._store.journal.refresh()
        return False

    def _end_flush(self) -> None:
        self._flush = None
        self._waited_s = 0.0
        self._store.locks.flush.release()

    def _step_compaction(self) -> bool:
        if not (self._tuning.compaction and (self._compaction or self._compaction_wanted)):
            return False
        try:
            if self._compaction is None and self._store.locks.compact.try_acquire(exclusive=True):
                self._compaction = compaction_due(self._store, self._broken)
            if self._compaction is None:
                # Nothing is due, or another process is at it; it goes on to the end.
                self._store.locks.compact.release()
                self._compaction_wanted = False
                return False
            next(self._compaction.steps)
        except StopIteration:
            self._compaction = None
            self._store.locks.compact.release()
        except BaseException as error:
            compaction, self._compaction = self._compaction, None
            self._store.locks.compact.release()
            self._compaction_wanted = False
            if isinstance(error, CorruptionError) and compaction is not None:
                self._broken.add(compaction.inputs)
            raise
        return True

    def _is_crowded(self) -> bool:
        """Whether there are so many segments that merging them comes before adding more."""
        manifest = self._store.journal.stack.generation.manifest
        return len(manifest.segments) >= _SEGMENT_COUNT_MAX

    # The thread --------------------------------------------------------------------------------

    def _want_flush(self) -> None:
        self._flush_wanted = True
        self._wake()

    def _want_compaction(self) -> None:
        self._compaction_wanted = True
        self._wake()

    def _wake(self) -> None:
        if not self._threaded:
            return
        with self._change:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(
                    target=self._run, name="lithograph-caretaker", daemon=True
                )
                self._thread.start()
            self._change.notify_all()

    def _run(self) -> None:
        while True:
            with self._change:
                while not (self._stopping or self._flush_wanted or self._compaction_wanted):
                    self._change.wait(_IDLE_S)
                if self._stopping:
                    return
            try:
                with self._working:
                    if not (self._is_crowded() and self._step_compaction()):
                        # A flush that failed waits until somebody wants it again.
                        (self._flush_wanted and self._step_flush()) or self._step_compaction()
            except StorageError as error:
                _log.warning("flush or compaction failed and will be tried again: %s", error)
            except LithographError as error:
                _log.error("flush or compaction failed: %s", error)
            except BaseException:
                _log.exception("flush or compaction failed")
            with self._change:
                self._change.notify_all()


def _full(failure: LithographError) -> StorageError:
    error = StorageError(
        f"the memtable is full and cannot be flushed: {failure}; "
        "commits go on when the cause is gone"
    )
    error.__cause__ = failure.__cause__ or failure
    return error
