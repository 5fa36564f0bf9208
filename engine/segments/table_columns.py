"""The tables of segments and histories as columns, in the order of their ids (SPEC.md, section 12).

Whoever goes over several files at once takes from each what it has below one id after the other.
Every rule of `segments.table_check` is kept on the way. What is wrong, or what the kernel does not
read, raises `NotPlainError`: the careful way has to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from lithograph.formats.version_record import CommitSpan
from lithograph.kernel import UNSURE, survey
from lithograph.segments.block_walk import BlockWalk, NotPlainError
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.table_reader import DenseTable, RecordTable, SparseTable

IdArray = npt.NDArray[np.int64]
HashArray = npt.NDArray[np.uint64]

_READ_SIZE: Final = 2**20

Commits = tuple[int, IdArray]
"""The first commit of a slice, and when each was, µs."""


class NodeColumns(NamedTuple):
    """Versions of nodes, by id, those of one node oldest first.

    ids : of the nodes.   sequences : of the commits.
    born : commit that made the node, 0 where the version does not say.
    heads : bit 0: there is a change; bit 1: it stands by itself.
    """

    ids: IdArray
    sequences: IdArray
    born: IdArray
    heads: IdArray


class ListColumns(NamedTuple):
    """Edges of lists, by node.

    ids, neighbors : of the nodes.   hashes : of the edges, the same in both directions.
    marks : see `Mark`.
    """

    ids: IdArray
    neighbors: IdArray
    hashes: HashArray
    marks: IdArray


Columns = TypeVar("Columns", NodeColumns, ListColumns)


class NodeStream:
    """The versions of nodes in one table.

    ids_end : ids are below.   code_end : type codes are below.
    listed : of a history.
    """

    def __init__(
        self,
        table: SparseTable | DenseTable,
        commits: Commits,
        ids_end: int,
        code_end: int,
        *,
        listed: bool = False,
    ) -> None:
        self._table = table
        self._walk = BlockWalk(table, table.block)
        self._ids = _Ascending(table, ids_end)
        self._how = (isinstance(table, DenseTable), listed, *commits, code_end)
        self._left = _NO_NODES
        self.node_count = 0
        self.version_count = 0

    def take(self, end: int) -> NodeColumns:
        """Return the next versions, of nodes below `end`."""
        assert survey is not None
        pieces, table, walk = [self._left], self._table, self._walk
        for batch in walk.take(table.blocks_below(end) - walk.index):
            count = len(batch.places)
            heads = table.heads(walk.index - count, walk.index)
            found = survey.node_columns(*batch, *heads, *self._how)
            if found is UNSURE:
                raise NotPlainError
            piece = NodeColumns(*map(_integers, found))
            self.node_count += self._ids.take(heads[0], piece.ids)
            self.version_count += len(piece.ids)
            pieces.append(piece)
        found, self._left = cut(joined(pieces), end)
        return found

    def check_end(self) -> None:
        """Raise NotPlainError unless the blocks were the whole table."""
        self._walk.check_end()


class NameStream:
    """The names of the ids that were born in a segment."""

    def __init__(self, table: DenseTable, seed: int) -> None:
        self._table = table
        self._walk = BlockWalk(table, table.block)
        self._seed = seed
        self._left = _NO_NAMES
        self.count = 0

    def take(self, end: int) -> tuple[IdArray, HashArray]:
        """Return the next ids below `end` that have names, and the hashes of these."""
        assert survey is not None
        pieces, table, walk = [self._left], self._table, self._walk
        for batch in walk.take(table.blocks_below(end) - walk.index):
            count = len(batch.places)
            starts, sizes = table.heads(walk.index - count, walk.index)
            size = int(sizes.sum())
            digests, present = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
            taken = survey.take_names(*batch, table.per_block, self._seed, digests, present)
            if taken != count:
                raise NotPlainError
            places = np.flatnonzero(present)
            self.count += len(places)
            pieces.append((places + starts[0], digests[places]))
        ids, names = map(np.concatenate, zip(*pieces, strict=True))
        below = int(np.searchsorted(ids, end))
        self._left = (ids[below:], names[below:])
        return ids[:below], names[:below]

    def check_end(self) -> None:
        """Raise NotPlainError unless the blocks were the whole table."""
        self._walk.check_end()


class ListStream:
    """The edges of one table of lists.

    position : of the first edge; None where the directory says no positions.
    """

    def __init__(
        self,
        table: SparseTable | DenseTable,
        key: bytes,
        ids_end: int,
        neighbors_end: int,
        code_end: int,
        position: int | None,
    ) -> None:
        self._table = table
        self._key = key
        self._ids = _Ascending(table, ids_end)
        self._how = (isinstance(table, DenseTable), position is not None, neighbors_end, code_end)
        self._left = _NO_EDGES
        self._index = 0
        self._end = 0
        self._position = position
        self.count = 0

    def take(self, end: int) -> ListColumns:
        """Return the next edges, of nodes below `end`."""
        pieces, table = [self._left], self._table
        behind = table.blocks_below(end)
        while self._index < behind:
            pieces.append(self._read(behind))
        found, self._left = cut(joined(pieces), end)
        return found

    def check_end(self) -> None:
        """Raise NotPlainError unless the blocks were the whole table."""
        if self._index != self._table.block_count or self._end != self._table.size:
            raise NotPlainError

    def _read(self, behind: int) -> ListColumns:
        assert survey is not None
        table, index = self._table, self._index
        starts = table.starts(index, behind)
        count = max(int(np.searchsorted(starts, self._end + _READ_SIZE, "right")) - 1, 1)
        starts = starts[: count + 1]
        if starts[0] != self._end or not starts[0] < starts[count] <= table.size:
            raise NotPlainError
        heads = table.heads(index, index + count)
        data = table.stored(int(starts[0]), int(starts[count]))
        found = survey.list_columns(self._key, data, starts, *heads, *self._how)
        if found is UNSURE:
            raise NotPlainError
        ids, neighbors, hashes, marks = map(_integers, found)
        piece = ListColumns(ids, neighbors, hashes.view(np.uint64), marks)
        self._ids.take(heads[0], piece.ids)
        if self._position is not None:
            before = np.searchsorted(piece.ids, heads[0]) + self._position + self.count
            if not np.array_equal(table.positions(index, index + count), before):
                raise NotPlainError
        self._index += count
        self._end = int(starts[count])
        self.count += len(piece.ids)
        return piece


class EdgeVersionStream:
    """The versions of edges in one file, by position."""

    def __init__(
        self, table: EdgeReader, span: CommitSpan, commits: Commits, *, listed: bool = False
    ) -> None:
        self._walk = BlockWalk(table, lambda index: table.record_block(index, span), is_bare=True)
        self._table = table
        self._how = (listed, *commits)
        self._left = _NO_VERSIONS
        self._taken = 0
        self.version_count = 0

    def take(self, count: int) -> tuple[IdArray, IdArray, IdArray, IdArray]:
        """Return of the next edges how many versions each has, and of these the commits, those that
        made the edge, and heads."""
        assert survey is not None
        table, size = self._table, self._table.per_block
        self._taken += count
        if self._taken > table.edge_count:
            raise NotPlainError
        pieces: list[Any] = [self._left]
        for batch in self._walk.take(-(-self._taken // size) - self._walk.index):
            behind, blocks = self._walk.index, len(batch.places)
            starts = np.arange(behind - blocks, behind, dtype=np.int64) * size
            counts = np.minimum(size, table.edge_count - starts)
            found = survey.edge_columns(*batch, counts, *self._how)
            if found is UNSURE:
                raise NotPlainError
            piece = tuple(map(_integers, found))
            self.version_count += len(piece[1])
            pieces.append(piece)
        counts, sequences, born, heads = map(np.concatenate, zip(*pieces, strict=True))
        end = int(counts[:count].sum())
        self._left = (counts[count:], sequences[end:], born[end:], heads[end:])
        return counts[:count], sequences[:end], born[:end], heads[:end]

    def check_end(self) -> None:
        """Raise NotPlainError unless all edges were taken, and the blocks were the whole table."""
        self._walk.check_end()
        if self._taken != self._table.edge_count:
            raise NotPlainError


class _Ascending:
    """That ids of a table ascend, are in their place, and are in its filter."""

    def __init__(self, table: RecordTable, ids_end: int) -> None:
        self._sparse = table if isinstance(table, SparseTable) else None
        self._ids_end = ids_end
        self._last = -1

    def take(self, firsts: IdArray, ids: IdArray) -> int:
        """Check the ids of blocks that begin with `firsts`; return how many there are."""
        starts = np.flatnonzero(np.diff(ids, prepend=-1))
        ids = ids[starts]
        if self._sparse is not None:
            if firsts[0] <= self._last or ids[-1] >= self._ids_end:
                raise NotPlainError
            if not self._sparse.may_hold_all(np.ascontiguousarray(ids)):
                raise NotPlainError
            self._last = int(ids[-1])
        return len(ids)


def joined(pieces: Sequence[Columns]) -> Columns:
    """Return rows behind each other."""
    if len(pieces) == 1:
        return pieces[0]
    make: Any = type(pieces[0])
    return make(*map(np.concatenate, zip(*pieces, strict=True)))  # type: ignore[no-any-return]


def cut(columns: Columns, end: int) -> tuple[Columns, Columns]:
    """Return the rows of nodes below `end`, and the others."""
    place = int(np.searchsorted(columns[0], end))
    make: Any = type(columns)
    return make(*(column[:place] for column in columns)), make(
        *(column[place:] for column in columns)
    )


def _integers(data: Any) -> IdArray:
    return np.frombuffer(data, np.int64)


_NONE: Final = np.zeros(0, np.int64)
_NO_HASHES: Final = np.zeros(0, np.uint64)
_NO_NODES: Final = NodeColumns(_NONE, _NONE, _NONE, _NONE)
_NO_NAMES: Final = (_NONE, _NO_HASHES)
_NO_EDGES: Final = ListColumns(_NONE, _NONE, _NO_HASHES, _NONE)
_NO_VERSIONS: Final = (_NONE, _NONE, _NONE, _NONE)
