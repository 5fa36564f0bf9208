"""An event of a log: what happened to one entity or relation, when, and by whom.

    {"eventType": "entity_created", "eventId": …, "ts": …, "user": …, "data": {…}}

No field is dropped: an event becomes a line as `jsonl_record` reads it, with what is said of the
event beside what is said in its data.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.jsonl_keys import EVENT
from lithograph.tools.importers.jsonl_record import read_entity, read_relation
from lithograph.tools.importers.rejects import shown
from lithograph.tools.importers.rows import EdgeRow, NodeRow
from lithograph.tools.importers.unix_times import from_json

ACTIONS: Final = {
    "entity_created": "create",
    "entity_updated": "update",
    "entity_deleted": "delete",
    "relation_created": "create",
    "relation_updated": "update",
    "relation_deleted": "delete",
    "observation_added": "add",
    "observation_removed": "remove",
    "observations_added": "add",
    "observations_removed": "remove",
    "observation_deleted": "remove",
    "observations_deleted": "remove",
}
"""What each type of event does."""

ID_PROPERTY: Final = "eventId"
_NAMES: Final[tuple[str, ...]] = ("name", "entityName")
_TEXTS: Final[tuple[str, ...]] = ("observations", "contents", "observation", "content")


@dataclass(frozen=True, slots=True)
class Event:
    """A sound event.

    id : the text that tells it from all others.   time : when it happened.
    action : create, update, delete, add or remove (observations).
    row : what it is about, as a line of its own would describe it; its properties say of which
        event, and by whom.
    given : names of the fields that the event says something of.
    """

    id: str
    time: datetime
    action: str
    row: NodeRow | EdgeRow
    given: frozenset[str]


def read_event(value: dict[str, Any], number: int) -> Event:
    """Return the event on a line.

    Raises
    ------
    InvalidArgumentError : what is wrong with it, and what is expected.
    """
    kind = value[EVENT]
    action = ACTIONS.get(kind) if isinstance(kind, str) else None
    if action is None:
        raise InvalidArgumentError(f"{shown(kind)} is no type of event: use {', '.join(ACTIONS)}")
    time = from_json(value.get("ts"))
    if time is None:
        raise InvalidArgumentError(
            f'the event has no time: "ts" must be unix seconds, or ISO 8601 with a zone, found '
            f"{shown(value.get('ts'))}"
        )
    data = value.get("data")
    if not isinstance(data, dict):
        raise InvalidArgumentError(f'"data" must be an object, found {shown(data)}')
    data = dict(data)
    if kind.startswith("observation"):
        data = _observed(data)
    given = frozenset(data)
    line = _with_event(data, value, created=action == "create")
    row: NodeRow | EdgeRow
    if kind.startswith("relation"):
        row = read_relation(line, number, 0)
    else:
        row = read_entity(line, number, 0)
    return Event(id_text(line[ID_PROPERTY]), time, action, row, given)


def id_text(value: Any) -> str:
    """Return an event's id as a text, whatever JSON it is."""
    return json.dumps(value, sort_keys=True)


def _observed(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an event of observations says as an entity says it."""
    names = [key for key in _NAMES if key in data]
    texts = [key for key in _TEXTS if key in data]
    if len(names) != 1 or len(texts) != 1:
        raise InvalidArgumentError(
            f'"data" must hold one of {", ".join(_NAMES)} and one of {", ".join(_TEXTS)}, found '
            f"{', '.join(names + texts) or 'none'}"
        )
    line = {"name": data.pop(names[0])}
    found = data.pop(texts[0])
    line["observations"] = [found] if isinstance(found, str) else found
    return line | data


def _with_event(data: dict[str, Any], event: dict[str, Any], *, created: bool) -> dict[str, Any]:
    """Return the line that data and event are together; nothing of either is lost."""
    line = dict(data)

    def put(key: str, value: Any, other: str) -> None:
        key = key if key not in line or line[key] == value else other
        if line.setdefault(key, value) != value:
            raise InvalidArgumentError(f'"data" and the event say different things of {key!r}')

    for key, value in event.items():
        if key == "ts":
            put("createdAt" if created else "updatedAt", value, key)
        elif key == "user":
            put("createdBy" if created else "updatedBy", value, key)
        elif key not in (EVENT, "data"):
            put(key, value, key)
    if ID_PROPERTY not in event:
        # Named after what it says, so that it is known again.
        text = json.dumps(event, sort_keys=True)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12)
        put(ID_PROPERTY, digest.hexdigest(), ID_PROPERTY)
    return line
