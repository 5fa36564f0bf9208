"""The deep check of a store that has been merged and never changed since: in one look over it.

It keeps the rules of `verify_graph` and of `segment_check` by sums over long stretches, which can
say that everything is right, not what is wrong: where they do not add up, and where a store is not
so plain, the careful way is gone.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lithograph.errors import CorruptionError
from lithograph.formats.manifest import Manifest
from lithograph.kernel import survey as kernel
from lithograph.maintenance.meter import Meter
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.name_sum import NameSum
from lithograph.segments.segment_reader import SegmentReader
from lithograph.segments.survey import IdArray, Stretch, survey

_SUM_END: Final = 2**64


def may_be_plain(manifest: Manifest) -> bool:
    """Return whether one look may do: one segment from the first commit on, without history."""
    return (
        len(manifest.segments) == 1
        and manifest.segments[0].history is None
        and not manifest.floor_sequence
        and not manifest.purged_count
    )


def is_plainly_sound(
    segment: SegmentReader, rows: IdArray, type_count: int, names: NameSum, meter: Meter
) -> bool:
    """Return True if everything in the segment is right, and fits the run; False for not known.

    segment : the only one; its blocks and its commit table were checked.
    rows : of the commit table: (sequence, time, node count, edge count).
    names : of all runs, which are sound.
    """
    try:
        return _PlainCheck(segment, rows, type_count, names, meter).is_sound()
    except (CorruptionError, NotPlainError):
        return False


class _PlainCheck:
    """The check of one plain segment. All nodes and edges in it are alive."""

    def __init__(
        self,
        segment: SegmentReader,
        rows: IdArray,
        type_count: int,
        names: NameSum,
        meter: Meter,
    ) -> None:
        self._segment = segment
        self._type_count = type_count
        self._key = names.key
        self._names_left = names.total
        self._meter = meter
        self._first = segment.footer.first_sequence
        self._times = np.ascontiguousarray(rows[:, 1])
        # How many more nodes and edges there are after each commit; what is born is taken away.
        self._nodes_left = np.diff(rows[:, 2], prepend=0)
        self._edges_left = np.diff(rows[:, 3], prepend=0)

    def is_sound(self) -> bool:
        """Return whether every rule holds.

        Raises
        ------
        NotPlainError, CorruptionError : not known.
        """
        edge_sum = 0
        is_fine = bool((np.diff(self._times) >= 0).all())
        node_count = max(1, self._segment.footer.dense_node_count)
        for stretch in survey(self._segment, self._times, self._type_count, self._key):
            self._take_nodes(stretch)
            is_fine &= self._take_edges(stretch)
            edge_sum += stretch.edges_out - stretch.edges_in
            self._meter.advance(self._segment.ref.size * len(stretch.born) // node_count)
        counted = not self._nodes_left.any() and not self._edges_left.any()
        return is_fine and counted and not edge_sum % _SUM_END and not self._names_left % _SUM_END

    def _take_nodes(self, stretch: Stretch) -> None:
        assert kernel is not None
        ids = np.arange(stretch.first_id, stretch.first_id + len(stretch.born))
        self._names_left -= kernel.sum_names(self._key, stretch.names, stretch.born, ids)
        self._nodes_left -= self._by_commit(stretch.born)

    def _take_edges(self, stretch: Stretch) -> bool:
        """Return whether a node that an edge leaves is there at the commit of the edge's end
        state."""
        self._edges_left -= self._by_commit(stretch.edge_born)
        born = np.repeat(stretch.born, stretch.out_degrees)
        return bool((born <= stretch.edge_changed).all())

    def _by_commit(self, born: IdArray) -> IdArray:
        return np.bincount(born - self._first, minlength=len(self._times))
