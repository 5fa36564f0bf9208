"""The walk over one syntax tree that gathers the symbols of its module.

Promises:

1. The walk uses a stack of its own, and is linear in the size of the syntax tree.
2. Names are looked up after the walk, when every scope is complete.
3. No dotted name is longer than `NAME_LENGTH_MAX`, so nested long names cannot fill the memory.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

from lithograph.tools.importers.python_modules import SourceFile
from lithograph.tools.importers.python_scopes import UNKNOWN, Origin, Scope
from lithograph.tools.importers.python_symbols import (
    NAME_LENGTH_MAX,
    Definition,
    ModuleSymbols,
    Reference,
)
from lithograph.tools.importers.python_syntax import (
    FunctionNode,
    UnreadableSourceError,
    children,
    is_class_method,
    is_static_method,
    literal_names,
    parameter_names,
    split_dotted,
    type_parameter_names,
)


def read_symbols(source: SourceFile, tree: ast.Module) -> ModuleSymbols:
    """Return the symbols of the module `source`, whose syntax tree is `tree`.

    Raises
    ------
    UnreadableSourceError : a dotted name is longer than NAME_LENGTH_MAX, or scopes are too deep.
    """
    reader = _Reader(source)
    reader.walk(tree)
    reader.look_up()
    return reader.symbols


_Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
# A dotted expression: its first name ("" for a call of super) and the attributes after it.
_Dotted: TypeAlias = tuple[str, tuple[str, ...]]


class _Reader:
    """Walks one syntax tree in source order; scopes are complete when the walk is over."""

    def __init__(self, source: SourceFile) -> None:
        self.symbols = ModuleSymbols(source)
        self._module = Scope("module", source.module, source.module, None)
        self._pending: list[tuple[ast.AST, Scope]] = []
        self._bases: list[tuple[Scope, str, _Dotted, int]] = []
        self._calls: list[tuple[Scope, str, _Dotted, int]] = []
        # The module rebinds or extends its __all__, so that one literal does not tell it.
        self._exports_are_open = False

    def walk(self, tree: ast.Module) -> None:
        self.symbols.members[self._module.path] = self._module.bindings
        self._push(tree.body, self._module)
        pending = self._pending
        while pending:
            node, scope = pending.pop()
            handler = _HANDLERS.get(type(node))
            if handler is None:
                self._push(children(node), scope)
            else:
                handler(self, node, scope)

    def look_up(self) -> None:
        """Turn the expressions met on the walk into references."""
        if self._exports_are_open:
            self.symbols.exports = None
        for found, references in (
            (self._bases, self.symbols.bases),
            (self._calls, self.symbols.calls),
        ):
            for scope, user, (head, attributes), line in found:
                origin = self._origin(scope, head)
                if origin is not UNKNOWN:
                    references.append(Reference(user, origin, attributes, line))

    def _origin(self, scope: Scope, head: str) -> Origin:
        if not head:
            enclosing = scope.enclosing_class()
            is_builtin = scope.find("super") is None
            return Origin("parents", enclosing) if enclosing and is_builtin else UNKNOWN
        return scope.find(head) or Origin("free", self._module.path, head)

    def _push(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        """Let `nodes` be the next to be walked, first one first."""
        self._pending.extend([(node, scope) for node in nodes][::-1])

    # Definitions.

    def _define(
        self, node: FunctionNode | ast.ClassDef, scope: Scope, kind: Literal["class", "function"]
    ) -> str:
        name = _checked(f"{scope.path}.{node.name}")
        shown = "method" if kind == "function" and scope.kind == "class" else kind
        definition = Definition(name, shown, node.lineno, scope.path)
        self.symbols.definitions.setdefault(name, definition)
        scope.bind(node.name, Origin("path", name))
        return name

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        # `class Parser(Parser)` extends what it then takes the name of.
        before = scope.find(node.name)
        name = self._define(node, scope, "class")
        inner = Scope("class", name, scope.user, scope)
        # A second definition of the class adds to the first one's members.
        inner.bindings = self.symbols.members.setdefault(name, inner.bindings)
        for parameter in type_parameter_names(node):
            inner.bind(parameter, UNKNOWN)
        for base in node.bases:
            # `Generic[T]` inherits from what is before the bracket.
            while isinstance(base, ast.Subscript):
                base = base.value
            head, attributes = split_dotted(base)
            if not isinstance(head, ast.Name):
                continue
            if head.id == node.name and before is not None:
                reference = Reference(name, before, attributes, base.lineno)
                self.symbols.bases.append(reference)
            else:
                self._bases.append((scope, name, (head.id, attributes), base.lineno))
        self._push(node.body, inner)
        self._push([*node.decorator_list, *node.bases, *node.keywords], scope)

    def _function(self, node: FunctionNode, scope: Scope) -> None:
        name = self._define(node, scope, "function")
        inner = Scope("function", name, name, scope)
        for parameter in type_parameter_names(node):
            inner.bind(parameter, UNKNOWN)
        first = _self_origin(node, scope)
        for parameter in parameter_names(node.args):
            inner.bind(parameter, first)
            first = UNKNOWN
        self._push(node.body, inner)
        # Decorators, defaults and annotations are evaluated outside.
        returns = [] if node.returns is None else [node.returns]
        self._push([*node.decorator_list, node.args, *returns], scope)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        inner = Scope("function", scope.path, scope.user, scope)
        for parameter in parameter_names(node.args):
            inner.bind(parameter, UNKNOWN)
        self._push([node.body], inner)
        self._push([node.args], scope)

    def _comprehension(self, node: _Comprehension, scope: Scope) -> None:
        inner = Scope("comprehension", scope.path, scope.user, scope)
        first, *others = node.generators
        values = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._push([first.target, *first.ifs, *others, *values], inner)
        # The first iterable is evaluated outside.
        self._push([first.iter], scope)

    # Imports.

    def _import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            origin = Origin("path", _checked(alias.name))
            self.symbols.imports.append(Reference(self._module.path, origin, (), node.lineno))
            if alias.asname is not None:
                scope.bind(alias.asname, origin)
            else:
                first = alias.name.partition(".")[0]
                scope.bind(first, Origin("path", first))

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        module = self._imported_module(node)
        user = self._module.path
        if module:
            origin = Origin("path", _checked(module))
            self.symbols.imports.append(Reference(user, origin, (), node.lineno))
        for alias in node.names:
            if alias.name == "*":
                self.symbols.stars.extend([module] if module else [])
                continue
            if module is None:
                origin = UNKNOWN
            else:
                _checked(f"{module}.{alias.name}")
                # A top-level module's sibling is in no package.
                origin = (
                    Origin("member", module, alias.name) if module else Origin("path", alias.name)
                )
                self.symbols.imports.append(Reference(user, origin, (), node.lineno))
            scope.bind(alias.asname or alias.name, origin)

    def _imported_module(self, node: ast.ImportFrom) -> str | None:
        """Return the absolute name; "" for top-level siblings, None above the top-level package."""
        if node.level == 0:
            return node.module
        package = self.symbols.source.package
        parts = package.split(".") if package else []
        up_count = node.level - 1
        if up_count > 0 and up_count >= len(parts):
            return None
        kept = parts[: len(parts) - up_count]
        return ".".join([*kept, node.module] if node.module else kept)

    # Other bindings.

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if not isinstance(node.ctx, ast.Load):
            scope.bind(node.id, UNKNOWN)

    def _named_expression(self, node: ast.NamedExpr, scope: Scope) -> None:
        home = scope
        while home.kind == "comprehension" and home.parent is not None:
            home = home.parent
        home.bind(node.target.id, UNKNOWN)
        self._push([node.value], scope)

    def _captured(
        self,
        node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar | ast.MatchMapping,
        scope: Scope,
    ) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name is not None:
            scope.bind(name, UNKNOWN)
        self._push(children(node), scope)

    def _global(self, node: ast.Global, scope: Scope) -> None:
        scope.globals.update(node.names)

    def _nonlocal(self, node: ast.Nonlocal, scope: Scope) -> None:
        # Declared because it is bound again: ambiguous.
        for name in node.names:
            scope.bind(name, UNKNOWN)

    def _assign(self, node: ast.Assign | ast.AugAssign, scope: Scope) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if scope is self._module and isinstance(target, ast.Name) and target.id == "__all__":
                names = literal_names(node.value) if isinstance(node, ast.Assign) else None
                self._exports_are_open |= names is None or self.symbols.exports is not None
                self.symbols.exports = names
        self._push(children(node), scope)

    # Calls.

    def _call(self, node: ast.Call, scope: Scope) -> None:
        head, attributes = split_dotted(node.func)
        if isinstance(head, ast.Name):
            self._calls.append((scope, scope.user, (head.id, attributes), node.lineno))
        else:
            if attributes and _is_super(head, scope):
                self._calls.append((scope, scope.user, ("", attributes), node.lineno))
            self._push([head], scope)
        self._push([*node.args, *node.keywords], scope)


_HANDLERS: dict[type[ast.AST], Callable[[_Reader, Any, Scope], None]] = {
    ast.ClassDef: _Reader._class,
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.Lambda: _Reader._lambda,
    ast.ListComp: _Reader._comprehension,
    ast.SetComp: _Reader._comprehension,
    ast.GeneratorExp: _Reader._comprehension,
    ast.DictComp: _Reader._comprehension,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import_from,
    ast.Name: _Reader._name,
    ast.NamedExpr: _Reader._named_expression,
    ast.ExceptHandler: _Reader._captured,
    ast.MatchAs: _Reader._captured,
    ast.MatchStar: _Reader._captured,
    ast.MatchMapping: _Reader._captured,
    ast.Global: _Reader._global,
    ast.Nonlocal: _Reader._nonlocal,
    ast.Assign: _Reader._assign,
    ast.AugAssign: _Reader._assign,
    ast.Call: _Reader._call,
}


def _self_origin(node: FunctionNode, scope: Scope) -> Origin:
    """Return what the first parameter of the function `node`, defined in `scope`, stands for."""
    if scope.kind != "class" or is_static_method(node):
        return UNKNOWN
    positional = node.args.posonlyargs or node.args.args
    if not positional:
        return UNKNOWN
    return Origin("path" if is_class_method(node) else "instance", scope.path)


def _is_super(head: ast.expr, scope: Scope) -> bool:
    """Return whether `head` is `super()`, or `super(Own, self)` with the class it is in."""
    if not (isinstance(head, ast.Call) and isinstance(head.func, ast.Name)):
        return False
    if head.func.id != "super" or not head.args:
        return head.func.id == "super"
    own = head.args[0]
    enclosing = (scope.enclosing_class() or "").rpartition(".")[2]
    return isinstance(own, ast.Name) and own.id == enclosing


def _checked(name: str) -> str:
    if len(name) > NAME_LENGTH_MAX:
        raise UnreadableSourceError(f"a dotted name is longer than {NAME_LENGTH_MAX} characters")
    return name
