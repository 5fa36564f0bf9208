"""Time, node count and edge count of every commit since the memtable began."""

from __future__ import annotations

from array import array


class CommitTable:
    """One row per commit; row i belongs to sequence `base` + i.

    Invariant: times never descend.
    """

    def __init__(self, base: int, time: int, node_count: int, edge_count: int) -> None:
        self._base = base
        self._times = array("q", [time])
        self._node_counts = array("q", [node_count])
        self._edge_counts = array("q", [edge_count])

    @property
    def last_sequence(self) -> int:
        return self._base + len(self._times) - 1

    def append(self, sequence: int, time: int, nodes_added: int, edges_added: int) -> None:
        """Add the next commit's row; one that is there stays (replay after an interruption)."""
        if sequence <= self.last_sequence:
            return
        assert sequence == self.last_sequence + 1
        assert time >= self._times[-1]
        # The three counts first: `last_sequence` follows the times.
        del self._node_counts[len(self._times) :]
        del self._edge_counts[len(self._times) :]
        self._node_counts.append(self._node_counts[-1] + nodes_added)
        self._edge_counts.append(self._edge_counts[-1] + edges_added)
        self._times.append(time)

    def time(self, sequence: int) -> int:
        return self._times[sequence - self._base]

    def node_count(self, sequence: int) -> int:
        return self._node_counts[sequence - self._base]

    def edge_count(self, sequence: int) -> int:
        return self._edge_counts[sequence - self._base]
