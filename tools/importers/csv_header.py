"""The header of a CSV file of nodes or edges: what each column is, in both directions.

The conventions are those of Neo4j's admin import: `name:type` is a property, `:ID`, `:LABEL`,
`:START_ID`, `:END_ID` and `:TYPE` are fields. Fields of a store that those do not know have names
of the same kind; the type `json` holds what no other type can.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.jsonl_lines import decode_json
from lithograph.tools.importers.rejects import shown
from lithograph.tools.importers.unix_times import from_json

NODE_FIELDS: Final = ("ID", "LABEL", "TYPE", "OBSERVATIONS", "CREATED_AT", "IGNORE")
EDGE_FIELDS: Final = (
    *("START_ID", "END_ID", "TYPE", "KEY", "VALID_FROM", "VALID_TO", "CREATED_AT", "IGNORE"),
)
TIMES: Final = ("CREATED_AT", "VALID_FROM", "VALID_TO")
_FIELD: Final = re.compile(
    r"(?P<name>.*):(?P<field>[A-Z_]+)(\((?P<argument>[^()]*)\))?\Z", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    title : as in the header.
    field : one of the fields, "" for a property.
    name : of the property.   space : of ids, "" for none.
    parse : turns a cell that is not empty into a value; ValueError where it cannot.
    """

    title: str
    field: str
    name: str
    space: str
    parse: Callable[[str], Any]

    def value(self, cell: str) -> Any:
        """Return what a cell that is not empty holds.

        Raises
        ------
        InvalidArgumentError : it is not of the column's type.
        """
        try:
            return self.parse(cell)
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"column {self.title!r}: {error}") from None
        except ValueError as error:
            raise InvalidArgumentError(
                f"column {self.title!r}: {shown(cell)} is no {error}"
            ) from None


def parse_header(cells: list[str], array_delimiter: str) -> list[Column]:
    """Return the columns of a file.

    Raises
    ------
    InvalidArgumentError : a type is not known, a column stands twice, or the columns that make
        nodes or edges of the rows are missing.
    """
    columns = [_column(cell, array_delimiter) for cell in cells]
    seen: set[tuple[str, str]] = set()
    for column in columns:
        key = (column.field, column.name)
        if key in seen and column.field != "IGNORE":
            raise InvalidArgumentError(f"the header has {column.title!r} twice")
        seen.add(key)
    fields = {column.field for column in columns} - {""}
    is_edges = bool(fields & {"START_ID", "END_ID"})
    wanted = {"START_ID", "END_ID"} if is_edges else {"ID"}
    if not wanted <= fields:
        raise InvalidArgumentError(
            f"the header has no {' and '.join(f':{field}' for field in sorted(wanted - fields))}: "
            "nodes need a column such as name:ID, edges need :START_ID and :END_ID; found "
            f"{', '.join(shown(cell) for cell in cells[:12])}"
        )
    unknown = fields - set(EDGE_FIELDS if is_edges else NODE_FIELDS)
    if unknown:
        what = "edges" if is_edges else "nodes"
        raise InvalidArgumentError(f"the header has :{min(unknown)}, which {what} do not have")
    if {"LABEL", "TYPE"} <= fields:
        raise InvalidArgumentError("the header has :LABEL and :TYPE: a node has one type")
    return columns


def is_of_edges(columns: list[Column]) -> bool:
    return any(column.field == "START_ID" for column in columns)


def array_texts(cell: str, array_delimiter: str) -> list[str]:
    return cell.split(array_delimiter)


def _column(title: str, array_delimiter: str) -> Column:
    match = _FIELD.match(title)
    if match is not None and match["field"] in (*NODE_FIELDS, *EDGE_FIELDS):
        field = match["field"]
        parse: Callable[[str], Any] = str
        if field in TIMES:
            parse = _time
        elif field == "OBSERVATIONS":
            is_json = match["argument"] == "json"
            parse = _texts if is_json else lambda cell: array_texts(cell, array_delimiter)
        space = match["argument"] if field in ("ID", "START_ID", "END_ID") else None
        return Column(title, field, "", space or "", parse)
    name, colon, type_name = title.rpartition(":")
    if not colon:
        return Column(title, "", title, "", str)
    one = _PARSERS.get(type_name.removesuffix("[]").lower())
    if one is None:
        raise InvalidArgumentError(
            f"the header has {shown(title)}: {shown(type_name)} is no type; use "
            f"{', '.join(_PARSERS)}, or one of them with [] for lists"
        )
    if not type_name.endswith("[]"):
        return Column(title, "", name, "", one)
    return Column(
        title, "", name, "", lambda cell: [one(text) for text in array_texts(cell, array_delimiter)]
    )


def _int(text: str) -> int:
    if re.fullmatch(r"\s*[+-]?[0-9]{1,20}\s*", text) is None:
        raise ValueError("whole number")
    return int(text)


def _float(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("number") from None
    if not math.isfinite(value):
        raise ValueError("finite number")
    return value


def _boolean(text: str) -> bool:
    value = text.strip().lower()
    if value not in ("true", "false"):
        raise ValueError("boolean: use true or false")
    return value == "true"


def _json(text: str) -> Any:
    return decode_json(text)


def _texts(text: str) -> list[str]:
    value = decode_json(text)
    if type(value) is not list or not all(type(item) is str for item in value):
        raise ValueError("list of texts")
    return value


def _time(text: str) -> datetime:
    value: Any = text.strip()
    try:
        value = json.loads(value) if re.fullmatch(r"-?[0-9.]{1,30}", value) else value
    except ValueError:
        value = None
    time = from_json(value)
    if time is None:
        raise ValueError("time: use ISO 8601 with a zone, or unix seconds")
    return time


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "int": _int,
    "long": _int,
    "short": _int,
    "byte": _int,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "string": str,
    "char": str,
    "date": str,
    "datetime": str,
    "localdatetime": str,
    "time": str,
    "localtime": str,
    "duration": str,
    "point": str,
    "json": _json,
}
"""Types of properties. Those of times stay texts: a property has no type for them."""
