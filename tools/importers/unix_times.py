"""Times of JSON lines: unix seconds, or ISO 8601; inclusive ends there, half-open ends here.

Promises:

1. `from_json(to_json(time)) == time`, to the microsecond, for every time that a store can hold.
2. What is not a time gives None, never a guess.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_SECONDS_MAX: Final = 253_402_300_800
_SECONDS_MIN: Final = -62_135_596_800
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,6})?)?(Z|[+-]\d\d:\d\d)\Z")


def from_json(value: Any) -> datetime | None:
    """Return the time that a number of seconds or a text with a time zone means, or None.

    >>> from_json(0), from_json("1970-01-01T00:00:00Z") == from_json(0), from_json(True)
    (datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), True, None)
    """
    try:
        if type(value) is str:
            return datetime.fromisoformat(value).astimezone(UTC) if _ISO.match(value) else None
        if type(value) is int or type(value) is float:
            if not _SECONDS_MIN <= value < _SECONDS_MAX:
                return None
            return EPOCH + round(value * 1_000_000) * MICROSECOND
    except (ValueError, OverflowError):
        pass  # No such day, or a zone that leads out of the years 1 to 9999.
    return None


def to_json(time: datetime) -> int | float | str:
    """Return unix seconds: an int where they are whole, a float where it holds them exactly to the
    microsecond, otherwise ISO 8601.

    >>> to_json(EPOCH), to_json(EPOCH + MICROSECOND), to_json(datetime.max.replace(tzinfo=UTC))
    (0, 1e-06, '9999-12-31T23:59:59.999999+00:00')
    """
    microseconds = (time - EPOCH) // MICROSECOND
    if microseconds % 1_000_000 == 0:
        return microseconds // 1_000_000
    seconds = microseconds / 1_000_000
    return seconds if from_json(seconds) == time else iso(time)


def end_from_json(value: Any) -> datetime | None:
    """Return where something ends that is valid up to and including `value`, or None.

    A time without a fraction of a second is the whole second.

    >>> print(end_from_json(59), end_from_json(59.5))
    1970-01-01 00:01:00+00:00 1970-01-01 00:00:59.500001+00:00
    """
    if type(value) is int and value == _SECONDS_MIN - 1:
        return _FIRST  # Its last moment is before all that can be told.
    last = from_json(value)
    if last is None:
        return None
    has_fraction = not value.is_integer() if type(value) is float else "." in str(value)
    try:
        return last + (MICROSECOND if has_fraction or last.microsecond else _SECOND)
    except OverflowError:
        return None


def end_to_json(end: datetime) -> int | float | str:
    """Return the last time at which something is valid that ends at `end`.

    >>> end_to_json(EPOCH + timedelta(minutes=1)), end_to_json(EPOCH + MICROSECOND)
    (59, '1970-01-01T00:00:00.000000+00:00')
    """
    microseconds = (end - EPOCH) // MICROSECOND
    if microseconds % 1_000_000 == 0:
        return microseconds // 1_000_000 - 1
    last = end - MICROSECOND
    value = to_json(last)
    return iso(last) if type(value) is int else value


def iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")
