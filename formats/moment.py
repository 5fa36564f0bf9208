"""Points in time: aware datetimes outside, int64 µs since 1970 UTC on disk (SPEC.md, 9.2).

Times are exact to the microsecond in both directions; the range is that of `datetime`, the years 1
to 9999.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lithograph.errors import CorruptionError, InvalidArgumentError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

MOMENT_MIN: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
MOMENT_MAX: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def encode_moment(time: Any, what: str) -> int:
    """Return microseconds since 1970-01-01 UTC; `what` names the argument in the error."""
    if not isinstance(time, datetime):
        raise InvalidArgumentError(
            f"{what} must be an aware datetime, not {type(time).__name__}: "
            "for example datetime.now(timezone.utc)"
        )
    if time.utcoffset() is None:
        raise InvalidArgumentError(
            f"{what} is a datetime without a time zone: add one, "
            "for example time.replace(tzinfo=timezone.utc)"
        )
    return (time - EPOCH) // _MICROSECOND


def decode_moment(moment: int) -> datetime:
    """Return an aware datetime in UTC; `moment` was checked when it was read.

    >>> decode_moment(0).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    return EPOCH + timedelta(microseconds=moment)


def check_moment(moment: int, offset: int) -> int:
    """Return a time read from disk if a datetime can hold it, else raise CorruptionError."""
    if not MOMENT_MIN <= moment <= MOMENT_MAX:
        raise CorruptionError(f"{moment} µs is outside the years 1 to 9999", offset=offset)
    return moment
