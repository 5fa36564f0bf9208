"""Nodes and edges as CSV: columns first, then rows; memory does not grow with the graph."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

from lithograph import Edge, Node
from lithograph.tools.exporters.csv_columns import ARRAY_DELIMITER, PropertyColumns, TextsColumn
from lithograph.tools.exporters.selection import Selection
from lithograph.tools.importers.jsonl_record import is_set

Cells = list[tuple[str, Callable[[Any], str]]]
"""Titles of columns, and how to write the cell of a node or an edge."""


def write_nodes(selection: Selection, file: BinaryIO) -> None:
    """Write the nodes, ordered by name."""
    properties, observations = PropertyColumns(), TextsColumn()
    labels = created = False
    with selection.uncounted():
        for node in selection.nodes():
            properties.see(node.properties)
            observations.see(node.observations)
            labels = labels or ARRAY_DELIMITER in node.type
            created = created or is_set(node)
    cells: Cells = [(":ID", lambda node: node.name)]
    cells.append((":TYPE" if labels else ":LABEL", lambda node: node.type))
    if (title := observations.title()) is not None:
        cells.append((title, lambda node: observations.write(node.observations)))
    if created:
        cells.append((":CREATED_AT", lambda node: _time(node.created_at if is_set(node) else None)))
    _write(file, cells, properties, selection.nodes())


def write_edges(selection: Selection, file: BinaryIO) -> None:
    """Write the edges, ordered by the name of their source."""
    properties = PropertyColumns()
    used = dict.fromkeys(_OPTIONAL, False)
    with selection.uncounted():
        for edge in selection.edges():
            properties.see(edge.properties)
            for title, cell in _OPTIONAL.items():
                used[title] = used[title] or cell(edge) != ""
    cells: Cells = [
        (":START_ID", lambda edge: edge.source),
        (":END_ID", lambda edge: edge.target),
        (":TYPE", lambda edge: edge.type),
        *((title, cell) for title, cell in _OPTIONAL.items() if used[title]),
    ]
    _write(file, cells, properties, selection.edges())


def _write(
    file: BinaryIO, cells: Cells, properties: PropertyColumns, items: Iterable[Node | Edge]
) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    try:
        # As RFC 4180 ends lines; and a cell with one of these characters is quoted.
        writer = csv.writer(text, lineterminator="\r\n")
        columns = properties.columns()
        writer.writerow([title for title, _ in cells] + [title for _, title, _ in columns])
        writer.writerows(_rows(cells, columns, items))
    finally:
        text.detach()


def _rows(
    cells: Cells, columns: list[tuple[str, str, Callable[[Any], str]]], items: Iterable[Node | Edge]
) -> Iterator[list[str]]:
    for item in items:
        values = item.properties
        yield [cell(item) for _, cell in cells] + [
            write(values[key]) if key in values else "" for key, _, write in columns
        ]


def _time(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(UTC).isoformat()


_OPTIONAL: dict[str, Callable[[Edge], str]] = {
    ":KEY": lambda edge: edge.key,
    ":VALID_FROM": lambda edge: _time(edge.valid_from),
    ":VALID_TO": lambda edge: _time(edge.valid_to),
    ":CREATED_AT": lambda edge: _time(edge.created_at if is_set(edge) else None),
}
