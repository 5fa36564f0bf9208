"""Scopes of Python source: which names are bound where, and what each stands for.

Promises:

1. A name is looked up as the compiler would: in the function, the functions around it, the module;
   in a class body only by the code of the body itself.
2. A name that a function binds in two ways (import and assignment, say) stands for nothing known.
3. Lookup costs at most `SCOPE_DEPTH_MAX` steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from lithograph.tools.importers.python_syntax import UnreadableSourceError

SCOPE_DEPTH_MAX = 100
"""Scopes inside each other; the compiler's own limit on indentation is 100 levels."""

OriginKind: TypeAlias = Literal["path", "member", "free", "instance", "parents", "unknown"]
ScopeKind: TypeAlias = Literal["module", "class", "function", "comprehension"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a name stands for, as far as its own module tells.

    kind : "path", the module or definition `path`; "member", what `name` is in module `path`;
        "free", the same where `name` is bound nowhere in sight, so that it may be a builtin;
        "instance", an instance of class `path`; "parents", the bases of class `path`; "unknown",
        what only running the program would tell.
    """

    kind: OriginKind
    path: str = ""
    name: str = ""


UNKNOWN = Origin("unknown")


class Scope:
    """Where names are bound: a module, class, function (or lambda), or comprehension.

    path : dotted name of the definition, or of the nearest one around a lambda or comprehension.
    user : dotted name of what runs the code here; a class body is run by what is around it.
    bindings : what each name stands for; complete when the whole module has been walked.
    globals : names that the function or class declares to be the module's.
    """

    __slots__ = ("bindings", "depth", "globals", "kind", "parent", "path", "user")

    def __init__(self, kind: ScopeKind, path: str, user: str, parent: Scope | None) -> None:
        self.kind = kind
        self.path = path
        self.user = user
        self.parent = parent
        self.bindings: dict[str, Origin] = {}
        self.globals: set[str] = set()
        self.depth: int = 0 if parent is None else parent.depth + 1
        if self.depth > SCOPE_DEPTH_MAX:
            raise UnreadableSourceError("too deeply nested")

    def bind(self, name: str, origin: Origin) -> None:
        """Let `name` stand for `origin` from here on, or for nothing known if that is ambiguous."""
        scope = self._home(name)
        known = scope.bindings.setdefault(name, origin)
        if known is origin:
            return
        if scope.kind in ("module", "class"):
            # A fallback (`except ImportError: loads = None`) does not hide what it stands in for,
            # nor an import (`from _json import loads`) the definition that it speeds up.
            own = f"{scope.path}.{name}"
            if known is UNKNOWN or (origin.path == own and known.path != own):
                scope.bindings[name] = origin
        elif origin is UNKNOWN or known.kind == "instance":
            scope.bindings[name] = UNKNOWN

    def find(self, name: str) -> Origin | None:
        """Return what `name` stands for in the code of this scope; None when nothing binds it."""
        scope: Scope | None = self._home(name)
        while scope is not None:
            if scope.kind != "class" or scope is self:
                origin = scope.bindings.get(name)
                if origin is not None:
                    return origin
            scope = scope.parent
        return None

    def enclosing_class(self) -> str | None:
        """Return the dotted name of the class whose body, or method, this scope is in."""
        scope: Scope | None = self
        while scope is not None and scope.kind != "class":
            scope = scope.parent
        return None if scope is None else scope.path

    def _home(self, name: str) -> Scope:
        """Return the module's scope for a name declared `global`, else this one."""
        scope = self
        if name in self.globals:
            while scope.parent is not None:
                scope = scope.parent
        return scope
