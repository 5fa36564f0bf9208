"""A regular file, opened to be looked at: never written, never waited for, never mapped."""

from __future__ import annotations

import fcntl
import os
import stat
from types import TracebackType

from lithograph.errors import StorageError


class RegularFile:
    """An open file; its size is the one it had when it was opened, whatever is appended since.

    changed_at : when it was last written to, in seconds since 1970.
    """

    def __init__(self, path: str) -> None:
        """Open the file.

        Raises
        ------
        StorageError : there is none, it cannot be read, or it is a directory, pipe or device.
        """
        self.path = path
        try:
            # Opening a pipe would wait for its other end.
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StorageError(f"cannot open {path}: {reason}") from error
        found = os.fstat(self._fd)
        if not stat.S_ISREG(found.st_mode):
            os.close(self._fd)
            raise StorageError(f"{path} is not a regular file")
        self.size = found.st_size
        self.changed_at = found.st_mtime

    def is_locked(self) -> bool:
        """Return whether a process holds a lock on the file; never waits, and leaves none."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            raise StorageError(f"cannot lock {self.path}: {error.strerror}") from error
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return False

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset` on; fewer where the file ends."""
        pieces = []
        size = max(min(size, self.size - offset), 0)
        try:
            while size and (piece := os.pread(self._fd, size, offset)):
                pieces.append(piece)
                offset += len(piece)
                size -= len(piece)
        except OSError as error:
            raise StorageError(f"cannot read {self.path}: {error.strerror}") from error
        return b"".join(pieces)

    def __enter__(self) -> RegularFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)
