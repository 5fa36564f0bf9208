"""The blocks of tables one after the other, unpacked, for whoever moves all their records.

They are read a few dozen at a time and past the cache, which is for those who look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn, TypeVar

from lithograph.errors import CorruptionError
from lithograph.segments.stored import Stored
from lithograph.segments.table_reader import DenseTable, RecordTable

T = TypeVar("T")

BATCH_COUNT: Final = 32
_BATCH_SIZE_MAX: Final = 2**20
"""Bytes of a section that are read at once: with records out of line, blocks are far apart."""

StoredBlock = tuple[bytes, int, int, bool]
"""Body, first id, how many ids it has (the most, of a sparse block), whether it is dense."""


class StoredBlocks:
    """The blocks of tables whose ids ascend from table to table; what a merge in the kernel reads.

    Nothing is read before it is asked for.
    """

    def __init__(self, tables: Sequence[RecordTable]) -> None:
        self._batches = _batches(tables)
        self._last: tuple[RecordTable, int]

    def next_blocks(self) -> list[StoredBlock] | None:
        """Return the next blocks, or None if there are none.

        Raises
        ------
        CorruptionError
        """
        found = next(self._batches, None)
        if found is None:
            return None
        table, first, blocks = found
        self._last = table, first
        return blocks

    def stored(self, place: int, position: int) -> Stored:
        """Return a record of one of the blocks that were returned last, wherever it stands."""
        table, first = self._last
        return table.record(table.block(first + place), position)

    def blame(self, place: int) -> NoReturn:
        """Raise the CorruptionError of one of the blocks that were returned last."""
        table, first = self._last
        table.block(first + place)
        raise table.wrong("ids are not where they should be")


class HeldRecord(NamedTuple):
    """A record of an id that does not move.

    record : None if it stands out of line.   block, position : where `blocks` has it.
    """

    blocks: StoredBlocks
    record: bytes | None
    block: int
    position: int

    def decode(self, decoder: Callable[[bytes], T]) -> T:
        """Return what `decoder` makes of the record; its errors name the file."""
        if self.record is not None:
            with suppress(CorruptionError):
                return decoder(self.record)
        return self.blocks.stored(self.block, self.position).decode(decoder)


def _batches(
    tables: Sequence[RecordTable],
) -> Iterator[tuple[RecordTable, int, list[StoredBlock]]]:
    """Yield blocks, with their table and the index of the first of them."""
    for table in tables:
        first = 0
        while first < table.block_count:
            end = min(first + BATCH_COUNT, table.block_count)
            try:
                found = table.bodies(first, end, _BATCH_SIZE_MAX)
            except CorruptionError:
                # What stands before the damage is still read.
                found = table.bodies(first, first + 1, _BATCH_SIZE_MAX)
            is_dense = isinstance(table, DenseTable)
            yield (
                table,
                first,
                [
                    (body, *table.ids_of(index, row), is_dense)
                    for index, (row, body) in enumerate(found, first)
                ],
            )
            first += len(found)
