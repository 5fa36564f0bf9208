"""Partitions: the calendar windows of commit time that segments are kept by (SPEC.md, section 2).

Windows form a ladder: days, months, quarters, years, and blocks of 4, 16, 64, … years that begin
at a multiple of their length, up to one block of all years. Each rung divides the next one, so two
windows either nest or are disjoint. All are in UTC.

Invariants
1. start <= time < end for every time that a window was asked for.
2. No two windows share a name; blocks that the years 1 and 9999 cut to the same length are one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date
from functools import lru_cache
from typing import Final, Literal

from lithograph.formats.file_names import is_partition
from lithograph.formats.moment import EPOCH, MOMENT_MAX, MOMENT_MIN

Unit = Literal["day", "month", "year"]
"""What `lithograph.open` takes as `partition`: the windows that a flush writes to."""

_DAY_US: Final = 24 * 60 * 60 * 1_000_000
_EPOCH_ORDINAL: Final = EPOCH.toordinal()
_END_ORDINAL: Final = date.max.toordinal() + 1

_DAY: Final = 0
_MONTH: Final = 1
_QUARTER: Final = 2
_YEAR: Final = 3
_TOP: Final = _YEAR + 7  # 4**7 = 16,384 years hold all that a datetime can say.
_RUNGS: Final = {"day": _DAY, "month": _MONTH, "year": _YEAR}


@dataclass(frozen=True, slots=True)
class Window:
    """One calendar window.

    start, end : µs since 1970 UTC, end exclusive.
    """

    name: str
    start: int
    end: int

    def holds(self, first_time: int, last_time: int) -> bool:
        """Return whether all of first_time to last_time (inclusive) lies in the window."""
        return self.start <= first_time and last_time < self.end


def window_of(time: int, unit: Unit) -> Window:
    """Return the window of the given unit that `time` (µs since 1970 UTC) lies in.

    >>> window_of(0, "month")
    Window(name='1970-01', start=0, end=2678400000000)
    """
    return _window(_ordinal(time), _RUNGS[unit])


def windows_around(time: int, unit: Unit) -> Iterator[Window]:
    """Yield the windows that `time` lies in, from the unit up; each is larger than the last.

    >>> [window.name for window in windows_around(0, "month")][:4]
    ['1970-01', '1970-Q1', '1970', '1968-to-1971']
    """
    ordinal = _ordinal(time)
    last = None
    for rung in range(_RUNGS[unit], _TOP + 1):
        window = _window(ordinal, rung)
        if window != last:
            yield window
        last = window


def parent_of(window: Window) -> Window | None:
    """Return the next larger window around this one, None for the one of all years.

    >>> parent_of(Window("1970-01", 0, 2678400000000)).name
    '1970-Q1'
    """
    for larger in windows_around(window.start, "day"):
        if larger.start <= window.start and larger.end >= window.end and larger != window:
            return larger
    return None


def covering(first_time: int, last_time: int, unit: Unit) -> Window:
    """Return the smallest window, from the unit up, that holds both times.

    >>> covering(0, 100 * _DAY_US, "day").name
    '1970'
    """
    assert first_time <= last_time
    for window in windows_around(first_time, unit):
        if last_time < window.end:
            return window
    raise AssertionError(f"{last_time} µs is behind the last year")


def window_named(name: str) -> Window | None:
    """Return the window of a partition's name, None where the calendar has none of that name.

    >>> window_named("1970-01"), window_named("1970-02-30"), window_named("1970-to-1973")
    (Window(name='1970-01', start=0, end=2678400000000), None, None)
    """
    if not is_partition(name):
        return None
    try:
        first = _first_day(name)
    except ValueError:
        return None
    ordinal = first.toordinal()
    for rung in range(_DAY, _TOP + 1):
        window = _window(ordinal, rung)
        if window.name == name:
            return window
    return None


def _first_day(name: str) -> date:
    """Return the day that a window of this name begins with; ValueError for none."""
    year = int(name[:4])
    if name[4:6] == "-Q":
        return date(year, 3 * int(name[6]) - 2, 1)
    if len(name) == len("1970-01-01") and name[7] == "-":
        return date(year, int(name[5:7]), int(name[8:]))
    if len(name) == len("1970-01"):
        return date(year, int(name[5:7]), 1)
    return date(year, 1, 1)


def _ordinal(time: int) -> int:
    assert MOMENT_MIN <= time <= MOMENT_MAX
    return time // _DAY_US + _EPOCH_ORDINAL


@lru_cache(maxsize=1024)
def _window(ordinal: int, rung: int) -> Window:
    """Return the window on a rung of the ladder that a day (proleptic ordinal) lies in."""
    day = date.fromordinal(ordinal)
    year = day.year
    if rung == _DAY:
        return _between(day.isoformat(), ordinal, ordinal + 1)
    if rung in (_MONTH, _QUARTER):
        length = 1 if rung == _MONTH else 3
        months = 12 * year + (day.month - 1) // length * length
        name = f"{year:04}-{months % 12 + 1:02}"
        if rung == _QUARTER:
            name = f"{year:04}-Q{months % 12 // 3 + 1}"
        return _between(name, _month_ordinal(months), _month_ordinal(months + length))
    length = 4 ** (rung - _YEAR)
    first = year // length * length
    start, end = _month_ordinal(12 * first), _month_ordinal(12 * (first + length))
    last = min(first + length - 1, MAXYEAR)
    first = max(first, MINYEAR)
    name = f"{year:04}" if rung == _YEAR else f"{first:04}-to-{last:04}"
    return _between(name, start, end)


def _month_ordinal(months: int) -> int:
    """Return the ordinal of the month that is `months` behind year 0, cut to what exists."""
    year, month = divmod(months, 12)
    if year > MAXYEAR:
        return _END_ORDINAL
    return date(year, month + 1, 1).toordinal() if year >= MINYEAR else date.min.toordinal()


def _between(name: str, start: int, end: int) -> Window:
    assert start < end
    return Window(name, (start - _EPOCH_ORDINAL) * _DAY_US, (end - _EPOCH_ORDINAL) * _DAY_US)
