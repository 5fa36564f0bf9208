"""The tables of a damaged file, block by block: what is lost is noted, and passed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from lithograph.errors import CorruptionError
from lithograph.ids import ID_END
from lithograph.maintenance.salvage_finding import Findings
from lithograph.segments.table_reader import Block, DenseTable, RecordTable, SparseTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LostBlock:
    """A block that cannot be read.

    ids : that it may hold records of.
    positions : in a table of out-lists, the positions of its edges; None where that is lost too.
    block : where it can be read, but for some of its records.
    """

    ids: range
    positions: range | None
    block: Block | None = None


class SalvageTable:
    """One table of ids.

    part : for messages.   edge_end : of a table of out-lists, the position behind its last edge.

    Attributes
    ----------
    lost : what could not be read so far.
    """

    def __init__(
        self, table: RecordTable, part: str, findings: Findings, edge_end: int | None = None
    ) -> None:
        self.lost: list[LostBlock] = []
        self._table = table
        self._part = part
        self._findings = findings
        self._edge_end = edge_end
        self._index = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks that can be read; `lost` has the others then."""
        for index in range(self._table.block_count):
            self._index = index
            try:
                block = self._table.block(index)
            except CorruptionError as error:
                lost = self._lost(index)
                self.lost.append(lost)
                self._findings.add(error, self._part, _count(self._table, lost))
            else:
                yield block

    def give_up(self, block: Block, error: CorruptionError, count: int) -> None:
        """Count the last block that `blocks` yielded as lost, but for records that can be read.

        count : of its records, those that cannot.
        """
        self.lost.append(replace(self._lost(self._index), block=block))
        self._findings.add(error, self._part, count)

    def records(self, decode: Callable[[bytes], T]) -> Iterator[tuple[int, T]]:
        """Yield id and record of everything that can be read, by id."""
        for block in self.blocks():
            for position, node_id in enumerate(block.ids):
                if not block.heads.size(position):
                    continue
                try:
                    record = self._table.record(block, position).decode(decode)
                except CorruptionError as error:
                    self.lost.append(LostBlock(range(node_id, node_id + 1), None))
                    self._findings.add(error, self._part, 1)
                else:
                    yield node_id, record

    def may_hold(self, node_id: int) -> bool:
        """Return False if the table certainly has no record of an id."""
        table = self._table
        if not isinstance(table, SparseTable):
            return True
        try:
            return table.may_hold(node_id)
        except CorruptionError:
            return True

    def _lost(self, index: int) -> LostBlock:
        row, after = self._row(index), self._row(index + 1)
        ids: range
        if isinstance(self._table, DenseTable):
            first, count = self._table.ids_of(index, ())
            ids = range(first, first + count)
        else:
            ids = range(row[0] if row else 0, after[0] if after else ID_END)
        if self._edge_end is None:
            return LostBlock(ids, None)
        end = after[-1] if after else None
        if index + 1 == self._table.block_count:
            end = self._edge_end
        return LostBlock(ids, None if row is None or end is None else range(row[-1], end))

    def _row(self, index: int) -> tuple[int, ...] | None:
        """Return a row of the directory, None if there is none that can be read."""
        try:
            return self._table.row_at(index) if index < self._table.block_count else None
        except CorruptionError:
            return None


def _count(table: RecordTable, lost: LostBlock) -> int:
    """Return how many records a block had at most."""
    return min(len(lost.ids), table.ids_of(0, (0,))[1]) if len(lost.ids) else 0
