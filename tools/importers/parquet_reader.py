"""Parquet files as rows: the columns of `Graph.bulk_load`, and any others as properties.

Promises:

1. A file is read in batches of `_BATCH_ROWS` rows; memory does not grow with its length.
2. A row whose values a store cannot hold is set aside alone, with its number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from lithograph.errors import InvalidArgumentError, StorageError
from lithograph.tools.importers.arrow import parquet
from lithograph.tools.importers.rows import (
    EdgeRow,
    NodeRow,
    Reject,
    Row,
    checked_edge,
    checked_node,
)
from lithograph.tools.progress import Report

_BATCH_ROWS: Final = 4_096

_NODE_COLUMNS: Final = ("name", "type", "observations", "properties", "created_at")
_EDGE_COLUMNS: Final = (
    "source",
    "type",
    "target",
    "key",
    "properties",
    "valid_from",
    "valid_to",
    "created_at",
)

Values = dict[str, Any]


class ParquetFiles:
    """Files of nodes and files of edges, opened; a context manager.

    Raises
    ------
    InvalidArgumentError : pyarrow is not installed.
    StorageError : a file cannot be read, is no Parquet, or lacks a column.
    """

    def __init__(self, nodes: list[str], edges: list[str]) -> None:
        self._files: list[tuple[str, Any, Callable[[int, int, Values], Row]]] = []
        try:
            for path in nodes:
                self._open(path, ("name",), _node)
            for path in edges:
                self._open(path, ("source", "target"), _edge)
        except BaseException:
            self.close()
            raise

    def rows(self, report: Report) -> Iterator[Row]:
        """Yield the nodes, then the edges, in the order of the files."""
        total = sum(Path(path).stat().st_size for path, _, _ in self._files)
        done = 0
        for path, file, make in self._files:
            size = Path(path).stat().st_size
            count, number = max(file.metadata.num_rows, 1), 0
            for values, weight in _batches(path, file):
                for row in values:
                    number += 1
                    yield _row(make, number, weight, row)
                report(done + size * min(number, count) // count, total)
            done += size

    def _open(self, path: str, wanted: tuple[str, ...], make: Any) -> None:
        module = parquet()
        try:
            file = module.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot read {path} as Parquet: {_first_line(error)}") from error
        self._files.append((path, file, make))
        names = file.schema_arrow.names
        missing = [column for column in wanted if column not in names]
        if missing:
            raise StorageError(
                f"{path} has no column {missing[0]!r}; it has {', '.join(map(repr, names[:20]))}"
            )
        if len(set(names)) != len(names):
            raise StorageError(f"{path} has two columns of one name")

    def close(self) -> None:
        for _, file, _ in self._files:
            file.close()

    def __enter__(self) -> ParquetFiles:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _batches(path: str, file: Any) -> Iterator[tuple[list[Values], int]]:
    """Yield rows, and the bytes that one of them takes on average."""
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            values = _to_microseconds(batch).to_pylist()
            yield values, max(batch.nbytes // max(len(values), 1), 1)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {_first_line(error)}") from error


def _to_microseconds(batch: Any) -> Any:
    """Return the batch with times as exact as Python has them."""
    import pyarrow as arrow

    for place, field in enumerate(batch.schema):
        if arrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            wanted = arrow.timestamp("us", field.type.tz)
            column = batch.column(place).cast(wanted, safe=False)
            batch = batch.set_column(place, field.with_type(wanted), column)
    return batch


def _row(make: Callable[[int, int, Values], Row], number: int, size: int, values: Values) -> Row:
    try:
        return make(number, size, values)
    except InvalidArgumentError as error:
        return Reject(number, str(error), json.dumps(values, default=repr, ensure_ascii=False))


def _node(number: int, size: int, values: Values) -> NodeRow:
    return checked_node(
        NodeRow(
            number,
            _text(values, "name") or "",
            _text(values, "type"),
            _texts(values),
            _properties(values, _NODE_COLUMNS),
            _time(values, "created_at"),
            size,
        )
    )


def _edge(number: int, size: int, values: Values) -> EdgeRow:
    return checked_edge(
        EdgeRow(
            number,
            _text(values, "source") or "",
            _text(values, "type") or "",
            _text(values, "target") or "",
            _text(values, "key") or "",
            _properties(values, _EDGE_COLUMNS),
            _time(values, "valid_from"),
            _time(values, "valid_to"),
            _time(values, "created_at"),
            size,
        )
    )


def _text(values: Values, column: str) -> str | None:
    """Return a text; numbers are one too, for they are what many files have for names."""
    found = values.get(column)
    if type(found) is int:
        return str(found)
    if found is not None and not isinstance(found, str):
        raise InvalidArgumentError(f"the {column} is {found!r:.60}, which is no text")
    return found


def _texts(values: Values) -> tuple[str, ...] | None:
    found = values.get("observations")
    if found is None:
        return None
    if isinstance(found, str):
        return (found,)
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise InvalidArgumentError(f"the observations are {found!r:.60}, which is no list of texts")
    return tuple(found)


def _time(values: Values, column: str) -> datetime | None:
    found = values.get(column)
    if isinstance(found, str):
        with suppress(ValueError):
            found = datetime.fromisoformat(found)
    if found is None:
        return None
    if not isinstance(found, datetime):
        raise InvalidArgumentError(f"{column} is {found!r:.60}, which is no time")
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _properties(values: Values, columns: tuple[str, ...]) -> Values | None:
    """Return what the column "properties" holds, as JSON or a map, and all unknown columns."""
    found = values.get("properties")
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            raise InvalidArgumentError(f"the properties are {found!r:.60}, no JSON") from None
    if isinstance(found, list):
        # A map of Arrow: a list of pairs.
        found = dict(found) if all(isinstance(pair, tuple) for pair in found) else found
    if found is not None and not isinstance(found, dict):
        raise InvalidArgumentError(f"the properties are {found!r:.60}, which is no map")
    properties = {} if found is None else _plain(found, "properties")
    for column, value in values.items():
        if column not in columns and value is not None:
            properties[column] = _plain(value, column)
    return properties or None


def _plain(value: Any, column: str) -> Any:
    """Return a value of Arrow as a property: times and decimals are texts."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, list):
        return [_plain(item, column) for item in value]
    if isinstance(value, tuple):
        return [_plain(item, column) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, column) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidArgumentError(
        f"the column {column!r} holds a {type(value).__name__}, which cannot be stored"
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
