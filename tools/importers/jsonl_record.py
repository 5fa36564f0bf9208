"""A JSON line and the node or edge that it describes, in both directions.

Two dialects. *tagged*, the memory.jsonl of the reference MCP memory server:

    {"type": "entity", "name": …, "entityType": …, "observations": […]}
    {"type": "relation", "from": …, "to": …, "relationType": …}

*plain*: the same without "type". Both may have createdAt, relations validFrom, validTo and key, and
any other keys, which are properties (`jsonl_keys`).

Relations of the same ends and type that begin at different times are different edges: without a
"key", the edge's key is the text of its validFrom.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, Literal

from lithograph import Edge, Node
from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.jsonl_keys import (
    CREATED_AT,
    ENTITY_FIELDS,
    EVENT,
    RELATION_FIELDS,
    TAG,
    TAGS,
    VALID_FROM,
    VALID_TO,
    put_properties,
    put_time,
    take_properties,
    take_time,
)
from lithograph.tools.importers.rejects import shown
from lithograph.tools.importers.rows import EdgeRow, NodeRow, checked_edge, checked_node
from lithograph.tools.importers.unix_times import to_json

Dialect = Literal["tagged", "plain"]
Kind = Literal["entity", "relation", "event"]

_ENDS: Final = ("from", "to", "relationType")
_times: Final = attrgetter("_created_at", "_born")


def line_kind(line: dict[str, Any]) -> Kind | None:
    """Return what a line describes, or None where it is nothing that is known."""
    tag = line.get(TAG)
    if tag == "entity":
        return "entity"
    if tag == "relation":
        return "relation"
    if EVENT in line:
        return "event"
    if all(key in line for key in _ENDS):
        return "relation"
    return "entity" if "name" in line and ("entityType" in line or "observations" in line) else None


def read_entity(line: dict[str, Any], number: int, size: int) -> NodeRow:
    """Return the node that an entity line describes.

    Raises
    ------
    InvalidArgumentError : what a store cannot hold, and where.
    """
    properties = _tags_as_properties(line)
    created_at = take_time(line, CREATED_AT, properties)
    properties = take_properties(line, ENTITY_FIELDS, properties)
    observations = line.get("observations", [])
    if not isinstance(observations, list):
        raise InvalidArgumentError(f'"observations" must be a list, found {shown(observations)}')
    for index, text in enumerate(observations):
        if type(text) is not str:
            raise InvalidArgumentError(f"observations[{index}] must be a text, found {shown(text)}")
    return checked_node(
        NodeRow(
            number,
            _text(line, "name"),
            _text(line, "entityType", ""),
            tuple(observations),
            properties or None,
            created_at,
            size,
        )
    )


def read_relation(line: dict[str, Any], number: int, size: int) -> EdgeRow:
    """Return the edge that a relation line describes; errors as in `read_entity`."""
    properties = _tags_as_properties(line)
    created_at = take_time(line, CREATED_AT, properties)
    valid_from = take_time(line, VALID_FROM, properties)
    valid_to = take_time(line, VALID_TO, properties)
    properties = take_properties(line, RELATION_FIELDS, properties)
    return checked_edge(
        EdgeRow(
            number,
            _text(line, "from"),
            _text(line, "relationType"),
            _text(line, "to"),
            _text(line, "key", "" if valid_from is None else str(to_json(valid_from))),
            properties or None,
            valid_from,
            valid_to,
            created_at,
            size,
        )
    )


def entity_line(node: Node, dialect: Dialect, *, times: bool) -> dict[str, Any]:
    """Return the line of a node.   times : createdAt even where it is only the commit's time."""
    properties = node.properties
    if all(key in properties for key in _ENDS):
        dialect = "tagged"  # Without a tag it would be taken for a relation.
    line: dict[str, Any] = {TAG: "entity"} if dialect == "tagged" else {}
    line["name"] = node.name
    line["entityType"] = node.type
    line["observations"] = list(node.observations)
    created_at = node.created_at if times or is_set(node) else None
    if not properties and created_at is None:
        return line
    raw = _raw(properties, dialect)
    if put_time(line, CREATED_AT, created_at, properties):
        raw.append(CREATED_AT.name)
    return put_properties(line, ENTITY_FIELDS, properties, raw)


def relation_line(edge: Edge, dialect: Dialect, *, times: bool) -> dict[str, Any]:
    """Return the line of an edge; `times` as in `entity_line`."""
    properties = edge.properties
    line: dict[str, Any] = {TAG: "relation"} if dialect == "tagged" else {}
    line |= {"from": edge.source, "to": edge.target, "relationType": edge.type}
    valid_from = edge.valid_from
    if edge.key != ("" if valid_from is None else str(to_json(valid_from))):
        line["key"] = edge.key
    created_at = edge.created_at if times or is_set(edge) else None
    valid_to = edge.valid_to
    if not properties and created_at is None and valid_from is None and valid_to is None:
        # As most are: 3.1 -> 2.6 µs for one, with its encoding.
        return line
    raw = _raw(properties, dialect)
    for key, time in (
        (CREATED_AT, created_at),
        (VALID_FROM, valid_from),
        (VALID_TO, valid_to),
    ):
        if put_time(line, key, time, properties):
            raw.append(key.name)
    return put_properties(line, RELATION_FIELDS, properties, raw)


def _tags_as_properties(line: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that tell what a line is where they tell nothing of the kind."""
    properties: dict[str, Any] = {key: line[key] for key in (TAG, EVENT) if key in line}
    if properties.get(TAG) in TAGS:
        del properties[TAG]
    return properties


def _raw(properties: dict[str, Any], dialect: Dialect) -> list[str]:
    """Return which of those keys a line may have as they are."""
    if dialect == "tagged":
        return [EVENT]
    return [TAG] if properties.get(TAG) not in TAGS else []


def is_set(record: Node | Edge) -> bool:
    """Return whether somebody gave the time of creation; otherwise it is the commit's."""
    created_at, born = _times(record)
    return bool(created_at != born)


def _text(line: dict[str, Any], key: str, default: str | None = None) -> str:
    value = line.get(key, default)
    if type(value) is not str:
        found = shown(value) if key in line else "none"
        raise InvalidArgumentError(f'"{key}" must be a text, found {found}')
    return value
