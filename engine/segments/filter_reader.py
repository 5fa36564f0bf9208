"""Asking the filter of a sealed file (SPEC.md, section 13.5)."""

from __future__ import annotations

from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE, block_index, may_hold
from lithograph.kernel import xxh64
from lithograph.segments.sealed_file import SealedFile


class FilterReader:
    """The filter that stands at `offset` of a sealed file, `size` bytes, at least one block."""

    def __init__(self, file: SealedFile, offset: int, size: int) -> None:
        assert size >= FILTER_BLOCK_SIZE
        self._file = file
        self._offset = offset
        self._block_count = size // FILTER_BLOCK_SIZE

    def may_hold(self, name: bytes) -> bool:
        """Return False if the name is certainly not in the file; reads 32 bytes of it."""
        digest = xxh64(name)
        start = self._offset + block_index(digest, self._block_count) * FILTER_BLOCK_SIZE
        return may_hold(self._file.read(start, FILTER_BLOCK_SIZE), digest)

    def check_ahead(self) -> None:
        """Check all of it, for who will ask of many."""
        self._file.check_ahead(self._offset, self._block_count * FILTER_BLOCK_SIZE)
