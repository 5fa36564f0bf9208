"""Locks between the processes of a simulated disk, with the rules of `flock`.

Nobody waits: no other process runs while one does. The pid of the holder is kept beside the lock
file instead of in it, so that it adds nothing to what a power cut may leave.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lithograph.errors import LockedError
from lithograph.files.protocol import failed
from lithograph.tools.testing.inodes import FileInode

if TYPE_CHECKING:
    from lithograph.tools.testing.simulated_files import SimulatedFiles


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """A lock held on a lock file; it outlives the object that took it only by `abandon`."""

    process: SimulatedFiles
    pid: int | None
    exclusive: bool


Holds: TypeAlias = dict[FileInode, list[Hold]]
"""Who holds which lock file of a disk."""


class SimulatedLock:
    """A lock that one file of the store stands for."""

    def __init__(self, files: SimulatedFiles, holds: Holds, name: str, pid: int | None) -> None:
        self._files = files
        self._holds = holds
        self._name = name
        self._pid = pid
        self._inode: FileInode | None = None
        self._hold: Hold | None = None

    def try_acquire(self, *, exclusive: bool) -> bool:
        self._files.begin("lock", self._name)
        try:
            while True:
                inode = self._inode = self._inode or self._opened()
                if not self._flock(inode, exclusive=exclusive):
                    return False
                if self._is_current(inode):
                    return True
                # The file was removed or replaced: nobody else would see a lock on this one.
                self._drop()
        except OSError as error:
            raise failed("lock", self._files.path_of(self._name), error) from error

    def acquire(self, *, exclusive: bool, timeout_s: float) -> None:
        """Take the lock, or raise LockedError at once."""
        if self.try_acquire(exclusive=exclusive):
            return
        assert self._inode is not None
        pid = self._holds[self._inode][0].pid
        self._drop()
        raise LockedError(
            f"{self._files.path_of(self._name)} is held by process {pid} for longer than "
            f"lock_timeout={timeout_s:g} s; wait for it, or open with a longer lock_timeout",
            pid=pid,
        )

    def release(self) -> None:
        if self._inode is not None:
            self._files.check_usable()
        self._let_go()

    def close(self) -> None:
        self._files.forget(self)
        self._drop()

    def abandon(self) -> None:
        """Forget the file and leave it locked."""
        self._files.forget(self)
        self._inode = self._hold = None

    def _opened(self) -> FileInode:
        try:
            inode = self._files.inode_at(self._name)
        except FileNotFoundError:
            self._files.begin("create", self._name)
            # The hook may have let another process make it.
            with contextlib.suppress(FileExistsError):
                self._files.new_file(self._name)
            inode = self._files.inode_at(self._name)
        assert isinstance(inode, FileInode), self._name
        return inode

    def _flock(self, inode: FileInode, *, exclusive: bool) -> bool:
        if self._hold is not None and self._hold.exclusive == exclusive:
            return True
        # A conversion lets go first, and does not get that back when it fails.
        self._let_go()
        holds = self._holds.setdefault(inode, [])
        if any(exclusive or hold.exclusive for hold in holds):
            return False
        self._hold = Hold(self._files, self._pid, exclusive)
        holds.append(self._hold)
        return True

    def _is_current(self, inode: FileInode) -> bool:
        try:
            return self._files.inode_at(self._name) is inode
        except FileNotFoundError:
            return False

    def _let_go(self) -> None:
        hold, self._hold = self._hold, None
        if hold is not None and not self._files.is_killed:
            assert self._inode is not None
            self._holds[self._inode].remove(hold)

    def _drop(self) -> None:
        self._let_go()
        self._inode = None
