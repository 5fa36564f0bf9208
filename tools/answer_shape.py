"""In which struct a verb of segtool answers, where JSON is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from lithograph.tools.segtool import load_verb


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """What `--json` writes.

    shape : a msgspec struct, or a union of some.
    many : a list of them; with --ndjson one on each line.
    """

    shape: Any
    many: bool


def answer_shape(verb: str, kind: str | None = None) -> AnswerShape:
    """Return the shape that the module of a verb, or the one beside it, names.

    kind : of an import or an export: these have a module each.
    """
    module: Any = load_verb(verb)
    if kind is not None:
        module = import_module(f"lithograph.tools.{verb}ers.{kind}_{verb}")
    beside = _module_or_none(f"{module.__name__}_answer")
    place = beside if beside is not None else module
    names = {"SHAPE", "RECORD_SHAPE"} & set(dir(place))
    assert len(names) == 1, f"{place} has SHAPE or RECORD_SHAPE"
    name = names.pop()
    return AnswerShape(getattr(place, name), name == "RECORD_SHAPE")


def _module_or_none(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return None
