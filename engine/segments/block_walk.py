"""A table with envelopes gone over in the kernel, many blocks at a time (SPEC.md, section 12.3).

What the careful way (`segments.table_check`) asks of every block is kept on the way: blocks and
their records out of line follow each other without gaps. Blocks with records out of line come one
by one, as blocks that hold these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lithograph.formats.envelope import COLUMNS_WITH_DICTIONARY, RAW, WITH_DICTIONARY
from lithograph.formats.table_block import encode_block
from lithograph.kernel import survey
from lithograph.segments.table_check import Place
from lithograph.segments.table_reader import Block, SparseTable, TableReader

_READ_SIZE: Final = 2**20
_BLOCKS_AT_ONCE: Final = 2**12
_UNPACKED_MAX: Final = 2**25
"""Bytes; one block alone may have more."""

# Columns of `places`: see `place_blocks` in the kernel.
_CODEC, _AT, _SIZE, _FRAME_AT, _FRAME_SIZE, _CONTENT_SIZE = range(6)
_PLACE_COUNT: Final = 6

Places = npt.NDArray[np.uint64]


class NotPlainError(Exception):
    """Something cannot be read like this: the careful way has to look."""


class Batch(NamedTuple):
    """Blocks that follow each other.

    data : as they are stored.   unpacked : what their frames hold, in order.
    places : where each stands in `data`, a row per block, as `place_blocks` says.
    """

    data: bytes
    unpacked: bytes
    places: Places


class BlockWalk:
    """One walk over the blocks of a table, in order.

    block_of : returns a block by its index, None if there are no records in it.
    is_bare : blocks have no ids, but a byte for their mode.

    Attributes
    ----------
    index : of the next block.
    """

    def __init__(
        self, table: TableReader, block_of: Callable[[int], Block | None], *, is_bare: bool = False
    ) -> None:
        self.index = 0
        self._table = table
        self._block_of = block_of
        self._is_bare = is_bare
        self._place = Place(table)

    def take(self, count: int) -> Iterator[Batch]:
        """Yield the next `count` blocks.

        Raises
        ------
        NotPlainError, CorruptionError : about any of them.
        """
        end = self.index + count
        if end > self._table.block_count:
            raise NotPlainError
        while self.index < end:
            yield self._next(end)

    def check_end(self) -> None:
        """Raise NotPlainError unless the blocks are all of the section."""
        at_end = self._place.offset == self._table.size
        if self.index != self._table.block_count or not at_end:
            raise NotPlainError

    def _next(self, end: int) -> Batch:
        assert survey is not None
        table, offset = self._table, self._place.offset
        starts = table.starts(self.index, min(end, self.index + _BLOCKS_AT_ONCE))
        count = max(int(np.searchsorted(starts, offset + _READ_SIZE, "right")) - 1, 1)
        starts = starts[: count + 1]
        if not offset < starts[count] <= table.size:
            raise NotPlainError
        data = table.stored(offset, int(starts[count]))
        places = np.zeros((count, _PLACE_COUNT), np.uint64)
        done, behind = survey.place_blocks(data, starts, offset, _UNPACKED_MAX, places)
        if not done:
            return self._single()
        self.index += done
        self._place.offset = behind
        places = places[:done]
        return Batch(data, self._unpack(data, places), places)

    def _single(self) -> Batch:
        """Return the next block, what is out of line put into it."""
        block = self._block_of(self.index)
        if block is None:
            raise NotPlainError
        self._place.move_over(self.index, block)
        self.index += 1
        records = [
            (self._table.record(block, place).decode(bytes) if block.heads.size(place) else b"", 0)
            for place in range(len(block.ids))
        ]
        ids = block.ids if isinstance(self._table, SparseTable) else None
        body = encode_block(records, ids, complete=self._is_bare)
        if self._is_bare:
            body = b"\1" + body
        places = np.zeros((1, _PLACE_COUNT), np.uint64)
        places[0, _CODEC], places[0, _SIZE] = RAW, len(body)
        return Batch(body, b"", places)

    def _unpack(self, data: bytes, places: Places) -> bytes:
        framed = places[places[:, _FRAME_SIZE] > 0]
        with_dictionary = np.isin(framed[:, _CODEC], (WITH_DICTIONARY, COLUMNS_WITH_DICTIONARY))
        pieces = []
        # Stretches of frames that one way opens; nearly always there is one.
        cuts: list[Any] = [0, *(np.flatnonzero(np.diff(with_dictionary)) + 1), len(framed)]
        for start, end in pairwise(cuts):
            if start < end:
                frames = self._table.frames(int(framed[start, _CODEC]))
                segments = framed[start:end, _FRAME_AT : _FRAME_SIZE + 1].tobytes()
                sizes = framed[start:end, _CONTENT_SIZE].tobytes()
                pieces.append(frames.decompress_all(data, segments, sizes))
        return b"".join(pieces)
