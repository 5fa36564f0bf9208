"""The locks of a store (SPEC.md, section 10).

commit : held around each commit; one writer at a time.
publish : held while CURRENT changes, and while a process joins the store or leaves it.
open : held shared by every process that has the store open; whoever gets it exclusively is alone.
flush, compact : held by whoever does that work, so that others need not do it as well; nothing
    depends on them.

Order: commit before publish before open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lithograph.files import Files, Lock
from lithograph.formats.file_names import (
    LOCK_COMMIT,
    LOCK_COMPACT,
    LOCK_FLUSH,
    LOCK_OPEN,
    LOCK_PUBLISH,
)


class HeldLock:
    """A lock to be held in a `with`, exclusively; a class, for that is quicker than a generator."""

    def __init__(self, lock: Lock, timeout_s: float) -> None:
        self._lock = lock
        self._timeout_s = timeout_s

    def __enter__(self) -> None:
        try:
            # As a rule it is free: no time limit to reckon with then.
            if not self._lock.try_acquire(exclusive=True):
                self._lock.acquire(exclusive=True, timeout_s=self._timeout_s)
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class StoreLocks:
    """One process's hold on the locks of a store."""

    def __init__(self, files: Files, pid: int, timeout_s: float) -> None:
        self.open: Lock = files.lock(LOCK_OPEN, pid)
        self._commit = files.lock(LOCK_COMMIT, pid)
        self._publish = files.lock(LOCK_PUBLISH, pid)
        self.flush: Lock = files.lock(LOCK_FLUSH, pid)
        self.compact: Lock = files.lock(LOCK_COMPACT, pid)
        self.timeout_s = timeout_s
        self._held_commit = HeldLock(self._commit, timeout_s)

    def commit(self) -> HeldLock:
        """Hold the commit lock; LockedError if another process does for too long."""
        return self._held_commit

    @contextmanager
    def publish(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the publish lock; LockedError if another process does for too long.

        timeout_s : None stands for the `lock_timeout` the store was opened with.
        """
        try:
            self._publish.acquire(
                exclusive=True, timeout_s=self.timeout_s if timeout_s is None else timeout_s
            )
            yield
        finally:
            self._publish.release()

    def close(self) -> None:
        for lock in (self.flush, self.compact, self._commit, self._publish, self.open):
            lock.close()
