"""What one Python module defines, imports, inherits and calls, as far as it tells by itself.

What is left to know lies in other modules, and is said by an `Origin`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lithograph.tools.importers.python_modules import SourceFile
from lithograph.tools.importers.python_scopes import Origin

NAME_LENGTH_MAX = 1000
"""A module with a longer dotted name (in characters) is set aside."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A class, function or method; `parent` is the dotted name of what contains it."""

    name: str
    kind: Literal["class", "function", "method"]
    line: int
    parent: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A use, by the node `user`, of `origin` followed by `attributes`."""

    user: str
    origin: Origin
    attributes: tuple[str, ...]
    line: int


@dataclass(slots=True)
class ModuleSymbols:
    """What one module says, in the order of its source.

    definitions : by dotted name; the first of several wins.
    members : what the names bound in the module and in each of its classes stand for, by dotted
        name of the module or class.
    exports : the names in `__all__` where it is one literal; None when they are not known.
    stars : modules named in `from … import *`.
    imports : of a module (origin "path") or of a name in one ("member").
    bases, calls : expressions that are plain dotted names; others cannot be followed.
    """

    source: SourceFile
    definitions: dict[str, Definition] = field(default_factory=dict)
    members: dict[str, dict[str, Origin]] = field(default_factory=dict)
    exports: frozenset[str] | None = None
    stars: list[str] = field(default_factory=list)
    imports: list[Reference] = field(default_factory=list)
    bases: list[Reference] = field(default_factory=list)
    calls: list[Reference] = field(default_factory=list)
