"""The fields of an answer in words: from the annotations of its struct and from its docstring.

A docstring's line "name, other : meaning" tells of fields; deeper lines continue it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from lithograph.tools.answer_shape import AnswerShape

_WORDS: Final[dict[Any, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    datetime: "time",
    NoneType: "null",
    Any: "any value",
}
_ENTRY: Final = re.compile(r"([a-z0-9_]+(?:, [a-z0-9_]+)*) : (.*)")


def describe_shape(answer: AnswerShape) -> Iterator[str]:
    """Yield the lines, in Markdown, that say what `--json` writes."""
    structs = structs_of(answer.shape)
    names = " or ".join(f"`{struct.__name__}`" for struct in _members(answer.shape))
    what = f"a list of {names}" if answer.many else f"one {names}"
    yield f"JSON: {what}. NDJSON: " + (
        "one on each line." if answer.many else "the same on a line."
    )
    for struct in structs:
        yield ""
        yield from _describe_struct(struct)


def _members(shape: Any) -> list[Any]:
    """Return the structs of a union, or the one that it is."""
    return list(get_args(shape)) if _is_union(shape) else [shape]


def structs_of(shape: Any) -> list[Any]:
    """Return the structs of a shape and those in their fields, each once, as they are met."""
    found: list[Any] = []
    waiting = _members(shape)
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each not in found:
            found.append(each)
            waiting += [part for hint in get_type_hints(each).values() for part in _parts(hint)]
    return found


def _parts(hint: Any) -> list[Any]:
    return [hint, *(part for argument in get_args(hint) for part in _parts(argument))]


def _describe_struct(struct: Any) -> Iterator[str]:
    hints = get_type_hints(struct)
    config = struct.__struct_config__
    said, entries = _docstring(struct, set(hints))
    yield f"`{struct.__name__}`: {said}"
    yield ""
    if config.tag is not None:
        yield f'* `{config.tag_field}` ("{config.tag}")'
    told: set[str] = set()
    for names, meaning in entries:
        fields = ", ".join(f"`{name}` ({_type_text(hints[name])})" for name in names)
        told.update(names)
        yield f"* {fields}: {meaning}"
    for name in hints:
        if name not in told:
            yield f"* `{name}` ({_type_text(hints[name])})"


def _docstring(struct: Any, fields: set[str]) -> tuple[str, list[tuple[list[str], str]]]:
    """Return the first paragraph, and (fields, meaning) of each entry, in their order."""
    said: list[str] = []
    entries: list[tuple[list[str], list[str]]] = []
    for line in inspect.cleandoc(struct.__doc__ or "").splitlines():
        match = _ENTRY.fullmatch(line)
        if match is not None and fields.issuperset(match[1].split(", ")):
            entries.append((match[1].split(", "), [match[2]]))
        elif entries and line.startswith(" "):
            entries[-1][1].append(line.strip())
        elif not entries and line and not set(line) <= {"-"} and line != "Attributes":
            said.append(line)
    # JSON has no None.
    told = [(names, re.sub(r"\bNone\b", "null", " ".join(words))) for names, words in entries]
    return " ".join(said), told


def _type_text(hint: Any) -> str:
    if hint in _WORDS:
        return _WORDS[hint]
    arguments = get_args(hint)
    if _is_union(hint):
        return " or ".join(_type_text(each) for each in arguments)
    origin = get_origin(hint)
    if origin in (list, tuple):
        return f"list of {_type_text(arguments[0])}"
    if origin is dict:
        return f"map to {_type_text(arguments[1])}"
    return f"`{hint.__name__}`" if isinstance(hint, type) else str(hint)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)
