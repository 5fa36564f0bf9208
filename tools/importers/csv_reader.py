"""CSV files of nodes and edges, row by row.

Promises:

1. Memory is bounded: a record holds at most `LINE_SIZE_MAX` bytes, and what is longer is set aside.
2. Every record becomes a row or is set aside with the line that it begins on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, Final

from lithograph.errors import InvalidArgumentError
from lithograph.tools.importers.csv_header import Column, is_of_edges, parse_header
from lithograph.tools.importers.input_file import LINE_SIZE_MAX, InputFile, LongLine
from lithograph.tools.importers.rows import (
    EdgeRow,
    NodeRow,
    Reject,
    Row,
    checked_edge,
    checked_node,
)
from lithograph.tools.progress import Report

_BOM: Final = "\ufeff"


class CsvFile:
    """One file, its header read.

    Attributes
    ----------
    file : the input.   columns : what the header says.
    """

    def __init__(self, file: InputFile, delimiter: str, array_delimiter: str) -> None:
        """Read the header.

        Raises
        ------
        InvalidArgumentError : it is none; the message names the file.
        """
        self.file = file
        self._delimiter = delimiter
        self._array_delimiter = array_delimiter
        # The module has one limit for all readers; this is the only one that a tool has.
        csv.field_size_limit(LINE_SIZE_MAX)
        try:
            for _, cells, reason in self._records(lambda done, total: None):
                if cells is None:
                    raise InvalidArgumentError(reason)
                self.columns = parse_header(cells, array_delimiter)
                break
            else:
                raise InvalidArgumentError("the file is empty: it needs a header, such as name:ID")
        except InvalidArgumentError as error:
            raise InvalidArgumentError(f"{file.name}: {error}") from None

    @property
    def of_edges(self) -> bool:
        return is_of_edges(self.columns)

    def rows(self, report: Report) -> Iterator[Row]:
        """Yield a row for each record behind the header, or what is wrong with it."""
        records = self._records(report)
        next(records)
        read = self._edge if self.of_edges else self._node
        for source, cells, reason in records:
            if cells is None:
                yield source.reject(reason)
            elif cells:
                try:
                    if len(cells) != len(self.columns):
                        raise InvalidArgumentError(
                            f"{len(cells)} cells, the header has {len(self.columns)}"
                        )
                    yield read(source, cells)
                except InvalidArgumentError as error:
                    yield source.reject(str(error))

    def _records(self, report: Report) -> Iterator[tuple[_Source, list[str] | None, str]]:
        """Yield (where it stands, cells or None, what is wrong) for each record."""
        source = _Source(self.file, report)
        reader = csv.reader(source, delimiter=self._delimiter, strict=True)
        while True:
            source.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield source, None, f"not CSV: {error}"
                continue
            if source.flaw:
                yield source, None, source.flaw
            else:
                yield source, cells, ""

    def _node(self, source: _Source, cells: list[str]) -> NodeRow:
        fields, properties = self._values(cells)
        type_name = fields.get("TYPE")
        if labels := fields.get("LABEL"):
            names = labels.split(self._array_delimiter)
            type_name = names[0]
            if len(names) > 1 and properties.setdefault("labels", names) != names:
                raise InvalidArgumentError("several labels, and a property of the name 'labels'")
        return checked_node(
            NodeRow(
                source.line,
                fields.get("ID", ""),
                type_name,
                tuple(fields["OBSERVATIONS"]) if "OBSERVATIONS" in fields else None,
                properties or None,
                fields.get("CREATED_AT"),
                source.size,
            )
        )

    def _edge(self, source: _Source, cells: list[str]) -> EdgeRow:
        fields, properties = self._values(cells)
        return checked_edge(
            EdgeRow(
                source.line,
                fields.get("START_ID", ""),
                fields.get("TYPE", ""),
                fields.get("END_ID", ""),
                fields.get("KEY", ""),
                properties or None,
                fields.get("VALID_FROM"),
                fields.get("VALID_TO"),
                fields.get("CREATED_AT"),
                source.size,
            )
        )

    def _values(self, cells: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return fields and properties; an empty cell says nothing."""
        fields: dict[str, Any] = {}
        properties: dict[str, Any] = {}
        for column, cell in zip(self.columns, cells, strict=True):
            if cell == "" or column.field == "IGNORE":
                continue
            value = column.value(cell)
            if not column.field:
                properties[column.name] = value
            else:
                fields[column.field] = _in_space(column, value)
        return fields, properties


def _in_space(column: Column, value: Any) -> Any:
    return f"{column.space}:{value}" if column.space else value


class _Source:
    """The lines of a file for csv.reader, and those that made the record it read last.

    Attributes
    ----------
    line : the first line of the record.   size : its bytes.
    flaw : why the record cannot be read, "" where it can.
    """

    def __init__(self, file: InputFile, report: Report) -> None:
        self._name = file.name
        self._lines = file.lines(report)
        self._kept: list[bytes] = []
        self.line = 0
        self.size = 0
        self.flaw = ""

    def begin(self) -> None:
        """Forget the record before."""
        self._kept.clear()
        self.line = self.size = 0
        self.flaw = ""

    def reject(self, reason: str) -> Reject:
        return Reject(self.line, reason, b"\n".join(self._kept), self._name)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        if not self._kept:
            self.line = number
        self._kept.append(line)
        self.size += len(line) + 1
        if isinstance(line, LongLine):
            self.flaw = f"longer than {LINE_SIZE_MAX:,} bytes, the limit of a line"
            return "\n"
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            self.flaw = f"not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}"
            text = line.decode(errors="replace")
        if number == 1:
            text = text.removeprefix(_BOM)
        return text + "\n"
