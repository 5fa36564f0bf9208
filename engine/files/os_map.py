"""One mapped file of this machine: read-only, and never read where the file may have ended.

A page behind the end of a file kills whoever touches it (SIGBUS), so the size is asked for before
each read; on Linux that costs 0.4 µs. A file that is cut between the two, or a page that the medium
cannot deliver, still kills: nobody but the store's own processes may write in its directory.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os

from lithograph.errors import StorageError
from lithograph.files.protocol import cut_short, failed


class OsFileMap:
    """A mapping with the one descriptor that it keeps; both go with the last reference to it."""

    def __init__(self, path: str, fd: int) -> None:
        """Map what a descriptor leads to, which stays the caller's; OSError passes."""
        self.path = path
        self._is_closed = False
        self._size = os.fstat(fd).st_size
        try:
            # The system maps nothing that is empty.
            self._map = mmap.mmap(fd, self._size, prot=mmap.PROT_READ) if self._size else None
        except ValueError as error:
            raise cut_short(path, os.fstat(fd).st_size, 0, self._size) from error

    def size(self) -> int:
        if self._is_closed:
            raise self._closed("look at")
        try:
            return self._map.size() if self._map is not None else 0
        except (OSError, ValueError):
            # Only because another thread has just closed it.
            raise self._closed("look at") from None

    def read(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert size >= 0
        end = min(self.size(), self._size)
        if offset + size > end:
            raise cut_short(self.path, end, offset, size)
        try:
            return self._map[offset : offset + size] if self._map is not None else b""
        except ValueError:
            raise self._closed("read") from None

    def view(self) -> memoryview | None:
        if self._is_closed:
            raise self._closed("look at")
        return memoryview(self._map) if self._map is not None else None

    def close(self) -> None:
        self._is_closed = True
        if self._map is not None:
            # Where the kernel reads from it, the last one to let go gives it back.
            with contextlib.suppress(BufferError):
                self._map.close()

    def _closed(self, action: str) -> StorageError:
        return failed(action, self.path, OSError(errno.EBADF, os.strerror(errno.EBADF)))
