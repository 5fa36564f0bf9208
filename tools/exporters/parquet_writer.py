"""Writing Parquet: rows are held until they are a batch, then written as one row group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, Final, TypeVar

from lithograph import Edge, Node
from lithograph.tools.importers.arrow import parquet

_BATCH_ROWS: Final = 16_384
_BATCH_BYTES: Final = 8 * 2**20

Item = TypeVar("Item")


def write_nodes(nodes: Iterable[Node], file: BinaryIO) -> None:
    """Write a table of nodes, in bounded memory."""
    import pyarrow as arrow

    schema = arrow.schema(
        [
            ("name", arrow.string()),
            ("type", arrow.string()),
            ("observations", arrow.list_(arrow.string())),
            ("properties", arrow.string()),
            ("created_at", arrow.timestamp("us", "UTC")),
        ]
    )

    def row(node: Node) -> list[Any]:
        properties = json.dumps(node.properties, ensure_ascii=False)
        return [node.name, node.type, node.observations, properties, node.created_at]

    _write(schema, nodes, row, file)


def write_edges(edges: Iterable[Edge], file: BinaryIO) -> None:
    """Write a table of edges, in bounded memory."""
    import pyarrow as arrow

    time = arrow.timestamp("us", "UTC")
    texts = ("source", "type", "target", "key", "properties")
    schema = arrow.schema(
        [(name, arrow.string()) for name in texts]
        + [(name, time) for name in ("valid_from", "valid_to", "created_at")]
    )

    def row(edge: Edge) -> list[Any]:
        properties = json.dumps(edge.properties, ensure_ascii=False)
        ends = [edge.source, edge.type, edge.target, edge.key]
        return [*ends, properties, edge.valid_from, edge.valid_to, edge.created_at]

    _write(schema, edges, row, file)


def _size_of(cell: Any) -> int:
    """Return about how many bytes a cell takes."""
    return (
        sum(map(_size_of, cell))
        if isinstance(cell, tuple)
        else len(cell)
        if isinstance(cell, str)
        else 8
    )


def _write(
    schema: Any, items: Iterable[Item], row: Callable[[Item], list[Any]], file: BinaryIO
) -> None:
    import pyarrow as arrow

    with parquet().ParquetWriter(file, schema, compression="zstd") as writer:
        held: list[list[Any]] = []
        size = 0

        def flush() -> None:
            columns = [
                arrow.array(list(column), field.type)
                for column, field in zip(zip(*held, strict=True), schema, strict=True)
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
            held.clear()

        for item in items:
            cells = row(item)
            held.append(cells)
            size += sum(_size_of(cell) for cell in cells)
            if len(held) >= _BATCH_ROWS or size >= _BATCH_BYTES:
                flush()
                size = 0
        if held:
            flush()
