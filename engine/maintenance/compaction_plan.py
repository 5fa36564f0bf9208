"""What to merge next: segments by calendar windows, runs by size (DESIGN, section 6).

Pure functions of what the manifest says. Whoever carries a plan out asks again, until None.

The segments are a line, oldest first. The *open window* is that of the newest commit; segments that
begin before it are *closed*. In order of precedence:
1. A closed window that holds segments of several windows of the unit becomes one sealed segment:
   the largest such window at once, so that its parts are not first merged into those between.
2. A closed window of the unit becomes one sealed segment; every other closed segment is sealed.
3. What is closed of the window around the open one (days of this month) is kept to a few segments.
4. All closed segments together are kept to a number that leaves room for the open window: first
   inside closed windows, then any two neighbors, the cheapest ones first.
5. In the open window the newest segments merge when there are too many.

Invariants, once the plan is None
1. At most `segment_count_max` segments and `run_count_max` runs, whatever came before.
2. Every closed segment is sealed, and no two of them lie in one window of the unit.

Every plan makes the segments fewer, or seals one and leaves no new one unsealed: asking ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import comb
from typing import Final, Literal

from lithograph.catalog.partition import Unit, Window, covering, window_of, windows_around
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry

Reason = Literal["seal", "roll up", "bound", "tier", "major"]

_DEPTH_MAX: Final = 16
"""Rewrites that `_merge_from` reckons with: more than 10**9 flushes."""


@dataclass(frozen=True, slots=True)
class CompactionTuning:
    """Counts that tests shrink.

    open_count_max : segments in the open window; `deep_count_max` once it holds two that have
        `deep_from` times the records of the smallest (counted as `small_records` at least): after
        some 2,000 flushes, 12 places cost too many rewrites.
    around_count_max : closed segments in the window around the open one (days of this month).
    roll_up_from : segments that make a larger closed window one segment.
    """

    segment_count_max: int = 32
    run_count_max: int = 8
    open_count_max: int = 12
    deep_count_max: int = 20
    deep_from: int = 128
    small_records: int = 1000
    around_count_max: int = 8
    roll_up_from: int = 3

    @property
    def closed_count_max(self) -> int:
        return self.segment_count_max - self.open_count_max


@dataclass(frozen=True, slots=True)
class SegmentMerge:
    """Replace the segments [start, end) of the line by one.

    partition : the smallest window, from the unit up, that holds all commits of the result.
    sealed : the result is compressed.
    """

    start: int
    end: int
    partition: str
    sealed: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class RunMerge:
    """Replace the runs [start, end) by one."""

    start: int
    end: int
    reason: Reason


def plan_segments(
    segments: Sequence[SegmentEntry],
    unit: Unit,
    now: int,
    tuning: CompactionTuning = CompactionTuning(),
) -> SegmentMerge | None:
    """Return the next merge of segments, or None when all is in order.

    Parameters
    ----------
    segments : oldest first, of adjacent ranges of sequences.
    now : time of the newest commit, in a segment or not, µs since 1970 UTC.

    Cost: O(n) windows for n segments.
    """
    line = _Line(segments, unit, now)
    return (
        _roll_up(line, tuning)
        or _seal(line)
        or _thin_out(line, tuning)
        or _bound(line, tuning)
        or _tier(line, tuning)
    )


def plan_runs(
    runs: Sequence[RunEntry], tuning: CompactionTuning = CompactionTuning()
) -> RunMerge | None:
    """Return the next merge of runs (oldest first), or None when they are few enough."""
    if len(runs) <= tuning.run_count_max:
        return None
    start = _merge_from([max(1, run.entry_count) for run in runs], tuning.run_count_max)
    return RunMerge(start, len(runs), "tier")


def plan_major(
    segments: Sequence[SegmentEntry], runs: Sequence[RunEntry], unit: Unit
) -> tuple[SegmentMerge | None, RunMerge | None]:
    """Return the merges of everything into one sealed segment and one run; None where that is so.

    The segment is sealed even though its window may be open: an explicit compaction compresses.
    """
    segment_merge = run_merge = None
    if len(segments) > 1 or any(not segment.sealed for segment in segments):
        window = covering(segments[0].first_time, segments[-1].last_time, unit)
        segment_merge = SegmentMerge(0, len(segments), window.name, True, "major")
    if len(runs) > 1:
        run_merge = RunMerge(0, len(runs), "major")
    return segment_merge, run_merge


class _Line:
    """The segments, and how many of them are closed: those that begin before the open window.

    One that reaches into the open window counts as closed too. It was written under a larger unit,
    or by a major compaction.
    """

    __slots__ = ("closed_count", "now", "open_start", "segments", "unit", "weights")

    def __init__(self, segments: Sequence[SegmentEntry], unit: Unit, now: int) -> None:
        self.segments = segments
        self.unit: Unit = unit
        self.now = now
        self.open_start = window_of(now, unit).start
        # What a merge writes again: every record and every version.
        self.weights = [max(1, entry.entry_count + entry.version_count) for entry in segments]
        self.closed_count = bisect_left(segments, self.open_start, key=_first_time)

    def closed_slices(self) -> Iterator[tuple[int, int, Window]]:
        """Yield (start, end, window) of all closed windows that hold segments.

        Those that begin with an older segment come first, then larger ones.
        """
        for start in range(self.closed_count):
            for window in reversed(list(self._closed_windows(start))):
                end = bisect_left(self.segments, window.end, start, key=_last_time)
                yield start, end, window

    def _closed_windows(self, position: int) -> Iterator[Window]:
        """Yield the closed windows whose first segment is this one, smallest first."""
        entry = self.segments[position]
        for window in windows_around(entry.first_time, self.unit):
            if window.end > self.open_start:
                return
            if position and window.start <= self.segments[position - 1].first_time:
                return
            if entry.last_time < window.end:
                yield window

    def unit_count(self, start: int, end: int) -> int:
        """Return in how many windows of the unit the segments [start, end) begin."""
        entries = self.segments[start:end]
        return len({window_of(entry.first_time, self.unit).start for entry in entries})

    def merge(self, start: int, end: int, reason: Reason) -> SegmentMerge:
        first, last = self.segments[start], self.segments[end - 1]
        window = covering(first.first_time, last.last_time, self.unit)
        return SegmentMerge(start, end, window.name, end <= self.closed_count, reason)


def _roll_up(line: _Line, tuning: CompactionTuning) -> SegmentMerge | None:
    """Rule 1: the oldest, largest closed window that holds enough segments becomes one."""
    for start, end, _ in line.closed_slices():
        enough = end - start >= tuning.roll_up_from
        if enough and line.unit_count(start, end) >= tuning.roll_up_from:
            return line.merge(start, end, "roll up")
    return None


def _seal(line: _Line) -> SegmentMerge | None:
    """Rule 2: closed windows of the unit become one segment each, and what is closed is sealed."""
    for start, end, window in line.closed_slices():
        if end - start > 1 and window == window_of(window.start, line.unit):
            return line.merge(start, end, "seal")
    entries = line.segments[: line.closed_count]
    start = next((i for i, entry in enumerate(entries) if not entry.sealed), len(entries))
    if start == len(entries):
        return None
    # One that was written under a larger unit reaches across windows: its like are sealed with it.
    first = entries[start]
    window = covering(first.first_time, first.last_time, line.unit)
    end = start + 1
    while end < len(entries) and not entries[end].sealed and entries[end].last_time < window.end:
        end += 1
    return line.merge(start, end, "seal")


def _thin_out(line: _Line, tuning: CompactionTuning) -> SegmentMerge | None:
    """Rule 3: the closed segments of the window around the open one become fewer."""
    around = next(islice(windows_around(line.now, line.unit), 1, None))
    start = bisect_left(line.segments, around.start, 0, line.closed_count, key=_first_time)
    if line.closed_count - start <= tuning.around_count_max:
        return None
    weights = line.weights[start : line.closed_count]
    start += _merge_from(weights, tuning.around_count_max)
    return line.merge(start, line.closed_count, "roll up")


def _bound(line: _Line, tuning: CompactionTuning) -> SegmentMerge | None:
    """Rule 4: when too many are closed, the merge that writes least for each segment it saves."""
    if line.closed_count <= tuning.closed_count_max:
        return None
    slices = [(start, end) for start, end, _ in line.closed_slices() if end - start > 1]
    reason: Reason = "roll up"
    if not slices:
        slices = [(start, start + 2) for start in range(line.closed_count - 1)]
        reason = "bound"
    start, end = min(
        slices, key=lambda pair: sum(line.weights[slice(*pair)]) // (pair[1] - pair[0] - 1)
    )
    return line.merge(start, end, reason)


def _tier(line: _Line, tuning: CompactionTuning) -> SegmentMerge | None:
    """Rule 5: the newest segments of the open window merge."""
    weights = line.weights[line.closed_count :]
    count_max = min(_open_count_max(weights, tuning), tuning.segment_count_max - line.closed_count)
    if len(weights) <= count_max:
        return None
    start = line.closed_count + _merge_from(weights, count_max)
    return line.merge(start, len(line.segments), "tier")


def _open_count_max(weights: Sequence[int], tuning: CompactionTuning) -> int:
    """Return how many segments the open window may hold; see `CompactionTuning`."""
    ordered = sorted(weights)
    if len(ordered) > 1:
        smallest = max(ordered[0], tuning.small_records)
        # The largest may be a bulk load; the second shows that many flushes came.
        if ordered[-2] >= tuning.deep_from * smallest:
            return tuning.deep_count_max
    return tuning.open_count_max


def _merge_from(weights: Sequence[int], count_max: int) -> int:
    """Return from where on `weights` (oldest first, too many) become one.

    With k places, and no flush written more than m times again, comb(k + m, m) flushes fit: first
    comb(k + m - 1, m - 1) that end as one in the oldest place, then as many as k - 1 places hold.
    So a place is written again when what came after it outweighs it by k / m, and not before.

    Source: Mathieu, Staelin, Young, Yousefi, "Bigtable Merge Compaction", 2014: their BINOMIAL,
    with m guessed from the weight in flushes, the smallest weight being one.
    """
    assert len(weights) > count_max > 0
    flush = min(weights)
    newer = sum(weights)
    for position, weight in enumerate(weights[: count_max - 1]):
        places = count_max - position
        newer -= weight
        if newer * _depth(weight, flush, places) >= weight * places:
            return position
    return count_max - 1


def _depth(weight: int, flush: int, places: int) -> int:
    """Return the smallest m for which comb(places + m - 1, m - 1) flushes weigh that much."""
    depth = 1
    while depth < _DEPTH_MAX and comb(places + depth - 1, depth - 1) * flush < weight:
        depth += 1
    return depth


def _first_time(entry: SegmentEntry) -> int:
    return entry.first_time


def _last_time(entry: SegmentEntry) -> int:
    return entry.last_time
