"""The planner against random histories, and what it costs over years.

`Line` stands for a store: it flushes, and carries out every plan until there is none. What it keeps
of a segment is what the manifest would say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.catalog.partition import Unit, covering, window_named, window_of, windows_around
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN, encode_moment
from lithograph.formats.sealed import SealedRef
from lithograph.maintenance.compaction_plan import (
    CompactionTuning,
    SegmentMerge,
    plan_major,
    plan_runs,
    plan_segments,
)

UNITS: tuple[Unit, ...] = ("day", "month", "year")
DEFAULT = CompactionTuning()
SMALL = CompactionTuning(
    segment_count_max=8,
    run_count_max=3,
    open_count_max=4,
    deep_count_max=6,
    deep_from=8,
    small_records=1,
    around_count_max=2,
)
SECOND = 10**6
HOUR = 3600 * SECOND
DAY = 24 * HOUR
YEAR = 365 * DAY


def at(text: str) -> int:
    return encode_moment(datetime.fromisoformat(text).replace(tzinfo=UTC), "time")


def segment(
    first: str | int,
    last: str | int | None = None,
    *,
    entries: int = 1,
    sealed: bool = False,
    versions: int = 0,
) -> SegmentEntry:
    """Return a segment with commits at the two times; its numbers do not matter."""
    start = at(first) if isinstance(first, str) else first
    end = start if last is None else at(last) if isinstance(last, str) else last
    return SegmentEntry(
        SealedRef(1, 0, bytes(32)),
        None,
        "2026",
        0,
        0,
        start,
        end,
        0,
        0,
        entries,
        versions,
        0,
        sealed,
    )


def sealed_in(*months: str) -> list[SegmentEntry]:
    return [segment(f"{month}-03", f"{month}-20", sealed=True) for month in months]


@dataclass
class Line:
    """A store as the planner sees it, and the entries written for it so far."""

    unit: Unit = "month"
    tuning: CompactionTuning = DEFAULT
    now: int = 0
    sequence: int = 0
    number: int = 0
    segments: list[SegmentEntry] = field(default_factory=list)
    runs: list[RunEntry] = field(default_factory=list)
    bound: set[int] = field(default_factory=set)
    committed: int = 0
    written: int = 0
    run_written: int = 0

    def flush(self, time: int, entry_count: int, version_count: int = 0) -> None:
        """Add a segment of one commit, and its run."""
        self.now = time
        self.sequence += 1
        self.committed += entry_count
        # Once in the write-ahead log, once in the segment.
        self.written += 2 * entry_count
        self.run_written += 2 * entry_count
        self.segments.append(
            SegmentEntry(
                self._ref(),
                None,
                window_of(time, self.unit).name,
                self.sequence,
                self.sequence,
                time,
                time,
                0,
                0,
                entry_count,
                version_count,
            )
        )
        self.runs.append(RunEntry(self._ref(), self.sequence, self.sequence, entry_count))

    def compact(self) -> Iterator[SegmentMerge]:
        """Carry out plans until there is none; yield each when it was carried out."""
        while plan := plan_segments(self.segments, self.unit, self.now, self.tuning):
            self.merge_segments(plan)
            yield plan
        while run_plan := plan_runs(self.runs, self.tuning):
            inputs = self.runs[run_plan.start : run_plan.end]
            entry_count = sum(entry.entry_count for entry in inputs)
            self.run_written += entry_count
            self.runs[run_plan.start : run_plan.end] = [
                RunEntry(
                    self._ref(), inputs[0].first_sequence, inputs[-1].last_sequence, entry_count
                )
            ]

    def merge_segments(self, plan: SegmentMerge) -> None:
        assert 0 <= plan.start < plan.end <= len(self.segments)
        inputs = self.segments[plan.start : plan.end]
        first, last = inputs[0], inputs[-1]
        entry_count = sum(entry.entry_count for entry in inputs)
        version_count = sum(entry.version_count for entry in inputs)
        self.written += entry_count
        ref = self._ref()
        self.segments[plan.start : plan.end] = [
            SegmentEntry(
                ref,
                None,
                plan.partition,
                first.first_sequence,
                last.last_sequence,
                first.first_time,
                last.last_time,
                0,
                0,
                entry_count,
                version_count,
                0,
                plan.sealed,
            )
        ]
        if plan.reason == "bound":
            self.bound.add(ref.number)

    def _ref(self) -> SealedRef:
        self.number += 1
        return SealedRef(self.number, 0, bytes(32))


@dataclass(frozen=True)
class Burst:
    """Flushes in a row; with `late`, plans are asked for only when all are there."""

    unit: Unit
    count: int
    step: int
    entry_count: int
    version_count: int
    late: bool


bursts = st.builds(
    Burst,
    st.sampled_from(UNITS),
    st.integers(1, 40),
    st.builds(
        lambda step, times: step * times,
        st.sampled_from([1, SECOND, HOUR, DAY, 9 * DAY, 31 * DAY, 100 * DAY, YEAR, 30 * YEAR]),
        st.integers(1, 5),
    ),
    st.one_of(st.integers(0, 3), st.integers(0, 10**6), st.just(2**60)),
    st.sampled_from([0, 0, 1000]),
    st.booleans(),
)
starts = st.one_of(
    st.integers(MOMENT_MIN, MOMENT_MAX), st.sampled_from([MOMENT_MIN, -DAY, at("2026-11-05")])
)
tunings = st.sampled_from([DEFAULT, SMALL])


@given(starts, st.lists(bursts, min_size=1, max_size=8), tunings)
def test_any_history_ends_within_the_bounds(
    start: int, history: list[Burst], tuning: CompactionTuning
) -> None:
    line = Line(tuning=tuning)
    time = start
    for burst in history:
        line.unit = burst.unit
        for turn in range(burst.count):
            line.flush(time, burst.entry_count, burst.version_count)
            time = min(time + burst.step, MOMENT_MAX)
            if burst.late and turn < burst.count - 1:
                continue
            plan_count_max = 2 * len(line.segments)
            for count, plan in enumerate(line.compact(), start=1):
                assert count <= plan_count_max
                check_window(line, plan)
            check_settled(line)


def check_window(line: Line, plan: SegmentMerge) -> None:
    """A merge stays inside one calendar window that is closed, or the smallest that it can be."""
    made = line.segments[plan.start]
    window = covering(made.first_time, made.last_time, line.unit)
    open_window = window_of(line.now, line.unit)

    assert window_named(plan.partition) == window
    assert plan.sealed == (made.first_time < open_window.start)
    match plan.reason:
        case "tier":
            assert window == open_window
        case "roll up":
            around = list(windows_around(line.now, line.unit))[1]
            assert window.end <= open_window.start or around.holds(window.start, window.end - 1)
        case "seal":
            assert window.end <= open_window.start or window.holds(line.now, line.now)
        case reason:
            assert reason == "bound"


def check_settled(line: Line) -> None:
    """What holds whenever the planner has nothing left to do."""
    tuning = line.tuning
    open_start = window_of(line.now, line.unit).start
    closed = [entry for entry in line.segments if entry.first_time < open_start]

    assert len(line.segments) <= tuning.segment_count_max
    assert len(line.runs) <= tuning.run_count_max
    assert len(closed) <= tuning.closed_count_max
    assert len(line.segments) - len(closed) <= tuning.deep_count_max
    assert all(entry.sealed for entry in closed)
    for ranges in (
        [(entry.first_sequence, entry.last_sequence) for entry in line.segments],
        [(entry.first_sequence, entry.last_sequence) for entry in line.runs],
    ):
        assert ranges[0][0] == 1
        assert ranges[-1][1] == line.sequence
        assert all(old[1] + 1 == new[0] for old, new in pairwise(ranges))
    for old, new in pairwise(line.segments):
        assert old.last_time <= new.first_time
    for old, new in pairwise(closed):
        window = window_of(old.first_time, line.unit)
        assert not window.holds(old.first_time, new.last_time)


@pytest.mark.parametrize("unit", UNITS)
def test_ten_years_of_daily_flushes_write_each_entry_at_most_eight_times(unit: Unit) -> None:
    line = Line(unit)
    time, end = at("2016-01-01T06:00"), at("2026-01-01")
    while time < end:
        line.flush(time, 200)
        list(line.compact())
        time += DAY
        if window_of(time, "year") != window_of(line.now, "year"):
            assert line.written <= 8 * line.committed
            assert line.run_written <= 8 * line.committed
        assert len(line.segments) <= 24
    assert not line.bound
    assert line.written <= {"day": 7.0, "month": 6.0, "year": 5.7}[unit] * line.committed


@pytest.mark.parametrize("unit", UNITS)
def test_a_year_of_hourly_flushes_writes_each_entry_at_most_eight_times(unit: Unit) -> None:
    line = Line(unit)
    time = at("2026-11-05")
    for _ in range(365 * 24):
        line.flush(time, 200)
        list(line.compact())
        time += HOUR

    assert line.written <= 8 * line.committed
    assert not line.bound


def test_many_flushes_in_one_window_write_each_entry_at_most_eight_times() -> None:
    line = Line("month")
    time = at("2026-11-01")
    for turn in range(100_000):
        line.flush(time + turn, 200)
        list(line.compact())

    assert line.written <= 8 * line.committed
    assert not line.bound


def test_open_window_holds_at_most_twelve_segments_of_a_month_of_hours() -> None:
    line = Line("month")
    for turn in range(30 * 24):
        line.flush(at("2026-11-01") + turn * HOUR, 200)
        list(line.compact())

        assert len(line.segments) <= 12
    assert line.written <= 5 * line.committed


def test_open_window_is_left_alone_while_it_holds_few() -> None:
    segments = [segment(f"2026-11-{day:02}") for day in range(1, 13)]

    assert plan_segments(segments, "month", at("2026-11-20")) is None
    assert plan_segments([*segments, segment("2026-11-13")], "month", at("2026-11-20")) == (
        SegmentMerge(0, 13, "2026-11", False, "tier")
    )


def test_tier_leaves_a_large_old_segment_and_merges_small_new_ones() -> None:
    large = segment("2026-11-01", entries=10**6)
    small = [segment(f"2026-11-{day:02}", entries=100) for day in range(2, 14)]

    assert plan_segments([large, *small], "month", at("2026-11-20")) == (
        SegmentMerge(1, 13, "2026-11", False, "tier")
    )


def test_open_window_holds_twenty_once_it_is_deep_and_there_is_room() -> None:
    """Two large segments of many flushes: 12 places would cost too many rewrites."""
    deep = [segment("2026-11-01", entries=10**6), segment("2026-11-02", entries=10**6)]
    small = [segment(f"2026-11-{day:02}", entries=1000) for day in range(3, 22)]
    closed = sealed_in(*(f"2025-{month:02}" for month in range(1, 13)), "2026-09", "2026-10")
    now = at("2026-11-22")
    tuning = CompactionTuning(roll_up_from=99)

    assert plan_segments([*deep, *small[:18]], "month", now) is None
    assert plan_segments([*deep, *small], "month", now) == (
        SegmentMerge(2, 21, "2026-11", False, "tier")
    )
    assert plan_segments([*closed, *deep, *small[:16]], "month", now, tuning) is None
    assert plan_segments([*closed, *deep, *small[:17]], "month", now, tuning) == (
        SegmentMerge(16, 33, "2026-11", False, "tier")
    )


def test_a_few_hundred_records_do_not_make_a_window_deep() -> None:
    large = [segment("2026-11-01", entries=500), segment("2026-11-02", entries=500)]
    small = [segment(f"2026-11-{day:02}") for day in range(3, 14)]

    assert plan_segments([*large, *small], "month", at("2026-11-20")) == (
        SegmentMerge(2, 13, "2026-11", False, "tier")
    )


def test_history_versions_weigh_as_much_as_entries() -> None:
    large = segment("2026-11-01", entries=1, versions=10**6)
    small = [segment(f"2026-11-{day:02}", entries=100) for day in range(2, 14)]

    assert plan_segments([large, *small], "month", at("2026-11-20")) == (
        SegmentMerge(1, 13, "2026-11", False, "tier")
    )


def test_closed_window_is_sealed_even_when_it_is_one_segment() -> None:
    october = segment("2026-10-03", "2026-10-20")

    assert plan_segments([october], "month", at("2026-10-31")) is None
    assert plan_segments([october], "month", at("2026-11-01")) == (
        SegmentMerge(0, 1, "2026-10", True, "seal")
    )
    assert plan_segments(sealed_in("2026-10"), "month", at("2026-11-01")) is None


def test_month_that_ends_a_quarter_is_merged_into_it_at_once() -> None:
    segments = [
        *sealed_in("2026-07", "2026-08"),
        segment("2026-09-03"),
        segment("2026-09-04"),
        segment("2026-10-01"),
    ]

    assert plan_segments(segments, "month", at("2026-10-01")) == (
        SegmentMerge(0, 4, "2026-Q3", True, "roll up")
    )


def test_month_that_ends_a_block_of_years_skips_quarter_and_year() -> None:
    segments = [
        segment("2024-01-01", "2024-12-31", sealed=True),
        segment("2025-01-01", "2025-12-31", sealed=True),
        segment("2026-01-01", "2026-12-31", sealed=True),
        segment("2027-01-01", "2027-09-30", sealed=True),
        *sealed_in("2027-10", "2027-11"),
        segment("2027-12-05"),
        segment("2028-01-01"),
    ]

    assert plan_segments(segments, "month", at("2028-01-01")) == (
        SegmentMerge(0, 7, "2024-to-2027", True, "roll up")
    )


def test_year_that_was_left_alone_is_merged_without_its_quarters() -> None:
    months = sealed_in(*(f"2025-{month:02}" for month in range(1, 13)))

    assert plan_segments(months, "month", at("2026-01-01")) == (
        SegmentMerge(0, 12, "2025", True, "roll up")
    )


def test_window_with_two_segments_waits_for_a_larger_one() -> None:
    segments = sealed_in("2026-01", "2026-03")

    assert plan_segments(segments, "month", at("2026-04-01")) is None
    assert plan_segments([*segments, *sealed_in("2026-05")], "month", at("2026-12-31")) is None
    assert plan_segments([*segments, *sealed_in("2026-05")], "month", at("2027-01-01")) == (
        SegmentMerge(0, 3, "2026", True, "roll up")
    )


def test_ninth_day_of_an_open_month_makes_them_one() -> None:
    segments = [segment(f"2026-11-{day:02}", sealed=True) for day in range(1, 10)]

    assert plan_segments(segments[:8], "day", at("2026-11-10")) is None
    assert plan_segments(segments, "day", at("2026-11-10")) == (
        SegmentMerge(0, 9, "2026-11", True, "roll up")
    )


def test_days_are_taken_over_when_the_unit_becomes_the_month() -> None:
    days = [segment(f"2026-11-{day:02}", sealed=True) for day in range(1, 8)]

    assert plan_segments(days, "month", at("2026-11-10")) is None
    assert plan_segments(days, "month", at("2026-12-01")) == (
        SegmentMerge(0, 7, "2026-11", True, "seal")
    )


def test_segments_of_a_month_are_sealed_together_when_the_unit_becomes_the_day() -> None:
    month = [segment("2026-11-01", "2026-11-03"), segment("2026-11-03", "2026-11-07")]
    days = [segment("2026-11-08", sealed=True), segment("2026-11-09")]

    assert plan_segments([*month, *days], "day", at("2026-11-09")) == (
        SegmentMerge(0, 2, "2026-11", True, "seal")
    )


def test_sealing_what_a_larger_unit_left_stays_inside_its_window() -> None:
    segments = [
        segment("2025-11-01", "2025-12-07"),
        segment("2025-12-07", "2025-12-30"),
        segment("2026-01-01", "2026-02-07"),
    ]

    assert plan_segments(segments, "day", at("2026-11-09")) == (
        SegmentMerge(0, 2, "2025-Q4", True, "seal")
    )
    assert plan_segments(segments[2:], "day", at("2026-11-09")) == (
        SegmentMerge(0, 1, "2026-Q1", True, "seal")
    )


def test_bound_merges_the_cheapest_neighbors_across_windows() -> None:
    """Nothing here lies in a closed window with another, so only the bound is left."""
    segments = [
        segment("2024-01-01", "2024-02-15", entries=50, sealed=True),
        segment("2024-02-20", "2026-06-15", entries=40, sealed=True),
        segment("2026-06-20", "2026-11-02", entries=10, sealed=True),
        segment("2026-11-03", "2026-11-05", entries=20, sealed=True),
        segment("2026-11-06", "2026-11-08", entries=90, sealed=True),
    ]
    tuning = CompactionTuning(segment_count_max=8, open_count_max=4)

    assert plan_segments(segments, "day", at("2026-11-10"), tuning) == (
        SegmentMerge(2, 4, "2026", True, "bound")
    )


def test_bound_prefers_closed_windows() -> None:
    segments = [
        *sealed_in("2020-01", "2020-09"),
        segment("2023-12-01", "2024-01-02", sealed=True),
        segment("2024-02-03", "2024-12-04", sealed=True),
        segment("2025-02-03", "2026-11-04", sealed=True),
    ]
    tuning = CompactionTuning(segment_count_max=8, open_count_max=4, roll_up_from=9)

    assert plan_segments(segments, "month", at("2026-12-10"), tuning) == (
        SegmentMerge(0, 2, "2020", True, "roll up")
    )


def test_clock_that_jumps_ahead_and_commits_on_converge() -> None:
    line = Line("day")
    line.flush(at("2026-11-05"), 100)
    for turn in range(100):
        line.flush(at("9200-01-01") + turn * SECOND, 1)
        list(line.compact())
        check_settled(line)

    assert line.segments[0].partition == "2026-11-05"


def test_runs_are_left_alone_up_to_eight_and_merge_from_the_newest() -> None:
    old = RunEntry(SealedRef(1, 0, bytes(32)), 1, 1, 10**6)
    new = [RunEntry(SealedRef(1, 0, bytes(32)), n, n, 10) for n in range(2, 11)]
    plan = plan_runs([old, *new[:8]])

    assert plan_runs([old, *new[:7]]) is None
    assert plan is not None
    assert (plan.start, plan.end) == (1, 9)


def test_plans_of_nothing_are_none() -> None:
    assert plan_segments([], "month", 0) is None
    assert plan_runs([]) is None
    assert plan_major([], [], "month") == (None, None)


def test_major_makes_one_sealed_segment_and_one_run() -> None:
    run = RunEntry(SealedRef(1, 0, bytes(32)), 1, 1, 1)
    segments = [*sealed_in("2026-09"), segment("2026-11-01")]
    segment_merge, run_merge = plan_major(segments, [run, run], "month")

    assert segment_merge == SegmentMerge(0, 2, "2026", True, "major")
    assert run_merge is not None
    assert (run_merge.start, run_merge.end) == (0, 2)
    assert plan_major(segments[1:], [run], "month") == (
        SegmentMerge(0, 1, "2026-11", True, "major"),
        None,
    )
    assert plan_major(segments[:1], [run], "month") == (None, None)


def test_store_goes_on_as_before_after_a_major_compaction() -> None:
    line = Line("month")
    for turn in range(800):
        line.flush(at("2025-01-01") + turn * DAY, 200)
        if turn % 100 == 99:
            merge, _ = plan_major(line.segments, line.runs, line.unit)
            assert merge is not None
            line.merge_segments(merge)
        list(line.compact())
        check_settled(line)
