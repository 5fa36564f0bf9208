"""Which columns a CSV file needs, and how each value is written so that it comes back.

A first pass over the graph collects the keys of properties and what their values are; a second one
writes. The title of a column is what `importers.csv_header` reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from lithograph.errors import InvalidArgumentError

COLUMNS_MAX: Final = 10_000
"""Different keys of properties. More are no table any more; JSON lines hold them."""

ARRAY_DELIMITER: Final = ";"

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class PropertyColumns:
    """The columns of the properties of many nodes, or of many edges."""

    def __init__(self) -> None:
        self._types: dict[str, str] = {}

    def see(self, properties: dict[str, Any]) -> None:
        """Take account of one map.

        Raises
        ------
        InvalidArgumentError : there are too many different keys.
        """
        for key, value in properties.items():
            known = self._types.get(key)
            if known is None and len(self._types) == COLUMNS_MAX:
                raise InvalidArgumentError(
                    f"there are more than {COLUMNS_MAX:,} different keys of properties: that is no "
                    "table; export jsonl, or a part with --type or --prefix"
                )
            if known != "json":
                kind = _type_of(value)
                self._types[key] = kind if known in (None, kind) else "json"

    def columns(self) -> list[tuple[str, str, Callable[[Any], str]]]:
        """Return (key, title, how to write a value) for each column, ordered by key."""
        return [(key, f"{key}:{kind}", _WRITERS[kind]) for key, kind in sorted(self._types.items())]


class TextsColumn:
    """The column of observations: a plain list while no text holds the delimiter."""

    def __init__(self) -> None:
        self._is_used = False
        self._is_plain = True

    def see(self, texts: tuple[str, ...]) -> None:
        """Take account of the texts of one node."""
        if texts:
            self._is_used = True
            self._is_plain = self._is_plain and _is_plain_list(texts)

    def title(self) -> str | None:
        """Return the title, None where no column is needed."""
        if not self._is_used:
            return None
        return ":OBSERVATIONS" if self._is_plain else ":OBSERVATIONS(json)"

    def write(self, texts: tuple[str, ...]) -> str:
        if not texts:
            return ""
        return ARRAY_DELIMITER.join(texts) if self._is_plain else _encode(texts)


def _type_of(value: Any) -> str:
    """Return the type of the column that a value would have alone."""
    kind = type(value)
    if kind is str:
        return "string" if value else "json"  # An empty cell says nothing.
    if kind is list and _is_plain_list(value):
        return "string[]"
    return {int: "long", float: "double", bool: "boolean"}.get(kind, "json")


def _is_plain_list(values: Iterable[Any]) -> bool:
    """Return whether values are texts that a delimiter keeps apart, and not no cell at all."""
    texts = list(values)
    return all(
        type(text) is str and ARRAY_DELIMITER not in text for text in texts
    ) and texts not in ([], [""])


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "string": str,
    "long": str,
    "double": repr,
    "boolean": lambda value: "true" if value else "false",
    "string[]": ARRAY_DELIMITER.join,
    "json": _encode,
}
