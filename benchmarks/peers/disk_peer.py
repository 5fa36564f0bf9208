"""The medium: appending the bytes of one commit to a file and syncing it."""

from __future__ import annotations

import os
from pathlib import Path


class Appender:
    """A file to which records of one size are appended, each synced."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._record = os.urandom(size_bytes)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)
        self._offset = os.fstat(self._file).st_size

    def append(self, _: object) -> None:
        os.pwrite(self._file, self._record, self._offset)
        os.fdatasync(self._file)
        self._offset += len(self._record)

    def close(self) -> None:
        os.close(self._file)
