"""Reading tables: id -> record, through the directory, one block at a time (SPEC.md, 12.3)."""

from __future__ import annotations

import contextlib
import struct
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.envelope import (
    COLUMNS,
    COLUMNS_WITH_DICTIONARY,
    HEAD_SIZE_MAX,
    PLAIN_FRAMES,
    RAW,
    WITH_DICTIONARY,
    Frames,
    decode_head,
    split_columns,
)
from lithograph.formats.file_header import FileKind
from lithograph.formats.layout import Layout
from lithograph.formats.segment_footer import Section
from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE
from lithograph.formats.table_block import (
    OUT_OF_LINE,
    Heads,
    decode_heads,
    decode_ids,
    decode_presence,
    decode_reference,
    head_size_max,
)
from lithograph.formats.table_directory import DENSE_ROW, SPARSE_ROW
from lithograph.ids import ID_END
from lithograph.kernel import UNSURE, quick, survey
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.columns import decode_columns
from lithograph.segments.dictionary import StoredDictionary
from lithograph.segments.filter_reader import FilterReader
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.stored import Stored

ID_SIZE: Final = 8
_U64: Final = struct.Struct("<Q")

Identity = tuple[FileKind, int]
"""Kind and number of a file: with an offset, the key of a block in the cache."""


class Block(NamedTuple):
    """One block, its heads decoded; the records stay where they are.

    ids : of the records, ascending, as many as there are.
    row : of the directory.
    """

    body: Stored
    ids: range | list[int]
    heads: Heads
    row: tuple[int, ...]

    def part(self, position: int) -> Stored:
        """Return the bytes of a record; what is out of line is not followed."""
        return self.body.part(self.heads.offsets[position], self.heads.size(position))


_QUICK_SIZE_MAX: Final = 64 * 1024
"""Bytes of a block that is read as a whole for its heads."""

_FIRST_IDS_KEPT_SIZE: Final = 64 * 1024
"""Bytes of a directory of a sparse table that is kept in memory: all but those of large merges."""


class TableReader:
    """What dense and sparse tables have in common.

    Attributes
    ----------
    size : bytes of the section of blocks.   has_envelopes : what its blocks stand in.

    cache : for the blocks of a table with envelopes; None if it has none.
    dictionary : of its frames, if they may have one.
    """

    def __init__(
        self,
        file: SealedFile,
        identity: Identity,
        blocks: Section,
        directory: Section,
        row: Layout,
        block_count_max: int,
        cache: BlockCache | None,
        dictionary: StoredDictionary | None = None,
    ) -> None:
        self.file = file
        self.block_count, odd = divmod(directory.size, row.size)
        self._identity = identity
        self._blocks = blocks
        self._directory = directory
        self._row = row
        self._offset_column = 1 if "first_id" in row.offset_of else 0
        self._block_count_max = block_count_max
        self._cache = cache
        self._dictionary = dictionary
        self.size = blocks.size
        self.has_envelopes = cache is not None
        if odd:
            raise self.wrong(f"a directory of {directory.size} bytes, {row.size} per row")
        if (blocks.size == 0) != (self.block_count == 0):
            raise self.wrong(f"{self.block_count} blocks in {blocks.size} bytes")

    def record(self, block: Block, position: int) -> Stored:
        """Return the bytes of a record of a table with envelopes, wherever they stand."""
        flags = block.heads.flags(position)
        stored = block.part(position)
        if not flags:
            return stored
        if flags != OUT_OF_LINE:
            raise stored.located(CorruptionError(f"record flags {flags} are unknown"))
        offset, size = stored.decode(decode_reference)
        return self._envelope(offset, size, exact=True)

    def row(self, index: int) -> tuple[tuple[int, ...], int, int]:
        """Return a block's row of the directory, where the block begins in the section, and where
        the next one does.

        Between them may be the records out of line of the next block.
        """
        size = self._row.size
        is_last = index + 1 == self.block_count
        rows = self.file.read(self._directory.offset + index * size, size if is_last else 2 * size)
        row = self._row.unpack_from(rows)
        start, end = row[self._offset_column], self.size
        if not is_last:
            end = self._row.unpack_from(rows, size)[self._offset_column]
        if not start < end <= self.size:
            raise self.wrong(f"block {index} stands at {start} to {end}")
        return row, start, end

    def row_at(self, index: int) -> tuple[int, ...]:
        """Return a block's row of the directory alone."""
        row = self._row
        return row.unpack_from(self.file.read(self._directory.offset + index * row.size, row.size))

    def bodies(self, first: int, end: int, size_max: int) -> list[tuple[tuple[int, ...], bytes]]:
        """Return rows and bodies of the blocks [first, end) of a table with envelopes, past the
        cache; fewer, but at least one, if they stand in more than `size_max` bytes.

        Raises
        ------
        CorruptionError : about any of them.

        Cost: two reads, and unpacking.
        """
        places = self._places(first, end)
        row, start, stop = places[0]
        if stop - start > size_max:
            body = self.body(start, stop)
            return [(row, body.read(0, body.size))]
        count = 1
        while count < len(places) and places[count][2] - start <= size_max:
            count += 1
        data = self.file.read(self._blocks.offset + start, places[count - 1][2] - start)
        return [
            (row, self._body_in(data, begin - start, end - start, begin))
            for row, begin, end in places[:count]
        ]

    def _places(self, first: int, end: int) -> list[tuple[tuple[int, ...], int, int]]:
        """Return what `row` does, of the blocks [first, end)."""
        size = self._row.size
        stop = min(end + 1, self.block_count)
        data = self.file.read(self._directory.offset + first * size, (stop - first) * size)
        rows = [self._row.unpack_from(data, at) for at in range(0, len(data), size)]
        starts = [row[self._offset_column] for row in rows]
        ends = [*starts[1:], self.size][: end - first]
        if any(not begin < stop <= self.size for begin, stop in zip(starts, ends, strict=False)):
            # Whoever asks for that one alone is told.
            return [self.row(index) for index in range(first, end)]
        return list(zip(rows, starts, ends, strict=False))

    def _body_in(self, data: bytes, start: int, end: int, offset: int) -> bytes:
        """Return what the envelope of a block unpacks to, that stands at `start` of some bytes of
        the section, and at `offset` of that; the next block begins at `end`."""
        cursor = Cursor(data, start, end)
        try:
            codec, size = decode_head(cursor)
            stored = data[cursor.take(size) : cursor.offset]
            return stored if codec == RAW else self._unpack(codec, stored)
        except CorruptionError:
            # The way of single blocks says where it is wrong.
            body = self._envelope(offset, end - start, exact=False)
            return body.read(0, body.size)

    @property
    def per_block(self) -> int:
        """Records in a block of a table that is not sparse; the last one may have fewer."""
        return self._block_count_max

    def positions(self, first: int, end: int) -> npt.NDArray[np.int64]:
        """Return the positions that the directory of a table of lists has for blocks."""
        size = self._row.size
        data = self.file.read(self._directory.offset + first * size, (end - first) * size)
        return np.frombuffer(data, "<i8").reshape(-1, size // ID_SIZE)[:, -1]

    def starts(self, first: int, end: int) -> npt.NDArray[np.int64]:
        """Return where each of the blocks [first, end) begins in the section, and where the one
        behind them does, as the directory says: whoever follows it looks at every one."""
        size = self._row.size
        stop = min(end + 1, self.block_count)
        data = self.file.read(self._directory.offset + first * size, (stop - first) * size)
        rows = np.frombuffer(data, "<i8").reshape(-1, size // ID_SIZE)
        starts = rows[:, self._offset_column]
        return np.append(starts, self.size) if end == self.block_count else starts.copy()

    def stored(self, start: int, end: int) -> bytes:
        """Return bytes of the section of blocks."""
        return self.file.read(self._blocks.offset + start, end - start)

    def body(self, start: int, end: int) -> Stored:
        """Return the body of a block, unpacked; `row` says where it stands."""
        if not self.has_envelopes:
            return Stored(self.file, self._blocks.offset + start, end - start)
        return self._envelope(start, end - start, exact=False)

    def envelope_end(self, offset: int) -> int:
        """Return where the envelope at `offset` of the section ends."""
        start, _, size = self._envelope_head(offset, self._blocks.size - offset)
        return start - self._blocks.offset + size

    def _envelope(self, offset: int, size_max: int, *, exact: bool) -> Stored:
        """Return the contents of an envelope, which has at most (or exactly) that many bytes."""
        file = self.file
        start, codec, size = self._envelope_head(offset, size_max)
        head_size = start - self._blocks.offset - offset
        if size > size_max - head_size or (exact and size != size_max - head_size):
            raise CorruptionError(
                f"an envelope of {head_size + size} bytes where {size_max} are",
                path=file.path,
                offset=self._blocks.offset + offset,
            )
        if codec == RAW:
            return Stored(file, start, size)
        key = (*self._identity, start)
        cache = self._cache
        data = cache.get(key) if cache is not None else None
        if data is None:
            stored = file.read(start, size)
            try:
                data = self._unpack(codec, stored)
            except CorruptionError as error:
                raise error.located(file.path, start) from None
            if cache is not None:
                cache.put(key, data)
        return Stored(file, start, len(data), data)

    def _unpack(self, codec: int, stored: bytes) -> bytes:
        frames = self.frames(codec)
        if codec not in (COLUMNS, COLUMNS_WITH_DICTIONARY):
            return frames.decompress(stored)
        return decode_columns(*split_columns(stored, frames), self._block_count_max)

    def frames(self, codec: int) -> Frames:
        """Return what opens the frames of a codec."""
        if codec not in (WITH_DICTIONARY, COLUMNS_WITH_DICTIONARY):
            return PLAIN_FRAMES
        if self._dictionary is None:
            raise CorruptionError("a frame asks for a dictionary, its table has none")
        return self._dictionary.frames()

    def _envelope_head(self, offset: int, size_max: int) -> tuple[int, int, int]:
        """Return where in the file the stored bytes of an envelope begin, its codec, its size."""
        start = self._blocks.offset + offset
        if not 0 <= offset < offset + size_max <= self._blocks.size:
            raise self.wrong(f"an envelope of {size_max} bytes stands at {offset}")
        head = Cursor(self.file.read(start, min(HEAD_SIZE_MAX, size_max)))
        try:
            codec, size = decode_head(head)
        except CorruptionError as error:
            raise error.located(self.file.path, start) from None
        return start + head.offset, codec, size

    def _quick_heads(
        self, body: Stored, count: int, first_id: int, *, dense: bool
    ) -> tuple[list[int], Heads] | None:
        """Return the ids of a sparse block, and where its records stand; None where the careful way
        must look."""
        if quick is None or body.size > _QUICK_SIZE_MAX:
            return None
        found = quick.block_heads(body.read(0, body.size), count, first_id, dense)
        return None if found is UNSURE else (found[0], Heads(found[1], found[2]))

    def _decode_heads(
        self, body: Stored, cursor: Cursor, count: int, *, dense: bool = False
    ) -> Heads:
        try:
            presence = decode_presence(cursor, count) if dense else None
            return decode_heads(cursor, count, body.size, presence)
        except CorruptionError as error:
            raise body.located(error) from None

    def _head_cursor(self, body: Stored) -> Cursor:
        size = min(body.size, head_size_max(self._block_count_max))
        return Cursor(body.read(0, size))

    def wrong(self, message: str) -> CorruptionError:
        """Return an error about the table as a whole."""
        return CorruptionError(message, path=self.file.path, offset=self._directory.offset)


class RecordTable(TableReader, ABC):
    """A table of ids; what dense and sparse ones can be asked alike."""

    @abstractmethod
    def find(self, node_id: int) -> tuple[Block, int] | None:
        """Return the block of an id and its place there; None if it has no record."""

    @abstractmethod
    def block(self, index: int) -> Block:
        """Return a block."""

    @abstractmethod
    def ids_of(self, index: int, row: tuple[int, ...]) -> tuple[int, int]:
        """Return the first id of a block, and how many it has, or in a sparse one may have."""

    @abstractmethod
    def first_block(self, start: int) -> int:
        """Return the index of the first block that may hold ids from `start` on."""

    def blocks(self, start: int = 0) -> Iterator[Block]:
        """Yield the blocks, from the first that may hold ids from `start` on."""
        for index in range(self.first_block(start), self.block_count):
            yield self.block(index)

    @abstractmethod
    def blocks_below(self, end: int) -> int:
        """Return how many blocks begin with an id below `end`."""

    @abstractmethod
    def heads(self, first: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the first ids of the blocks [first, end), and how many each has, or in a sparse
        table may have."""

    def check_ahead(self, start: int, end: int) -> None:
        """Check the blocks where ids from `start` to before `end` may stand, and their rows, so
        that the kernel can go over them; whoever needs what is damaged will say so.

        Cost: their size, once.
        """
        with contextlib.suppress(CorruptionError):
            first = self.first_block(start)
            last = min(self.first_block(end - 1), self.block_count - 1)
            if first <= last:
                rows, stop = self._directory.offset, min(last + 2, self.block_count)
                self.file.check(rows + first * self._row.size, (stop - first) * self._row.size)
                begin = self.row(first)[1]
                self.file.check(self._blocks.offset + begin, self.row(last)[2] - begin)

    def all_records(self) -> Iterator[tuple[int, Stored]]:
        """Yield id and bytes of every record that is not empty, ascending."""
        for block in self.blocks():
            for position, node_id in enumerate(block.ids):
                if block.heads.size(position):
                    yield node_id, self.record(block, position)


class DenseTable(RecordTable):
    """A table over the ids in [first_id, end_id); a block is found by its index."""

    def __init__(
        self,
        file: SealedFile,
        identity: Identity,
        blocks: Section,
        directory: Section,
        ids: range,
        block_count_max: int,
        cache: BlockCache | None = None,
        row: Layout = DENSE_ROW,
        dictionary: StoredDictionary | None = None,
    ) -> None:
        super().__init__(file, identity, blocks, directory, row, block_count_max, cache, dictionary)
        self.ids = ids
        wanted = -(-len(ids) // block_count_max)
        if wanted != self.block_count:
            raise self.wrong(f"{self.block_count} blocks for {len(ids)} ids, not {wanted}")

    def find(self, node_id: int) -> tuple[Block, int] | None:
        if node_id not in self.ids:
            return None
        index, position = divmod(node_id - self.ids.start, self._block_count_max)
        block = self.block(index)
        return (block, position) if block.heads.size(position) else None

    def block(self, index: int) -> Block:
        row, start, end = self.row(index)
        body = self.body(start, end)
        ids = self.ids[index * self._block_count_max : (index + 1) * self._block_count_max]
        found = self._quick_heads(body, len(ids), 0, dense=True)
        if found is not None:
            return Block(body, ids, found[1], row)
        heads = self._decode_heads(body, self._head_cursor(body), len(ids), dense=True)
        return Block(body, ids, heads, row)

    def ids_of(self, index: int, row: tuple[int, ...]) -> tuple[int, int]:
        first = index * self._block_count_max
        return self.ids.start + first, min(self._block_count_max, len(self.ids) - first)

    def first_block(self, start: int) -> int:
        return max(start - self.ids.start, 0) // self._block_count_max

    def blocks_below(self, end: int) -> int:
        count = max(min(end, self.ids.stop) - self.ids.start, 0)
        return -(-count // self._block_count_max)

    def heads(self, first: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        size = self._block_count_max
        starts = self.ids.start + np.arange(first, end, dtype=np.int64) * size
        return starts, np.minimum(size, self.ids.stop - starts)


class SparseTable(RecordTable):
    """A table over any ids; its filter keeps most look-ups away from it.

    Attributes
    ----------
    filter : None where there is nothing in the table.
    """

    def __init__(
        self,
        file: SealedFile,
        identity: Identity,
        blocks: Section,
        directory: Section,
        filter_: Section,
        block_count_max: int,
        cache: BlockCache | None = None,
        row: Layout = SPARSE_ROW,
        dictionary: StoredDictionary | None = None,
    ) -> None:
        super().__init__(file, identity, blocks, directory, row, block_count_max, cache, dictionary)
        self.filter: FilterReader | None = None
        self._filter_data: bytes | None = None
        self._starts: list[int] | None = None
        if (filter_.size == 0) != (self.block_count == 0) or filter_.size % FILTER_BLOCK_SIZE:
            raise self.wrong(f"a filter of {filter_.size} bytes for {self.block_count} blocks")
        if filter_.size:
            self.filter = FilterReader(file, filter_.offset, filter_.size)

    def may_hold(self, node_id: int) -> bool:
        """Return False if the table certainly does not hold the id. Cost: 32 bytes read."""
        return self.filter is not None and self.filter.may_hold(node_id.to_bytes(ID_SIZE, "little"))

    def check_ahead(self, start: int, end: int) -> None:
        super().check_ahead(start, end)
        if self.filter is not None:
            self.filter.check_ahead()

    def find(self, node_id: int) -> tuple[Block, int] | None:
        if not 0 <= node_id < ID_END or not self.may_hold(node_id):
            return None
        index = self._bisect(node_id)
        if index < 0:
            return None
        block = self.block(index)
        position = bisect_left(block.ids, node_id)
        if position == len(block.ids) or block.ids[position] != node_id:
            return None
        return block, position

    def block(self, index: int) -> Block:
        """Return a block; none of its records is empty."""
        row, start, end = self.row(index)
        body = self.body(start, end)
        found = self._quick_heads(body, self._block_count_max, row[0], dense=False)
        if found is not None:
            return Block(body, *found, row)
        cursor = self._head_cursor(body)
        try:
            ids = decode_ids(cursor, row[0], self._block_count_max)
        except CorruptionError as error:
            raise body.located(error) from None
        heads = self._decode_heads(body, cursor, len(ids))
        return Block(body, ids, heads, row)

    def ids_of(self, index: int, row: tuple[int, ...]) -> tuple[int, int]:
        return row[0], self._block_count_max

    def first_block(self, start: int) -> int:
        return max(self._bisect(start), 0)

    def blocks_below(self, end: int) -> int:
        return self._bisect(end - 1) + 1

    def heads(self, first: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        size = self._row.size
        rows = self.file.read(self._directory.offset + first * size, (end - first) * size)
        starts = np.frombuffer(rows, "<i8").reshape(-1, size // ID_SIZE)[:, 0].copy()
        return starts, np.full(end - first, self._block_count_max, np.int64)

    def may_hold_all(self, ids: npt.NDArray[np.int64]) -> bool:
        """Return whether the filter knows all of some ids; in the kernel alone."""
        assert survey is not None
        if self.filter is None:
            return not len(ids)
        if self._filter_data is None:
            self._filter_data = self.filter.data()
        return self._filter_data is not None and survey.may_hold_all(self._filter_data, ids)

    def _first_ids(self) -> Sequence[int]:
        """Return the first id of each block, read once: a small directory is searched in memory."""
        if self._starts is None:
            rows = self.file.read(self._directory.offset, self._directory.size)
            columns = [value for (value,) in _U64.iter_unpack(rows)]
            self._starts = columns[:: self._row.size // ID_SIZE]
        return self._starts

    def _bisect(self, node_id: int) -> int:
        """Return the last block that does not begin above an id; -1 if there is none."""
        if self._directory.size <= _FIRST_IDS_KEPT_SIZE:
            return bisect_right(self._first_ids(), node_id) - 1
        low, high = 0, self.block_count
        # Invariant: blocks below `low` begin at or below the id, blocks from `high` on above it.
        while low < high:
            middle = (low + high) // 2
            start = self._directory.offset + middle * self._row.size
            if int.from_bytes(self.file.read(start, ID_SIZE), "little") <= node_id:
                low = middle + 1
            else:
                high = middle
        return low - 1
