"""Building a filter in bounded memory: hashes are noted first, and set chunk by chunk.

How large a filter is depends on how many names there will be, so the hashes (8 bytes each) wait in
a spool. If the filter is larger than a chunk, they are then shared out to one spool per chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lithograph.files import Files
from lithograph.formats.split_block_filter import (
    FILTER_BLOCK_SIZE,
    SALTS,
    WORD_COUNT,
    block_count_for,
)
from lithograph.kernel import runs
from lithograph.segments.spool import Spool

CHUNK_SIZE: Final = 16 * 2**20
_SHARE_MEMORY: Final = 128 * 1024
_BATCH: Final = 32 * 1024
_DIGEST_SIZE: Final = 8
_SALTS: Final = np.array(SALTS, np.uint32)

_Digests = npt.NDArray[np.uint64]


class FilterBuilder:
    """A filter on its way.

    chunk_size : bytes of the filter that are built at a time.
    """

    def __init__(self, files: Files, chunk_size: int = CHUNK_SIZE) -> None:
        assert chunk_size % FILTER_BLOCK_SIZE == 0
        self._files = files
        self._blocks_per_chunk = chunk_size // FILTER_BLOCK_SIZE
        self._digests = Spool(files)

    def add(self, digest: int) -> None:
        """Add a name by its XXH64."""
        self._digests.append(digest.to_bytes(_DIGEST_SIZE, "little"))

    def add_many(self, digests: bytes) -> None:
        """Add names by their XXH64, eight bytes each, lowest byte first."""
        self._digests.append(digests)

    def chunks(self) -> Iterator[bytes]:
        """Yield the filter, once, in pieces of `chunk_size` bytes and a last one.

        Cost: two passes over the hashes; a chunk, 3 MiB for a batch, 128 KiB per share.
        """
        block_count = block_count_for(self._digests.size // _DIGEST_SIZE)
        step = self._blocks_per_chunk
        shares = [self._digests]
        if block_count > step:
            shares = [Spool(self._files, _SHARE_MEMORY) for _ in range(0, block_count, step)]
        try:
            if len(shares) > 1:
                _share_out(self._digests, shares, block_count, step)
                self._digests.close()
            for index, share in enumerate(shares):
                first = index * step
                yield _chunk(share, first, min(step, block_count - first), block_count)
                share.close()
        finally:
            for share in shares:
                share.close()

    def close(self) -> None:
        self._digests.close()


def _chunk(digests: Spool, first: int, count: int, block_count: int) -> bytes:
    """Return `count` blocks from number `first` on, with the bits of all digests."""
    if runs is not None:
        bits = bytearray(count * FILTER_BLOCK_SIZE)
        for piece in digests.chunks():
            runs.set_bits(bits, piece, first, block_count)
        return bytes(bits)
    words = np.zeros((count, WORD_COUNT), np.dtype("<u4"))
    for batch in _batches(digests):
        _set_bits(words, batch, _blocks(batch, block_count) - first)
    return words.tobytes()


def _batches(spool: Spool) -> Iterator[_Digests]:
    for piece in spool.chunks():
        digests: npt.NDArray[Any] = np.frombuffer(piece, np.dtype("<u8"))
        for start in range(0, len(digests), _BATCH):
            yield digests[start : start + _BATCH].astype(np.uint64)


def _blocks(digests: _Digests, block_count: int) -> npt.NDArray[np.int64]:
    """Return the number of each digest's block."""
    high = digests >> np.uint64(32)
    return ((high * np.uint64(block_count)) >> np.uint64(32)).astype(np.int64)


def _share_out(digests: Spool, shares: list[Spool], block_count: int, step: int) -> None:
    """Copy every digest to the spool of the chunk that its block is in."""
    ends = np.arange(1, len(shares)) * step
    for batch in _batches(digests):
        blocks = _blocks(batch, block_count)
        order = np.argsort(blocks)
        parts = np.split(batch[order], np.searchsorted(blocks[order], ends))
        for share, part in zip(shares, parts, strict=True):
            share.append(part.astype("<u8").tobytes())


def _set_bits(words: npt.NDArray[Any], digests: _Digests, rows: npt.NDArray[np.int64]) -> None:
    """Set the bits of digests whose blocks are these rows of `words`."""
    if not len(digests):
        return
    # In order of rows, so that the bits of one block are joined before they are stored.
    order = np.argsort(rows)
    rows = rows[order]
    keys = digests[order].astype(np.uint32)
    masks = np.uint32(1) << ((keys[:, None] * _SALTS) >> np.uint32(27))
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    words[rows[starts]] |= np.bitwise_or.reduceat(masks, starts, axis=0)
