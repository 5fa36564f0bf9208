"""The rules that span the files of a store, kept by columns: for any store, many rows at a time.

The same rules as `verify_graph` keeps, in its words and numbers, and those that `segment_check` has
for single files. This way only says that everything is right. It goes over all slices at once, in
stretches of ids: what they say of one node, or of one edge, comes together in one stretch, in the
order of the slices, so rules 1 to 4 are looked at there. The sides of rules 5 and 6 are sums of
hashes under a random key, those of rule 7 numbers for each commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.ids import ABSENT
from lithograph.kernel import survey as kernel
from lithograph.maintenance.meter import Meter
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.name_sum import NameSum
from lithograph.segments.slice_columns import (
    HAS_CHANGE,
    IS_FULL,
    STRETCH,
    SUM_END,
    EdgeColumns,
    SliceColumns,
    sum_of,
)
from lithograph.segments.table_columns import HashArray, IdArray, ListColumns


class Lives(NamedTuple):
    """The nodes of a stretch; commits are 0 where there was none.

    first_id : the lowest.   born, ended : commits that made and ended each.
    """

    first_id: int
    born: IdArray
    ended: IdArray

    def are_alive(self, ids: IdArray, sequences: IdArray | int) -> Any:
        """Return of each of some nodes whether it is alive at a commit."""
        born, ended = self.born[ids - self.first_id], self.ended[ids - self.first_id]
        return (born > 0) & (born <= sequences) & ((ended == 0) | (ended > sequences))


def is_sound(
    slices: Sequence[SliceColumns],
    last_sequence: int,
    floor: int,
    purged_count: int,
    names: NameSum,
    meter: Meter,
    size: int,
) -> bool:
    """Return True if everything in the slices is right and fits together; False for not known.

    slices : from commit 1 to the newest, oldest first.
    floor, purged_count : of the manifest.
    names : of the whole name index; its key is that of all hashes.
    meter, size : told `size` bytes in all.
    """
    try:
        check = _JoinedCheck(slices, last_sequence, floor, names)
        end = max(slice_.end_id for slice_ in slices)
        for first_id in range(0, end, STRETCH):
            check.take(first_id, min(first_id + STRETCH, end))
            meter.advance(size * STRETCH // (end + STRETCH))
        return check.is_balanced(purged_count)
    except (CorruptionError, NotPlainError):
        return False


class _JoinedCheck:
    """One check. What is wrong raises NotPlainError."""

    def __init__(
        self,
        slices: Sequence[SliceColumns],
        last_sequence: int,
        floor: int,
        names: NameSum,
    ) -> None:
        self._slices = slices
        self._floor = floor
        self._key = names.key
        self._names_left = names.total
        self._first_ids = np.array([slice_.first_id for slice_ in slices], np.int64)
        self._edge_sum = 0
        self._missing = 0
        # How many more nodes and edges the tables say there are after each commit; what the
        # slices say of it is taken away.
        self._nodes_left = np.zeros(last_sequence + 1, np.int64)
        self._edges_left = np.zeros(last_sequence + 1, np.int64)
        self._take_commits()

    def take(self, first_id: int, end: int) -> None:
        """Go over the ids in [first_id, end)."""
        lives = self._take_nodes(first_id, end)
        self._take_edges(lives, end)
        self._take_incoming(lives, end)

    def is_balanced(self, purged_count: int) -> bool:
        """Return whether what was gone over adds up."""
        for slice_ in self._slices:
            slice_.check_end()
        return not (
            self._nodes_left.any()
            or self._edges_left.any()
            or self._edge_sum % SUM_END
            or self._names_left % SUM_END
            or (not self._floor and self._missing > purged_count)
        )

    # Commits -----------------------------------------------------------------------------------

    def _take_commits(self) -> None:
        rows = np.concatenate([slice_.commits() for slice_ in self._slices])
        sequences, times = rows[:, 0], rows[:, 1]
        _refuse((np.diff(times) < 0).any())
        _refuse(not np.array_equal(sequences, np.arange(1, len(self._nodes_left))))
        for column, left in ((2, self._nodes_left), (3, self._edges_left)):
            more = np.diff(rows[:, column], prepend=0)
            if self._floor:
                more[: self._floor - 1] = 0
                more[self._floor - 1] = rows[self._floor - 1, column]
            left[1:] = more

    @staticmethod
    def _count(left: IdArray, sequences: IdArray, weight: int = 1) -> None:
        if len(sequences):
            low = int(sequences.min())
            counts = np.bincount(sequences - low)
            left[low : low + len(counts)] -= weight * counts

    # Nodes -------------------------------------------------------------------------------------

    def _take_nodes(self, first_id: int, end: int) -> Lives:
        pieces = []
        for rank, slice_ in enumerate(self._slices):
            for is_end, columns in enumerate(slice_.nodes(end)):
                if len(columns.ids):
                    pieces.append((*columns, *_tags(len(columns.ids), rank, is_end)))
        lives = Lives(first_id, *np.zeros((2, end - first_id), np.int64))
        if pieces:
            rows = list(map(np.concatenate, zip(*pieces, strict=True)))
            if len(pieces) > 1:
                order = np.argsort(rows[0], kind="stable")
                rows = [column[order] for column in rows]
            self._follow_nodes(lives, *rows)
        self._take_lives(lives, end)
        return lives

    def _follow_nodes(
        self,
        lives: Lives,
        ids: IdArray,
        sequences: IdArray,
        born: IdArray,
        heads: IdArray,
        ranks: IdArray,
        is_end: IdArray,
    ) -> None:
        """Take in the versions of nodes, those of one node in the order of the slices."""
        again = _is_again(ids, sequences, ranks, is_end)
        if again.any():
            ids, sequences, born, heads, ranks = (
                column[~again] for column in (ids, sequences, born, heads, ranks)
            )
        same = np.append(False, ids[1:] == ids[:-1])
        first = np.flatnonzero(~same)
        places = ids - lives.first_id
        _refuse((places < 0).any())
        is_full, is_tombstone = heads & IS_FULL != 0, heads & HAS_CHANGE == 0
        # A node is made once, in the slice it was born in.
        _refuse((~is_full[first]).any() or (ids[first] < self._first_ids[ranks[first]]).any())
        lives.born[places[first]] = born[first]
        _refuse((is_full & (born != lives.born[places])).any())
        _refuse((same[1:] & (sequences[1:] <= sequences[:-1])).any())
        _refuse((same[1:] & is_tombstone[:-1]).any())
        lives.ended[places[is_tombstone]] = sequences[is_tombstone]

    def _take_lives(self, lives: Lives, end: int) -> None:
        floor, born, ended = self._floor, lives.born, lives.ended
        digests = np.zeros(len(born), np.uint64)
        is_named = np.zeros(len(born), np.bool_)
        for slice_ in self._slices:
            ids, found = slice_.names(end)
            digests[ids - lives.first_id] = found
            is_named[ids - lives.first_id] = True
        _refuse((is_named != (born > 0)).any())
        self._missing += int((born == 0).sum())
        at_floor = (born > 0) & (born <= floor) & ((ended == 0) | (ended > floor))
        begins, ends = at_floor | (born > floor), ended > floor
        self._nodes_left[floor] -= int(at_floor.sum())
        self._count(self._nodes_left, born[born > floor])
        self._count(self._nodes_left, ended[ends], -1)
        assert kernel is not None
        ids = np.arange(lives.first_id, end)
        for who, commits, values in (
            (begins, born, ids),
            (ends, ended, np.full(len(ids), ABSENT, np.int64)),
        ):
            if who.any():
                self._names_left -= kernel.sum_names(
                    self._key, digests[who], commits[who], values[who]
                )

    # Edges -------------------------------------------------------------------------------------

    def _take_edges(self, lives: Lives, end: int) -> None:
        found = [slice_.edges(end) for slice_ in self._slices]
        many = _told_often(lives, [columns.sources for pair in found for columns in pair])
        pieces = []
        for rank, (old, ends) in enumerate(found):
            if len(old.sources):
                pieces.append((*old, *_tags(len(old.sources), rank, 0)))
            if not len(ends.sources):
                continue
            # Nothing else is known of these nodes' edges: each is made once, and that is all.
            rest = many[ends.sources - lives.first_id]
            rest |= ends.marks != Mark.MADE
            self._take_single(lives, EdgeColumns(*(column[~rest] for column in ends)))
            if rest.any():
                count = int(rest.sum())
                pieces.append((*(column[rest] for column in ends), *_tags(count, rank, 1)))
        if pieces:
            rows = list(map(np.concatenate, zip(*pieces, strict=True)))
            order = np.argsort(rows[2], kind="stable")
            self._follow_edges(lives, *(column[order] for column in rows))

    def _take_single(self, lives: Lives, edges: EdgeColumns) -> None:
        """Take in edges that were made, of which there is one full version."""
        _refuse(not lives.are_alive(edges.sources, edges.sequences).all())
        is_new = edges.born > self._floor
        self._count(self._edges_left, edges.born[is_new])
        self._edges_left[self._floor] -= int((edges.sequences <= self._floor).sum())
        if self._floor:
            # Made below the floor and changed above: at the floor its first version is missing.
            _refuse((~is_new & (edges.sequences > self._floor)).any())
        self._edge_sum += sum_of(edges.hashes)

    def _follow_edges(
        self,
        lives: Lives,
        sources: IdArray,
        targets: IdArray,
        hashes: HashArray,
        marks: IdArray,
        sequences: IdArray,
        born: IdArray,
        heads: IdArray,
        ranks: IdArray,
        is_end: IdArray,
    ) -> None:
        """Take in the versions of edges, those of one edge in the order of the slices."""
        floor = self._floor
        marks = _marks_by_slice(hashes, marks, ranks)
        again = _is_again(hashes, sequences, ranks, is_end)
        if again.any():
            sources, targets, hashes, marks, sequences, born, heads, ranks = (
                column[~again]
                for column in (sources, targets, hashes, marks, sequences, born, heads, ranks)
            )
        same = np.append(False, hashes[1:] == hashes[:-1])
        is_full, is_tombstone = heads & IS_FULL != 0, heads & HAS_CHANGE == 0
        was_alive = same & np.append(False, ~is_tombstone[:-1])
        _refuse((same[1:] & (sequences[1:] <= sequences[:-1])).any())
        _refuse((is_tombstone & ~was_alive & (sequences > floor)).any())
        _refuse((~is_tombstone & ~is_full & ~was_alive).any())
        # Made again while alive: by the same commit, or below the floor.
        places = np.arange(len(hashes))
        last_full = np.maximum.accumulate(np.where(is_full, places, 0))
        before = born[np.append(0, last_full[:-1])]
        _refuse((is_full & was_alive & (born != before) & (born > floor)).any())
        # What a slice says it did with the edge.
        enters = ~(same & np.append(False, ranks[1:] == ranks[:-1]))
        _refuse((enters & (marks == Mark.MADE) & was_alive).any())
        is_younger = np.maximum(sources, targets) >= self._first_ids[ranks]
        is_older_mark = (marks == Mark.CHANGED) | (marks == Mark.DEAD)
        _refuse((is_older_mark & is_younger).any())
        _refuse(not lives.are_alive(sources[~is_tombstone], sequences[~is_tombstone]).all())
        # Beginnings and ends.
        begins = is_full & ~was_alive & (born > floor)
        ends = is_tombstone & was_alive & (sequences > floor)
        self._count(self._edges_left, born[begins])
        self._count(self._edges_left, sequences[ends], -1)
        is_below = sequences <= floor
        is_last = np.append(~same[1:], True)
        if floor:
            at_floor = is_below & np.append(~(same[1:] & is_below[1:]), True) & ~is_tombstone
            self._edges_left[floor] -= int(at_floor.sum())
        self._edge_sum += sum_of(hashes[is_last & ~is_tombstone])

    def _take_incoming(self, lives: Lives, end: int) -> None:
        found = [slice_.incoming(end) for slice_ in self._slices]
        many = _told_often(lives, [columns.ids for pair in found for columns in pair])
        pieces = []
        for old, ends in found:
            if len(old.ids):
                pieces.append(old)
            rest = many[ends.ids - lives.first_id]
            if not rest.all():
                self._take_entering(lives, ListColumns(*(column[~rest] for column in ends)))
            if rest.any():
                pieces.append(ListColumns(*(column[rest] for column in ends)))
        if pieces:
            rows = list(map(np.concatenate, zip(*pieces, strict=True)))
            order = np.argsort(rows[2], kind="stable")
            last = order[np.append(rows[2][order][1:] != rows[2][order][:-1], True)]
            self._take_entering(lives, ListColumns(*(column[last] for column in rows)))

    def _take_entering(self, lives: Lives, edges: ListColumns) -> None:
        """Take in the newest that is said of edges at their targets."""
        is_alive = (edges.marks == Mark.MADE) | (edges.marks == Mark.CHANGED)
        places = edges.ids[is_alive] - lives.first_id
        _refuse((lives.born[places] == 0).any() or (lives.ended[places] != 0).any())
        self._edge_sum -= sum_of(edges.hashes[is_alive])


def _refuse(is_wrong: Any) -> None:
    """Something is not as the rules want it, or not known to be."""
    if is_wrong:
        raise NotPlainError


def _tags(count: int, rank: int, is_end: int) -> tuple[IdArray, IdArray]:
    """Return columns that say which slice rows are of, and whether they are end states."""
    return np.full(count, rank, np.int64), np.full(count, is_end, np.int64)


def _is_again(
    keys: IdArray | HashArray, sequences: IdArray, ranks: IdArray, is_end: IdArray
) -> Any:
    """Return of each row whether it is an end state that says what the history before it said."""
    again = np.zeros(len(keys), np.bool_)
    again[1:] = (
        (keys[1:] == keys[:-1])
        & (ranks[1:] == ranks[:-1])
        & (sequences[1:] == sequences[:-1])
        & (is_end[1:] > is_end[:-1])
    )
    return again


def _marks_by_slice(hashes: HashArray, marks: IdArray, ranks: IdArray) -> IdArray:
    """Return of each row the mark that its slice gives the edge: that of its last row."""
    changes = (hashes[1:] != hashes[:-1]) | (ranks[1:] != ranks[:-1])
    last = np.flatnonzero(np.append(changes, True))
    sizes = np.diff(last, prepend=-1)
    return np.repeat(marks[last], sizes)


def _told_often(lives: Lives, columns: Sequence[IdArray]) -> Any:
    """Return of each node whether it is in more than one of some ascending columns."""
    counts = np.zeros(len(lives.born), np.int64)
    for ids in columns:
        if len(ids):
            _refuse(ids[0] < lives.first_id)
            counts[ids[np.append(True, ids[1:] != ids[:-1])] - lives.first_id] += 1
    return counts > 1
