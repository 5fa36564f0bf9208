"""Locks between processes, by `flock`.

A `flock` belongs to an open file: closing another descriptor of the same file does not drop it
(POSIX `lockf` locks do that), and it dies with its process, whatever kills it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from pathlib import Path
from typing import Final, Protocol

from lithograph.errors import LockedError
from lithograph.files.lock_waiter import LockWaiter
from lithograph.files.protocol import failed

_READ_ONLY_ERRORS: Final = (errno.EACCES, errno.EROFS, errno.EPERM)
_EXCLUSIVE_NOW: Final = fcntl.LOCK_EX | fcntl.LOCK_NB
_SHARED_NOW: Final = fcntl.LOCK_SH | fcntl.LOCK_NB
_PROC_LOCK: Final = re.compile(r": FLOCK +ADVISORY +\w+ +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) ")


class LockDirectory(Protocol):
    """What a lock needs of the directory its file is in."""

    def path_of(self, name: str) -> str:
        """Return the path of a file, for messages."""

    def open_for_lock(self, name: str, *, writable: bool) -> int:
        """Return a descriptor of a lock file; OSError passes."""

    def look_at(self, directory: str, leaf: str) -> os.stat_result | None:
        """Return what the system says of the file now there, or None if there is none."""

    def forget(self, thing: OsLock) -> None:
        """Take the lock off the list of what is open."""


class OsLock:
    """A lock that one file of the store stands for."""

    def __init__(self, files: LockDirectory, name: str, pid: int | None) -> None:
        self._files = files
        self._name = name
        self._directory, _, self._leaf = name.rpartition("/")
        self._path = files.path_of(name)
        self._pid = b"" if pid is None else f"{pid}\n".encode()
        self._fd = -1
        self._writable = False
        # What the open file is, and when it was changed last when it held this process's number.
        self._identity = (0, 0)
        self._noted_at = -1
        self._waiter: LockWaiter | None = None

    def try_acquire(self, *, exclusive: bool) -> bool:
        try:
            while True:
                if self._fd < 0:
                    self._ensure_open()
                try:
                    fcntl.flock(self._fd, _EXCLUSIVE_NOW if exclusive else _SHARED_NOW)
                except BlockingIOError:
                    return False
                found = self._files.look_at(self._directory, self._leaf)
                if found is not None and (found.st_dev, found.st_ino) == self._identity:
                    if exclusive and found.st_mtime_ns != self._noted_at:
                        self._note_holder()
                    return True
                # Another file stands there by now: this one means nothing.
                self._drop()
        except OSError as error:
            self._drop()
            raise failed("lock", self._path, error) from error
        except BaseException:
            # Interrupted with the lock held and nobody told: closing gives it back.
            self._drop()
            raise

    def acquire(self, *, exclusive: bool, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self.try_acquire(exclusive=exclusive):
            try:
                got = self._wait(exclusive, deadline - time.monotonic())
            except OSError as error:
                raise failed("lock", self._path, error) from error
            # A waiter left over from an earlier wait may have come to its end just now.
            if not got and time.monotonic() >= deadline:
                pid = self._holder()
                holder = f"process {pid}" if pid else "another process"
                raise LockedError(
                    f"{self._path} is held by {holder} for longer than lock_timeout="
                    f"{timeout_s:g} s; wait for it, or open with a longer lock_timeout",
                    pid=pid,
                )

    def release(self) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        self._files.forget(self)
        self.release()
        self._drop()

    def abandon(self) -> None:
        """After a fork, in the child: close every descriptor, leave the parent's locks alone."""
        self._files.forget(self)
        self._drop()
        if self._waiter is not None:
            self._waiter.abandon()

    def _ensure_open(self) -> None:
        if self._fd >= 0:
            return
        try:
            self._fd = self._files.open_for_lock(self._name, writable=True)
            self._writable = True
        except OSError as error:
            if error.errno not in _READ_ONLY_ERRORS:
                raise
            self._fd = self._files.open_for_lock(self._name, writable=False)
        self._identify()

    def _identify(self) -> None:
        held = os.fstat(self._fd)
        self._identity = (held.st_dev, held.st_ino)
        self._noted_at = -1

    def _drop(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _wait(self, exclusive: bool, timeout_s: float) -> bool:
        """Return whether the lock was had in time; it is then held on a descriptor of its own."""
        if timeout_s <= 0:
            return False
        waiter = self._waiter
        if waiter is None or waiter.is_over() or waiter.exclusive != exclusive:
            self._drop()
            self._ensure_open()
            waiter = LockWaiter(self._fd, exclusive=exclusive)
            self._fd, self._waiter = -1, waiter
            waiter.start()
        fd = waiter.wait(timeout_s)
        if fd >= 0:
            self._drop()
            self._fd, self._waiter = fd, None
            self._identify()
        return fd >= 0

    def _note_holder(self) -> None:
        """Leave this process's number in the file, for the error message of whoever waits."""
        if not (self._pid and self._writable):
            return
        # Only a message hangs on it: a full disk must not keep anybody from locking.
        with contextlib.suppress(OSError):
            if os.pread(self._fd, 32, 0) != self._pid:
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, self._pid, 0)
            # As long as nobody changes the file, it need not be read again.
            self._noted_at = os.fstat(self._fd).st_mtime_ns

    def _holder(self) -> int | None:
        """Return the pid of a process that holds the lock, as the system or the file tells."""
        found = self._files.look_at(self._directory, self._leaf)
        with contextlib.suppress(OSError):
            for line in Path("/proc/locks").read_text().splitlines():
                match = _PROC_LOCK.search(line)
                if match and found and int(match[2]) == found.st_ino and int(match[1]) > 0:
                    return int(match[1])
        with contextlib.suppress(OSError, ValueError):
            self._ensure_open()
            return int(os.pread(self._fd, 32, 0))
        return None
