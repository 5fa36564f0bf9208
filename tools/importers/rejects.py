"""Lines that an import sets aside, in a file of their own: FILE.rejects, a JSON object per line.

Promises:

1. The file is made when the first line is set aside, and replaces the one of an earlier import.
2. Every line in it is whole, whenever the import ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import msgspec

from lithograph.errors import StorageError
from lithograph.tools.importers.rows import EdgeRow, NodeRow, Reject, Row

TEXT_SIZE_MAX: Final = 64 * 1024
"""Characters of a line that are kept; of a longer one its beginning, and `size` says so."""


class RejectedLine(msgspec.Struct, omit_defaults=True):
    """A line of FILE.rejects.

    line : its number in FILE, from 1. reason : why it was set aside. text : the line; bytes that
    are not UTF-8 as \\xNN. size : where `text` is only the beginning, how long the line was.
    file : where several were read, which of them.
    """

    line: int
    reason: str
    text: str
    size: int | None = None
    file: str = ""


class Rejects:
    """The rejects of one import; a context manager.

    Attributes
    ----------
    path : the file, if there will be one.   count : lines set aside so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, reject: Reject) -> None:
        """Set a line aside.

        Raises
        ------
        StorageError : the file cannot be written.
        """
        text = reject.text
        if isinstance(text, bytes):
            text = text.decode("utf-8", "backslashreplace")
        size = len(text) if len(text) > TEXT_SIZE_MAX else None
        kept = text[:TEXT_SIZE_MAX].encode("utf-8", "backslashreplace").decode()
        reason = reject.reason.encode("utf-8", "backslashreplace").decode()
        file = reject.file.encode("utf-8", "backslashreplace").decode()
        line = RejectedLine(reject.line, reason, kept, size, file)
        self._write(msgspec.json.encode(line) + b"\n")
        self.count += 1

    def sift(self, rows: Iterable[Row]) -> Iterator[NodeRow | EdgeRow]:
        """Yield what is not set aside."""
        for row in rows:
            if isinstance(row, Reject):
                self.add(row)
            else:
                yield row

    def _write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = self.path.open("wb", buffering=0)
            self._file.write(data)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise StorageError(
                f"cannot write {os.fspath(self.path)}, where lines are set aside: {reason}; "
                "name another file with --rejects FILE"
            ) from error

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def shown(value: Any) -> str:
    """Return what was found, for a reason: short, on one line.

    >>> shown(None), shown(True), shown(5), shown({"a": 1}), shown("x" * 50)[:12]
    ('null', 'true', '5', 'an object', "'xxxxxxxxxxx")
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return f"{value!r:.40}"
