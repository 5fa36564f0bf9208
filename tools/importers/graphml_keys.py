"""How GraphML holds what a store holds: the keys of its data, for reading and for writing.

A key has a name and a type of value. In files that `export graphml` writes it also says, in a name
space of our own that other programs pass over, what it *holds* where that is no property: so that
a property named "type" and the type of a node are two things, and a list comes back as one.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from lithograph.errors import InvalidArgumentError

GRAPHML: Final = "http://graphml.graphdrawing.org/xmlns"
OURS: Final = "urn:lithograph:graphml"
HOLDS: Final = "holds"

TYPE: Final = "type"
OBSERVATIONS: Final = "observations"
KEY: Final = "key"
CREATED_AT: Final = "created_at"
VALID_FROM: Final = "valid_from"
VALID_TO: Final = "valid_to"
JSON: Final = "json"
"""A property whose value has no GraphML type: a list, a map, None, a text that XML cannot hold."""

FIELDS: Final = (TYPE, OBSERVATIONS, KEY, CREATED_AT, VALID_FROM, VALID_TO)

_TRUE, _FALSE = ("true", "1"), ("false", "0")
_ESCAPED: Final = 'json:"'
_UNSAFE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONG_END: Final = 2**63


def is_safe(text: str) -> bool:
    """Return whether XML 1.0 has all characters of a text."""
    return _UNSAFE.search(text) is None


def encode_id(name: str) -> str:
    r"""Return a node's name as the id of its element.

    >>> encode_id("Ada"), encode_id("a\x00"), decode_id(encode_id("a\x00")) == "a\x00"
    ('Ada', 'json:"a\\u0000"', True)
    """
    if is_safe(name) and not name.startswith(_ESCAPED):
        return name
    return _ESCAPED[:-1] + json.dumps(name)


def decode_id(text: str) -> str:
    """Return the name that `encode_id` made an id of."""
    if text.startswith(_ESCAPED):
        try:
            found = json.loads(text[len(_ESCAPED) - 1 :])
        except (ValueError, RecursionError):
            return text
        if isinstance(found, str):
            return found
    return text


def encode_value(value: Any) -> tuple[str, str, str]:
    """Return the type, what the key holds beside ("" or `JSON`), and the text of a property.

    >>> encode_value(True), encode_value(7), encode_value([1])
    (('boolean', '', 'true'), ('long', '', '7'), ('string', 'json', '[1]'))
    """
    if isinstance(value, bool):
        return "boolean", "", "true" if value else "false"
    if isinstance(value, int) and -_LONG_END <= value < _LONG_END:
        return "long", "", str(value)
    if isinstance(value, float):
        return "double", "", repr(value)
    if isinstance(value, str) and is_safe(value):
        return "string", "", value
    return "string", JSON, json.dumps(value)


def decode_value(text: str, kind: str) -> Any:
    """Return the value of a text by the type of its key.

    Raises
    ------
    InvalidArgumentError : the text is none of the type.
    """
    stripped = text.strip()
    try:
        if kind == "boolean":
            if stripped.lower() not in _TRUE + _FALSE:
                raise ValueError(text)
            return stripped.lower() in _TRUE
        if kind in ("int", "long"):
            if len(stripped) > 20:
                raise ValueError(text)
            return int(stripped)
        if kind in ("float", "double"):
            return float(stripped)
        if kind == JSON:
            return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidArgumentError(f"{text!r:.60} is no {kind}") from None
    return text


def decode_texts(text: str) -> tuple[str, ...]:
    """Return the observations that stand in a list of JSON."""
    found = decode_value(text, JSON)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InvalidArgumentError(f"{text!r:.60} is no list of texts")
    return tuple(found)


def decode_time(text: str) -> datetime:
    """Return a time of ISO 8601; UTC where it has no offset."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidArgumentError(f"{text!r:.60} is no time of ISO 8601") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
