"""The file that an import reads, or standard input: lines of bounded size, as often as needed.

Promises:

1. Memory is bounded: a line longer than `LINE_SIZE_MAX` is passed over, its beginning kept.
2. What cannot be read twice, a pipe or a terminal, is copied to a temporary file first.
3. What is appended while it is read is not seen.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from lithograph.errors import StorageError
from lithograph.tools.progress import Report

LINE_SIZE_MAX: Final = 8 * 2**20
"""Bytes. A line is held in memory as a whole, and as values beside it."""

_KEPT_SIZE: Final = 256 * 1024
_REPORT_EVERY: Final = 1 << 20


class LongLine(bytes):
    """The beginning of a line that is longer than `LINE_SIZE_MAX`."""

    __slots__ = ()


class InputFile:
    """An open input; a context manager.

    Attributes
    ----------
    name : for messages.   size : bytes.
    """

    def __init__(self, path: str) -> None:
        """Open a file, or standard input for "-".

        Raises
        ------
        StorageError : it cannot be read.
        """
        self.name = "standard input" if path == "-" else path
        try:
            self._file = _stdin() if path == "-" else Path(path).open("rb")  # noqa: SIM115
            try:
                if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
                    self._file = _spooled(self._file)
                self.size = self._file.seek(0, os.SEEK_END)
            except BaseException:
                self._file.close()
                raise
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    @property
    def binary(self) -> BinaryIO:
        """The file itself, from its beginning, for readers that know how to bound themselves."""
        self._file.seek(0)
        return self._file

    def lines(self, report: Report = lambda done, total: None) -> Iterator[tuple[int, bytes]]:
        """Yield (number from 1, line without its end); a `LongLine` where it is too long.

        report : called with bytes done and in all, once per MiB.
        """
        readline = self.binary.readline
        left, number, reported = self.size, 0, 0
        try:
            while left > 0 and (line := readline(min(left, LINE_SIZE_MAX))):
                number += 1
                left -= len(line)
                if len(line) == LINE_SIZE_MAX and line[-1:] != b"\n":
                    line = LongLine(line[:_KEPT_SIZE])
                    while left > 0 and (rest := readline(min(left, LINE_SIZE_MAX))):
                        left -= len(rest)
                        if rest[-1:] == b"\n":
                            break
                    yield number, line
                else:
                    yield number, line[:-1] if line[-1:] == b"\n" else line
                if self.size - left - reported >= _REPORT_EVERY:
                    reported = self.size - left
                    report(reported, self.size)
        except OSError as error:
            raise self._failed(error) from error
        report(self.size, self.size)

    def _failed(self, error: Exception) -> StorageError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return StorageError(f"cannot read {self.name}: {reason}")

    def __enter__(self) -> InputFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise ValueError("it is closed")
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")


def _spooled(source: BinaryIO) -> BinaryIO:
    """Return a copy in a temporary file that has no name, and close the source."""
    with source:
        copy = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            shutil.copyfileobj(source, copy, 1 << 20)
        except BaseException:
            copy.close()
            raise
    return copy
