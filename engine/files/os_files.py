"""The directory of a store on this machine.

Every component of a path is opened without following links, so nothing outside the store is ever
reached; special files are refused before they can block.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from lithograph.errors import CorruptionError, NotAStoreError, StoreNotFoundError
from lithograph.files.os_lock import OsLock
from lithograph.files.protocol import File, Lock, failed
from lithograph.formats.file_names import is_store_file

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WRITE: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DIRECTORY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)  # On macOS, fsync leaves data in the drive.


class OsFiles:
    """The directory of a store on this machine."""

    def __init__(self, path: str) -> None:
        """Open the directory.

        Raises
        ------
        StoreNotFoundError : nothing is at `path`.  NotAStoreError : it is not a directory.
        """
        self.root = path
        try:
            self._root_fd = os.open(path, _DIRECTORY)
        except FileNotFoundError as error:
            raise StoreNotFoundError(
                f'there is no store at {path}; open it with mode="c" to create one'
            ) from error
        except NotADirectoryError as error:
            raise NotAStoreError(f"{path} is not a directory; a store is one") from error
        except OSError as error:
            raise failed("open", path, error) from error
        self._directories: dict[str, int] = {"": self._root_fd}
        self._open: set[OsFile | OsLock] = set()

    @classmethod
    def create_root(cls, path: str) -> OsFiles:
        """Make the store's directory if nothing is there, and open it."""
        try:
            # Only the directory itself: a mistyped parent should not come into being.
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)  # noqa: PTH102
        except OSError as error:
            raise failed("create", path, error) from error
        return cls(path)

    def identity(self) -> tuple[int, int]:
        found = os.fstat(self._root_fd)
        return found.st_dev, found.st_ino

    def path_of(self, name: str) -> str:
        return str(Path(self.root, name))

    def exists(self, name: str) -> bool:
        try:
            directory, leaf = self._locate(name)
            os.stat(leaf, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise failed("look at", self.path_of(name), error) from error
        return True

    def entries(self, directory: str) -> list[str]:
        try:
            return sorted(os.listdir(self._directory(directory)))  # noqa: PTH208
        except FileNotFoundError:
            return []
        except OSError as error:
            raise failed("list", self.path_of(directory), error) from error

    def make_directory(self, name: str) -> None:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._root_fd)
        except OSError as error:
            raise failed("create", self.path_of(name), error) from error

    def sync_directory(self, name: str) -> None:
        try:
            if name == "..":
                # The parent of the path as given: ".." would be another one behind a link.
                fd = os.open(Path(self.root).absolute().parent, _DIRECTORY)
                try:
                    _sync(fd)
                finally:
                    os.close(fd)
            else:
                _sync(self._directory(name))
        except OSError as error:
            # Some network file systems cannot sync a directory and have nothing to sync.
            if error.errno != errno.EINVAL:
                raise failed("sync", self.path_of(name), error) from error

    def create(self, name: str) -> File:
        return self._file(name, _WRITE | os.O_CREAT | os.O_EXCL)

    def open(self, name: str, *, writable: bool = False) -> File:
        return self._file(name, _WRITE if writable else _READ)

    def unlink(self, name: str) -> None:
        try:
            directory, leaf = self._locate(name)
            os.unlink(leaf, dir_fd=directory)
        except OSError as error:
            raise failed("remove", self.path_of(name), error) from error

    def lock(self, name: str, pid: int) -> Lock:
        lock = OsLock(self, name, pid)
        self._open.add(lock)
        return lock

    def close(self) -> None:
        for thing in list(self._open):
            thing.close()
        self._close_directories()

    def abandon(self) -> None:
        for thing in list(self._open):
            thing.abandon()
        self._close_directories()

    def _close_directories(self) -> None:
        directories, self._directories = self._directories, {}
        # A call that comes too late must not meet a number that was given to another directory.
        self._root_fd = -1
        for fd in directories.values():
            os.close(fd)

    def forget(self, thing: OsFile | OsLock) -> None:
        self._open.discard(thing)

    def open_for_lock(self, name: str, *, writable: bool) -> int:
        """Return a descriptor of a lock file; OSError passes. It is made only where it may be."""
        return self._open_fd(name, _WRITE | os.O_CREAT if writable else _READ)

    def _open_fd(self, name: str, flags: int) -> int:
        """Open a regular file below the store; OSError passes, anything odd is CorruptionError."""
        directory, leaf = self._locate(name)
        try:
            fd = os.open(leaf, flags, 0o600, dir_fd=directory)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise CorruptionError(
                    "not a regular file: the store holds no links", path=self.path_of(name)
                ) from error
            raise
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise CorruptionError("not a regular file", path=self.path_of(name))
        return fd

    def identity_of(self, name: str) -> tuple[int, int] | None:
        """Return what names the file now at `name`, or None if there is none."""
        try:
            directory, leaf = self._locate(name)
            found = os.stat(leaf, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _file(self, name: str, flags: int) -> File:
        try:
            file = OsFile(self, name, self._open_fd(name, flags))
        except FileExistsError:
            raise
        except FileNotFoundError as error:
            raise CorruptionError(
                "the file is missing; restore it from a backup", path=self.path_of(name)
            ) from error
        except OSError as error:
            raise failed("open", self.path_of(name), error) from error
        self._open.add(file)
        return file

    def _locate(self, name: str) -> tuple[int, str]:
        assert is_store_file(name), name
        directory, _, leaf = name.rpartition("/")
        return self._directory(directory), leaf

    def _directory(self, name: str) -> int:
        fd = self._directories.get(name)
        if fd is None:
            fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._root_fd)
            # Two threads may both get here; the first one's descriptor is kept.
            kept = self._directories.setdefault(name, fd)
            if kept != fd:
                os.close(fd)
            fd = kept
        return fd


def _sync(fd: int, *, data_only: bool = False) -> None:
    if fd < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    elif data_only:
        os.fdatasync(fd)
    else:
        os.fsync(fd)


class OsFile:
    """One open regular file."""

    def __init__(self, files: OsFiles, name: str, fd: int) -> None:
        self.path = files.path_of(name)
        self._files = files
        self._fd = fd

    def read_at(self, offset: int, size: int) -> bytes:
        try:
            data = os.pread(self._fd, size, offset)
            while len(data) < size and (
                more := os.pread(self._fd, size - len(data), offset + len(data))
            ):
                data += more
        except OSError as error:
            raise failed("read", self.path, error) from error
        return data

    def write_at(self, offset: int, data: bytes) -> None:
        try:
            written = os.pwrite(self._fd, data, offset)
            while written < len(data):
                # A short write is how a disk that fills up, or a size limit, says so first.
                step = os.pwrite(self._fd, memoryview(data)[written:], offset + written)
                if step == 0:
                    raise OSError(errno.ENOSPC, "the system wrote nothing")
                written += step
        except OSError as error:
            raise failed("write", self.path, error) from error

    def size(self) -> int:
        try:
            return os.fstat(self._fd).st_size
        except OSError as error:
            raise failed("look at", self.path, error) from error

    def truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise failed("truncate", self.path, error) from error

    def sync_data(self) -> None:
        try:
            _sync(self._fd, data_only=True)
        except OSError as error:
            raise failed("sync", self.path, error) from error

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._files.forget(self)
            os.close(fd)

    abandon = close
