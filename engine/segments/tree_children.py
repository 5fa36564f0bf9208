"""What the branches of a run's tree are made from: the pages of one level, noted in a spool."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from lithograph.files import Files
from lithograph.segments.spool import Spool

_NOTE: Final = struct.Struct("<QI")


class TreeChildren:
    """The pages of one level: each one's fence and number, in order."""

    def __init__(self, files: Files) -> None:
        self.count = 0
        self._spool = Spool(files)

    def add(self, fence: bytes, number: int) -> None:
        self._spool.append(_NOTE.pack(number, len(fence)) + fence)
        self.count += 1

    def add_many(self, notes: bytes, count: int) -> None:
        """Add notes that the kernel made."""
        self._spool.append(notes)
        self.count += count

    def chunks(self) -> Iterator[bytes]:
        """Yield the notes as they stand, in pieces that end anywhere."""
        return self._spool.chunks()

    def root(self) -> int:
        """Return the number of the only page."""
        [(_, number)] = self
        return number

    def close(self) -> None:
        self._spool.close()

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        data = b""
        for piece in self._spool.chunks():
            data += piece
            start = 0
            while len(data) - start >= _NOTE.size:
                number, size = _NOTE.unpack_from(data, start)
                end = start + _NOTE.size + size
                if end > len(data):
                    break
                yield data[start + _NOTE.size : end], number
                start = end
            data = data[start:]
        assert not data
