"""Syntax trees of Python files, and what is plain to see in one node of a tree.

Promises:

1. Nothing read is imported or executed, and nothing but a regular file is opened.
2. A file that cannot be read as Python is an `UnreadableSourceError`, whatever is wrong with it.
"""

from __future__ import annotations

import ast
import re
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

SOURCE_SIZE_BYTES_MAX = 4 * 2**20
"""A larger file is set aside: its syntax tree takes about a hundred times its size in memory."""

# The parser takes time quadratic in the parts of the dotted name of an imported module.
_ENDLESS_IMPORT = re.compile(
    rb"(?:\bimport\b|\bfrom\b|,)[\s\\.]*+(?:[\w\x80-\xff]++[\s\\]*+\.[\s\\]*+){1000}"
)

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

# Fields that never hold a node that binds or calls.
_PLAIN_FIELDS = frozenset({"attr", "ctx", "id", "kind", "op", "ops", "type_comment", "type_params"})

# Their first parameter is the class although nothing decorates them.
_CLASS_METHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})


class UnreadableSourceError(Exception):
    """The file is not Python that can be read; the message is the reason."""


def parse_source(path: Path) -> ast.Module:
    """Return the syntax tree of the file at `path`, in the encoding that the file declares.

    Raises
    ------
    UnreadableSourceError : not a regular file, unreadable, too large, no Python of this
        interpreter's version, undecodable, or too deeply nested for its parser.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableSourceError("not a regular file")
        if status.st_size > SOURCE_SIZE_BYTES_MAX:
            raise UnreadableSourceError(f"larger than {SOURCE_SIZE_BYTES_MAX} bytes")
        content = path.read_bytes()
        if _ENDLESS_IMPORT.search(content):
            raise UnreadableSourceError("an imported module's name has more than 1000 parts")
        with warnings.catch_warnings():
            # What the compiler thinks of other people's escapes is no news about this program.
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except OSError as error:
        raise UnreadableSourceError(error.strerror or str(error)) from error
    except SyntaxError as error:
        where = f" on line {error.lineno}" if error.lineno else ""
        raise UnreadableSourceError(printable(f"syntax error{where}: {error.msg}")) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableSourceError("too deeply nested") from error
    except (ValueError, LookupError) as error:
        # NUL bytes, and codecs that fail in their own way.
        raise UnreadableSourceError(printable(str(error))) from error


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes right below `node`, in the order of its fields."""
    found: list[ast.AST] = []
    for name in node._fields:
        if name in _PLAIN_FIELDS:
            continue
        value = getattr(node, name, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            # A dict display has None where it unpacks another.
            found.extend(item for item in value if isinstance(item, ast.AST))
    return found


def split_dotted(expression: ast.expr) -> tuple[ast.expr, tuple[str, ...]]:
    """Return the expression before the first dot, and the attributes after it.

    >>> head, attributes = split_dotted(ast.parse("os.path.join", mode="eval").body)
    >>> (ast.unparse(head), attributes)
    ('os', ('path', 'join'))
    """
    attributes: list[str] = []
    while isinstance(expression, ast.Attribute):
        attributes.append(expression.attr)
        expression = expression.value
    return expression, tuple(reversed(attributes))


def parameter_names(arguments: ast.arguments) -> list[str]:
    """Return the names that a call binds; the first positional one, if any, comes first."""
    positional = [*arguments.posonlyargs, *arguments.args]
    rest = [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    return [each.arg for each in (*positional, *rest, *arguments.kwonlyargs)]


def type_parameter_names(node: FunctionNode | ast.ClassDef) -> Iterator[str]:
    """Yield the names between the brackets after the definition's own; none before Python 3.12."""
    for parameter in getattr(node, "type_params", ()):
        yield parameter.name


def is_static_method(node: FunctionNode) -> bool:
    """Return whether the method `node` is given neither instance nor class."""
    return _has_decorator(node, "staticmethod")


def is_class_method(node: FunctionNode) -> bool:
    """Return whether the first parameter of the method `node` is the class."""
    return node.name in _CLASS_METHODS or _has_decorator(node, "classmethod")


def literal_names(expression: ast.expr) -> frozenset[str] | None:
    """Return the strings of a list or tuple of nothing else; None for any other expression."""
    if not isinstance(expression, ast.List | ast.Tuple):
        return None
    names: set[str] = set()
    for item in expression.elts:
        if not isinstance(item, ast.Constant) or not isinstance(item.value, str):
            return None
        names.add(item.value)
    return frozenset(names)


def printable(text: str) -> str:
    """Return `text` with what UTF-8 cannot hold written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _has_decorator(node: FunctionNode, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in node.decorator_list)
