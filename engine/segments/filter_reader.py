"""Asking the filter of a sealed file (SPEC.md, section 13.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lithograph.formats.split_block_filter import (
    FILTER_BLOCK_SIZE,
    SALTS,
    WORD_COUNT,
    block_index,
    may_hold,
)
from lithograph.kernel import xxh64
from lithograph.segments.sealed_file import SealedFile

_WHOLE_MAX: Final = 64 * 2**20
_SALTS: Final = np.array(SALTS, np.uint32)
_HALF: Final = np.uint64(32)


class FilterReader:
    """The filter that stands at `offset` of a sealed file, `size` bytes, at least one block.

    Attributes
    ----------
    block_count : blocks of 32 bytes.
    """

    def __init__(self, file: SealedFile, offset: int, size: int) -> None:
        assert size >= FILTER_BLOCK_SIZE
        self._file = file
        self._offset = offset
        self.block_count = size // FILTER_BLOCK_SIZE

    def may_hold(self, name: bytes) -> bool:
        """Return False if the name is certainly not in the file; reads 32 bytes of it."""
        digest = xxh64(name)
        start = self._offset + block_index(digest, self.block_count) * FILTER_BLOCK_SIZE
        return may_hold(self._file.read(start, FILTER_BLOCK_SIZE), digest)

    def sample(self, count: int) -> bytes:
        """Return up to `count` adjacent blocks from the middle."""
        count = min(count, self.block_count)
        start = (self.block_count - count) // 2 * FILTER_BLOCK_SIZE
        return self._file.read(self._offset + start, count * FILTER_BLOCK_SIZE)

    def whole(self) -> WholeFilter | None:
        """Return a copy of the whole filter, to be asked of many names; None if it is too large.

        Cost: its size in memory, up to 64 MiB: that of 44 million names.
        """
        data = self.data()
        return WholeFilter(data) if data is not None else None

    def data(self) -> bytes | None:
        """Return the bytes of `whole`."""
        size = self.block_count * FILTER_BLOCK_SIZE
        return self._file.read(self._offset, size) if size <= _WHOLE_MAX else None

    def check_ahead(self) -> None:
        """Check all of it, for who will ask of many."""
        self._file.check_ahead(self._offset, self.block_count * FILTER_BLOCK_SIZE)


class WholeFilter:
    """A filter in memory that is asked of many names at a time."""

    def __init__(self, data: bytes) -> None:
        self._words = np.frombuffer(data, "<u4").reshape(-1, WORD_COUNT)

    def missing(self, names: Sequence[bytes]) -> int | None:
        """Return the place of the first name that is certainly not in the file, None if none is.

        Cost: 0.6 µs per name.
        """
        digests = np.array([xxh64(name) for name in names], np.uint64)
        blocks = (digests >> _HALF) * np.uint64(len(self._words)) >> _HALF
        keys = digests.astype(np.uint32)[:, np.newaxis]
        bits = self._words[blocks] >> (keys * _SALTS >> np.uint32(27)) & np.uint32(1)
        found = np.flatnonzero(~bits.all(axis=1))
        return int(found[0]) if len(found) else None
