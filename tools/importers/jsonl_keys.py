"""Which key of a JSON line is a field of the store, and where all others go: into properties.

An entity or relation line is an object. A few of its keys are fields; every other key is a property
of that name. Where a property has the name of a field, the line has it behind an "@", and an "@"
more for each that it has already: so nothing is dropped on the way in, and nothing is mistaken for
something else on the way out.

Promises:

1. `take_properties(fields, put_properties(…))` gives back what went in, for any property map.
2. A time that is not written as this project writes it keeps its own form in a property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.unix_times import end_from_json, end_to_json, from_json, to_json

MARK: Final = "@"
TAG: Final = "type"
EVENT: Final = "eventType"

ENTITY_FIELDS: Final = frozenset({TAG, EVENT, "name", "entityType", "observations", "createdAt"})
RELATION_FIELDS: Final = frozenset(
    {TAG, EVENT, "from", "to", "relationType", "key", "createdAt", "validFrom", "validTo"}
)
TAGS: Final = ("entity", "relation")


class TimeKey:
    """A key of a line that holds a time, as a field of the store.

    name : the key.   parse, render : value -> time, None where it is none; time -> value.
    """

    __slots__ = ("name", "parse", "render")

    def __init__(
        self,
        name: str,
        parse: Callable[[Any], datetime | None],
        render: Callable[[datetime], int | float | str],
    ) -> None:
        self.name = name
        self.parse = parse
        self.render = render


CREATED_AT: Final = TimeKey("createdAt", from_json, to_json)
VALID_FROM: Final = TimeKey("validFrom", from_json, to_json)
VALID_TO: Final = TimeKey("validTo", end_from_json, end_to_json)


def take_properties(
    line: dict[str, Any], fields: frozenset[str], properties: dict[str, Any]
) -> dict[str, Any]:
    """Add to `properties` what the line holds beside the fields; return them.

    Raises
    ------
    InvalidArgumentError : a key and the same key behind a mark both claim one property.
    """
    for key, value in line.items():
        if key in fields:
            continue
        name = key[1:] if key[:1] == MARK and key.lstrip(MARK) in fields else key
        if name in properties:
            raise InvalidArgumentError(
                f"{name!r} and {key!r} cannot both be kept: rename one of them"
            )
        properties[name] = value
    return properties


def put_properties(
    line: dict[str, Any], fields: frozenset[str], properties: dict[str, Any], raw: Iterable[str]
) -> dict[str, Any]:
    """Add the properties to a line; return it. `raw`: names of fields that may stand as they are,
    because nobody takes them for the field."""
    for name, value in properties.items():
        if name.lstrip(MARK) in fields and name not in raw:
            line[MARK + name] = value
        else:
            line[name] = value
    return line


def take_time(line: dict[str, Any], key: TimeKey, properties: dict[str, Any]) -> datetime | None:
    """Return the time under a key; keep the value as a property where it would not come back."""
    if key.name not in line:
        return None
    value = line[key.name]
    time = key.parse(value)
    if time is None or not _same(value, key.render(time)):
        properties[key.name] = value
    return time


def put_time(
    line: dict[str, Any], key: TimeKey, time: datetime | None, properties: dict[str, Any]
) -> bool:
    """Write a time under its key; return whether a property of that name may stand there instead:
    it is the same time in another form, or no time at all where there is none."""
    if time is not None:
        line[key.name] = key.render(time)
    if key.name not in properties:
        return False
    value = properties[key.name]
    if time is None:
        return key.parse(value) is None
    return key.parse(value) == time and not _same(value, line[key.name])


def _same(first: Any, second: Any) -> bool:
    return type(first) is not bool and bool(first == second)
