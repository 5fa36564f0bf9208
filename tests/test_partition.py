"""Calendar windows: where they begin and end, how they nest, what they are called."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.catalog.partition import (
    Unit,
    Window,
    covering,
    parent_of,
    window_named,
    window_of,
    windows_around,
)
from lithograph.formats.file_names import is_partition
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN, decode_moment, encode_moment

UNITS: tuple[Unit, ...] = ("day", "month", "year")
times = st.one_of(
    st.integers(MOMENT_MIN, MOMENT_MAX),
    st.sampled_from([MOMENT_MIN, -1, 0, MOMENT_MAX]),
    # Around midnight, where windows meet.
    st.builds(
        lambda day, step: (
            encode_moment(datetime(day.year, day.month, day.day, tzinfo=UTC), "") + step
        ),
        st.dates(min_value=date(1, 1, 2)),
        st.sampled_from([-1, 0, 1]),
    ),
)
units = st.sampled_from(UNITS)


def _at(text: str) -> int:
    return encode_moment(datetime.fromisoformat(text).replace(tzinfo=UTC), "time")


@pytest.mark.parametrize(
    ("time", "names"),
    [
        ("2026-11-05T12:00", "2026-11-05 2026-11 2026-Q4 2026 2024-to-2027 2016-to-2031"),
        ("2024-02-29", "2024-02-29 2024-02 2024-Q1 2024 2024-to-2027 2016-to-2031"),
        ("1969-12-31T23:59:59", "1969-12-31 1969-12 1969-Q4 1969 1968-to-1971 1968-to-1983"),
        ("0001-01-01", "0001-01-01 0001-01 0001-Q1 0001 0001-to-0003 0001-to-0015"),
        # The blocks of 64 and 256 years are cut to the one of 16 by the end of the calendar.
        ("9999-12-31", "9999-12-31 9999-12 9999-Q4 9999 9996-to-9999 9984-to-9999 9216-to-9999"),
    ],
)
def test_windows_around_a_time_have_these_names(time: str, names: str) -> None:
    found = [window.name for window in windows_around(_at(time), "day")]

    assert found[: len(names.split())] == names.split()
    assert found[-1] == "0001-to-9999"


@given(times, units)
def test_window_is_what_datetime_says(time: int, unit: Unit) -> None:
    window = window_of(time, unit)
    start, moment = decode_moment(window.start), decode_moment(time)
    format_ = {"day": "%m-%d", "month": "%m", "year": ""}[unit]

    assert window.start <= time < window.end
    assert window.name == "-".join(filter(None, [f"{moment.year:04}", moment.strftime(format_)]))
    assert start == moment.replace(
        month=1 if unit == "year" else moment.month,
        day=moment.day if unit == "day" else 1,
        hour=0,
        minute=0,
        second=0,
        microsecond=0,
    )
    if window.end <= MOMENT_MAX:
        assert window_of(window.end, unit).start == window.end
        assert decode_moment(window.end) - start >= timedelta(days=1)


@given(times)
def test_windows_nest_and_are_found_by_name_and_as_parents(time: int) -> None:
    windows = list(windows_around(time, "day"))

    for small, large in pairwise(windows):
        assert large.start <= small.start
        assert small.end <= large.end
        assert small != large
        assert parent_of(small) == large
    for window in windows:
        assert is_partition(window.name)
        assert window_named(window.name) == window
    assert windows[-1].start == MOMENT_MIN
    assert windows[-1].end == MOMENT_MAX + 1
    assert parent_of(windows[-1]) is None
    assert len({window.name for window in windows}) == len(windows)


@given(times, times, units)
def test_covering_is_the_smallest_that_holds_both(one: int, other: int, unit: Unit) -> None:
    first, last = sorted((one, other))
    window = covering(first, last, unit)
    holding = [found for found in windows_around(last, unit) if found.holds(first, last)]

    assert window == holding[0]


@given(times, times)
def test_any_two_windows_nest_or_are_disjoint(one: int, other: int) -> None:
    for left in windows_around(one, "day"):
        for right in windows_around(other, "day"):
            disjoint = left.end <= right.start or right.end <= left.start

            assert (
                disjoint
                or left.holds(right.start, right.end - 1)
                or right.holds(left.start, left.end - 1)
            )


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2026-13",
        "2026-Q5",
        "2026-11-31",
        "2025-02-29",
        "0000",
        "0000-01",
        "0000-to-0003",
        "2025-to-2028",
        "2024-to-2026",
        "2024-to-2024",
        "2027-to-2024",
        "9984-to-9998",
        "../../etc",
        "2026-11 ",
    ],
)
def test_names_that_the_calendar_does_not_have_are_no_windows(name: str) -> None:
    assert window_named(name) is None


def test_window_holds_its_start_and_not_its_end() -> None:
    window = Window("1970", 0, 100)

    assert window.holds(0, 99)
    assert not window.holds(0, 100)
    assert not window.holds(-1, 50)
