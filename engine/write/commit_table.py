"""Time, counts, next id and next type code as of every commit since the memtable began."""

from __future__ import annotations

from array import array
from bisect import bisect_right


class CommitTable:
    """One row per commit; row i belongs to sequence `base` + i.

    Invariants
    1. Times never descend.
    2. A row is there when its time is: the other columns are filled first, and a commit that was
       interrupted before its time was stored is as if it had never been applied.
    """

    def __init__(
        self,
        base: int,
        time: int,
        node_count: int,
        edge_count: int,
        next_id: int,
        type_count: int,
    ) -> None:
        self._base = base
        self._times = array("q", [time])
        self._node_counts = array("q", [node_count])
        self._edge_counts = array("q", [edge_count])
        self._next_ids = array("q", [next_id])
        self._type_counts = array("q", [type_count])

    @property
    def first_sequence(self) -> int:
        """Of the first commit in the table, or the next one if there is none yet."""
        return self._base + 1

    @property
    def last_sequence(self) -> int:
        return self._base + len(self._times) - 1

    @property
    def next_id(self) -> int:
        """The id of the next new node, as of the last commit."""
        return self._next_ids[len(self._times) - 1]

    @property
    def type_count(self) -> int:
        """The code of the next new type, as of the last commit."""
        return self._type_counts[len(self._times) - 1]

    def next_id_at(self, sequence: int) -> int:
        """Return the id of the next new node as of a commit of the table, or its beginning."""
        return self._next_ids[sequence - self._base]

    def append(
        self,
        sequence: int,
        time: int,
        *,
        nodes_added: int,
        edges_added: int,
        next_id: int,
        type_count: int,
    ) -> None:
        """Add the next commit's row; one that is there stays (replay after an interruption)."""
        if sequence <= self.last_sequence:
            return
        assert sequence == self.last_sequence + 1
        assert time >= self._times[-1]
        row = len(self._times)
        columns = (
            (self._node_counts, self._node_counts[row - 1] + nodes_added),
            (self._edge_counts, self._edge_counts[row - 1] + edges_added),
            (self._next_ids, next_id),
            (self._type_counts, type_count),
        )
        for column, value in columns:
            del column[row:]
            column.append(value)
        self._times.append(time)

    def sequence_at(self, time: int) -> int | None:
        """Return the newest commit of the table that is not after `time`, None if none is."""
        row = bisect_right(self._times, time, 1) - 1
        return self._base + row if row else None

    def time(self, sequence: int) -> int:
        return self._times[sequence - self._base]

    def node_count(self, sequence: int) -> int:
        return self._node_counts[sequence - self._base]

    def edge_count(self, sequence: int) -> int:
        return self._edge_counts[sequence - self._base]
