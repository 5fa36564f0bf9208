"""What dotted names stand for over many modules: imports followed, members found in base classes.

Promises:

1. Names, re-exports, `import *` and base classes may run in circles; following them ends.
2. A lookup costs at most `LINEAGE_COUNT_MAX` steps at each dot, and is remembered.
3. What is not among the modules read keeps the name under which it was imported.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator, Mapping

from lithograph.tools.importers.python_scopes import Origin
from lithograph.tools.importers.python_symbols import (
    NAME_LENGTH_MAX,
    Definition,
    ModuleSymbols,
    Reference,
)

LINEAGE_COUNT_MAX = 256
"""Of a class with more ancestors (or a module with more star imports) none is looked at."""


class Names:
    """The names of some modules, after all of them have been read.

    modules : by dotted name.
    definitions : of all modules, by dotted name; the module of that name, if any, goes before.
    bases : classes that each class inherits from directly, by dotted name, in order.
    """

    def __init__(self, modules: Mapping[str, ModuleSymbols]) -> None:
        self.modules = modules
        self.definitions: dict[str, Definition] = {}
        self.bases: dict[str, list[str]] = {}
        self._members: dict[str, dict[str, Origin]] = {}
        for symbols in modules.values():
            self._members[symbols.source.module] = symbols.members[symbols.source.module]
        for symbols in modules.values():
            for name, definition in symbols.definitions.items():
                self.definitions.setdefault(name, definition)
            for name, members in symbols.members.items():
                self._members.setdefault(name, members)
        self._other_modules = self._imported_elsewhere()
        stars = {
            name: [_running_name(module) for module in symbols.stars]
            for name, symbols in modules.items()
            if symbols.stars
        }
        self._providers = {name: lineage(name, stars)[1:] for name in stars}
        self._lineages: dict[str, tuple[str, ...]] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        self.bases = self._resolve_bases()

    def kind(self, name: str) -> str:
        """Return "module", "class", "function" or "method"; "name" for what was not read."""
        if name in self.modules or name in self._other_modules:
            return "module"
        definition = self.definitions.get(name)
        return "name" if definition is None else definition.kind

    def is_external(self, name: str) -> bool:
        """Return whether `name` stands for something outside the modules read."""
        return name not in self.modules and name not in self.definitions

    def resolve(self, reference: Reference) -> str | None:
        """Return the dotted name of what `reference` stands for; None when that is not known."""
        origin, attributes = reference.origin, reference.attributes
        if origin.kind == "parents":
            owners = self._ancestors(origin.path)[1:]
            name, *rest = attributes
            found = self._finish(self._inherited(owners, name))
        elif origin.kind == "instance":
            # Calling the instance itself would be `__call__` of nobody knows which class.
            found, rest = (origin.path if attributes else None), list(attributes)
        else:
            found, rest = self._finish(origin), list(attributes)
        for attribute in rest:
            if found is None:
                return None
            found = self._member(found, attribute)
        return found

    def resolve_base(self, reference: Reference) -> str | None:
        """Return what `resolve` does, but None where it cannot be a base of `reference.user`."""
        base = self.resolve(reference)
        if base is None or base == reference.user or self.kind(base) not in ("class", "name"):
            return None
        return base

    def _finish(self, origin: Origin | None) -> str | None:
        """Follow `origin` to a dotted name."""
        if origin is None:
            return None
        if origin.kind == "path":
            return _running_name(origin.path)
        if origin.kind == "member":
            return self._member(origin.path, origin.name)
        if origin.kind == "free":
            return self._finish(self._module_member(origin.path, origin.name, may_guess=False))
        return None

    def _member(self, owner: str, name: str) -> str | None:
        """Return the dotted name of what `name` is in the module, class or outside name `owner`."""
        trail: list[tuple[str, str]] = []
        found: str | None
        while True:
            owner = _running_name(owner)
            key = (owner, name)
            if key in self._found:
                found = self._found[key]
                break
            # What a circle comes to: `from . import part` in a package means the module.
            dotted = f"{owner}.{name}"
            self._found[key] = dotted if self._is_module(dotted) else None
            trail.append(key)
            origin = self._member_origin(owner, name)
            if origin is None or origin.kind != "member":
                found = self._finish(origin)
                break
            owner, name = origin.path, origin.name
        for key in trail:
            self._found[key] = found
        return found

    def _member_origin(self, owner: str, name: str) -> Origin | None:
        if owner in self.modules:
            return self._module_member(owner, name, may_guess=True)
        if owner not in self.definitions:
            return _outside(f"{owner}.{name}")
        # A function has no members, and no ancestors.
        return self._inherited(self._ancestors(owner), name)

    def _inherited(self, owners: Iterable[str], name: str) -> Origin | None:
        """Return what `name` is in the first of the classes `owners` that binds it."""
        for owner in owners:
            if owner in self.definitions:
                origin = self._members.get(owner, {}).get(name)
                if origin is not None:
                    return origin
        return None

    def _module_member(self, module: str, name: str, *, may_guess: bool) -> Origin | None:
        """Return what `name` is in `module`.

        may_guess : a name that only a star import from outside could explain is an outside name.
        """
        dotted = f"{module}.{name}"
        if _running_name(dotted) != dotted:
            return Origin("path", dotted)
        if module not in self.modules:
            return _outside(dotted)
        origin = self._members[module].get(name)
        if origin is not None:
            return origin
        if self._is_module(dotted):
            return Origin("path", dotted)
        providers = self._providers.get(module, ())
        for provider in providers:
            if provider in self.modules and self._exports(provider, name):
                origin = self._members[provider].get(name)
                if origin is not None:
                    return origin
        if may_guess and any(provider not in self.modules for provider in providers):
            return _outside(dotted)
        return None

    def _exports(self, module: str, name: str) -> bool:
        exports = self.modules[module].exports
        return not name.startswith("_") if exports is None else name in exports

    def _is_module(self, name: str) -> bool:
        return name in self.modules or name in self._other_modules

    def _ancestors(self, name: str) -> tuple[str, ...]:
        """Return the class `name`, then its bases and theirs."""
        known = self._lineages.get(name)
        if known is None:
            known = self._lineages[name] = lineage(name, self.bases)
        return known

    def _imported_elsewhere(self) -> set[str]:
        """Return the modules that are imported but were not read."""
        found = {os.path.__name__}
        for symbols in self.modules.values():
            for reference in symbols.imports:
                if reference.origin.kind == "path":
                    found.add(_running_name(reference.origin.path))
        return {name for name in found if self.is_external(name)}

    def _resolve_bases(self) -> dict[str, list[str]]:
        # No bases are known yet, so a base that is a member of another class is found only in that
        # class itself. This keeps classes from waiting for each other's bases in circles.
        resolved: dict[str, dict[str, None]] = {}
        for symbols in self.modules.values():
            for reference in symbols.bases:
                base = self.resolve_base(reference)
                if base is not None:
                    resolved.setdefault(reference.user, {})[base] = None
        self._lineages.clear()
        self._found.clear()
        return {name: list(bases) for name, bases in resolved.items()}


def lineage(start: str, following: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Return `start` and all that follows from it, each before what follows from itself.

    Where that leaves a choice, the first named comes first, as in Python's own order of base
    classes. Circles are cut where they close. More than LINEAGE_COUNT_MAX count as none.

    >>> lineage("D", {"D": ["B", "C"], "B": ["A"], "C": ["A"]})
    ('D', 'B', 'C', 'A')
    """
    finished: list[str] = []
    seen = {start}
    pending: list[tuple[str, Iterator[str]]] = [(start, reversed(following.get(start, [])))]
    while pending:
        name, rest = pending[-1]
        successor = next((each for each in rest if each not in seen), None)
        if successor is None:
            finished.append(name)
            pending.pop()
            continue
        if len(seen) > LINEAGE_COUNT_MAX:
            return (start,)
        seen.add(successor)
        pending.append((successor, reversed(following.get(successor, []))))
    assert len(finished) == len(seen)
    return tuple(reversed(finished))


def _outside(name: str) -> Origin | None:
    return Origin("path", name) if len(name) <= NAME_LENGTH_MAX else None


def _running_name(module: str) -> str:
    """Return `module` under the name that the running interpreter has for it."""
    return os.path.__name__ if module == "os.path" else module
