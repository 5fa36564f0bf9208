"""Locks of this machine: handed over in time, and nothing left behind by waits that time out."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lithograph.errors import LockedError
from lithograph.files import Lock, OsFiles
from lithograph.formats.file_names import LOCK_COMMIT, LOCKS_DIRECTORY


@pytest.fixture
def locks(tmp_path: Path) -> Iterator[tuple[Lock, Lock]]:
    """Two locks on one file, as two processes would have them."""
    both = [OsFiles(str(tmp_path)), OsFiles(str(tmp_path))]
    both[0].make_directory(LOCKS_DIRECTORY)
    yield (both[0].lock(LOCK_COMMIT, 1), both[1].lock(LOCK_COMMIT, 2))
    for files in both:
        files.close()


def _waiters() -> int:
    return sum(thread.name == "lithograph-lock" for thread in threading.enumerate())


def test_a_waiter_gets_the_lock_when_it_is_free(locks: tuple[Lock, Lock]) -> None:
    held, wanted = locks
    held.acquire(exclusive=True, timeout_s=0)
    threading.Timer(0.1, held.release).start()
    wanted.acquire(exclusive=True, timeout_s=5)

    assert not held.try_acquire(exclusive=True)
    wanted.release()
    assert held.try_acquire(exclusive=True)


def test_waits_that_time_out_leave_one_thread_and_one_descriptor(
    locks: tuple[Lock, Lock],
) -> None:
    held, wanted = locks
    held.acquire(exclusive=True, timeout_s=0)
    for timeout_s in (0.0, 0.001) * 20:
        with pytest.raises(LockedError):
            wanted.acquire(exclusive=True, timeout_s=timeout_s)
    descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(50):
        with pytest.raises(LockedError):
            wanted.acquire(exclusive=True, timeout_s=0.001)

    assert _waiters() == 1
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # noqa: PTH208


def test_a_wait_that_timed_out_does_not_keep_the_lock_later(locks: tuple[Lock, Lock]) -> None:
    """The thread it left behind gets the lock when it is free, and gives it back at once."""
    held, wanted = locks
    held.acquire(exclusive=True, timeout_s=0)
    with pytest.raises(LockedError):
        wanted.acquire(exclusive=True, timeout_s=0.01)
    held.release()
    deadline = time.monotonic() + 5
    while _waiters() and time.monotonic() < deadline:
        time.sleep(0.001)

    assert _waiters() == 0
    assert held.try_acquire(exclusive=True)
    held.release()
    assert wanted.try_acquire(exclusive=True)
