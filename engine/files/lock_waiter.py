"""Waiting for a `flock` with a time limit: in a thread of its own, which alone can be left behind.

Whoever waits claims the waiter; when its time is up it lets go, and the thread goes on waiting
until it gets the lock, to give it back at once, or until somebody claims it again. So any number
of waits that time out cost one thread and one descriptor.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading


class LockWaiter:
    """One thread that waits for one lock on one descriptor, which it owns until it is taken.

    Invariant: when the thread has ended, the descriptor was taken, or is unlocked and closed.
    """

    def __init__(self, fd: int, *, exclusive: bool) -> None:
        self.exclusive = exclusive
        self._fd = fd
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._is_claimed = True

    def start(self) -> None:
        """Begin to wait, claimed by whoever calls `wait` next."""
        thread = threading.Thread(target=self._run, name="lithograph-lock", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The machine has no more threads: there is nobody to leave the descriptor to.
            self.abandon()
            raise
        except BaseException:
            # Interrupted: the thread runs, or is about to; it gives back what nobody claims.
            with self._guard:
                self._is_claimed = False
            raise

    def wait(self, timeout_s: float) -> int:
        """Return the descriptor with the lock on it, or -1 when `timeout_s` has passed."""
        fd = -1
        is_undisturbed = False
        try:
            with self._guard:
                self._is_claimed = self._fd >= 0
            if self._is_claimed:
                self._done.wait(timeout_s)
            is_undisturbed = True
        finally:
            with self._guard:
                self._is_claimed = False
                if self._done.is_set():
                    fd, self._fd = self._fd, -1
            if fd >= 0 and not is_undisturbed:
                _give_back(fd)
        return fd

    def is_over(self) -> bool:
        """Return whether there is nothing left to wait for."""
        with self._guard:
            return self._fd < 0

    def abandon(self) -> None:
        """After a fork, in the child, where the thread does not exist: close, unlock nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _run(self) -> None:
        flag = fcntl.LOCK_EX if self.exclusive else fcntl.LOCK_SH
        got = False
        with contextlib.suppress(OSError):
            fcntl.flock(self._fd, flag)
            got = True
        with self._guard:
            if got and self._is_claimed:
                self._done.set()
                return
            fd, self._fd = self._fd, -1
            self._done.set()
        if fd >= 0:
            _give_back(fd)


def _give_back(fd: int) -> None:
    # Unlocked, not only closed: a forked child may hold a copy of the descriptor.
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)
