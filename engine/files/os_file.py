"""One open file of this machine."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Final, Protocol

from lithograph.files.protocol import failed

_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)  # On macOS, fsync leaves data in the drive.


class OpenFiles(Protocol):
    """What a file needs of the directory that it was opened from."""

    def forget(self, thing: OsFile) -> None:
        """Take the file off the list of what is open."""


class OsFile:
    """One open regular file."""

    def __init__(self, files: OpenFiles, path: str, fd: int) -> None:
        self.path = path
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
            # Every commit comes here, and `os.fstat` takes five times as long to say more. Nothing
            # else uses the descriptor's own place in the file.
            return os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as error:
            raise failed("look at", self.path, error) from error

    def truncate(self, size: int) -> None:
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise failed("truncate", self.path, error) from error

    def sync_data(self) -> None:
        try:
            sync(self._fd, data_only=True)
        except OSError as error:
            raise failed("sync", self.path, error) from error

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._files.forget(self)
            os.close(fd)

    abandon = close


def sync(fd: int, *, data_only: bool = False) -> None:
    """Return when what a descriptor leads to is on the medium; OSError passes."""
    if fd < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    elif data_only:
        os.fdatasync(fd)
    else:
        os.fsync(fd)
