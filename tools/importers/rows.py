"""What every importer reads its source into: rows, and lines that are set aside.

Promises:

1. A row that a reader yields was checked by `checked_node` or `checked_edge`: the store takes it.
2. A field that is None says nothing; what the store holds of it stays.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lithograph.errors import InvalidArgumentError
from lithograph.formats.moment import encode_moment
from lithograph.formats.properties import encode_properties
from lithograph.formats.text import check_name, check_short_text, check_texts


class NodeRow(msgspec.Struct, frozen=True, gc=False):
    """A node as a source describes it.

    line : where it stands, from 1. size : bytes that it takes in the source, which is what batches
    are measured by.
    """

    line: int
    name: str
    type: str | None = None
    observations: tuple[str, ...] | None = None
    properties: dict[str, Any] | None = None
    created_at: datetime | None = None
    size: int = 0


class EdgeRow(msgspec.Struct, frozen=True, gc=False):
    """An edge as a source describes it; `line` and `size` as in `NodeRow`."""

    line: int
    source: str
    type: str
    target: str
    key: str = ""
    properties: dict[str, Any] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    created_at: datetime | None = None
    size: int = 0


class Reject(msgspec.Struct, frozen=True):
    """A line that is no row.

    line : from 1; 0 where the source has no lines. reason : what was found, and what was expected.
    text : the line as it stands. file : its name, where an import reads several.
    """

    line: int
    reason: str
    text: bytes | str
    file: str = ""


Row = NodeRow | EdgeRow | Reject


def checked_node(row: NodeRow) -> NodeRow:
    """Return the row if a store takes it; InvalidArgumentError says why it would not."""
    check_name(row.name, "the name")
    check_short_text(row.type or "", "the type")
    check_texts(row.observations or (), "the observations")
    _check_times(created_at=row.created_at)
    encode_properties(row.properties or {})
    return row


def checked_edge(row: EdgeRow) -> EdgeRow:
    """Return the row if a store takes it; InvalidArgumentError says why it would not."""
    check_name(row.source, "the source")
    check_short_text(row.type, "the type")
    check_name(row.target, "the target")
    check_short_text(row.key, "the key")
    _check_times(created_at=row.created_at, valid_from=row.valid_from, valid_to=row.valid_to)
    if row.valid_from and row.valid_to and row.valid_to < row.valid_from:
        raise InvalidArgumentError(
            f"it ends at {row.valid_to.isoformat()}, before it begins at "
            f"{row.valid_from.isoformat()}"
        )
    encode_properties(row.properties or {})
    return row


def _check_times(**times: datetime | None) -> None:
    for what, time in times.items():
        if time is not None:
            encode_moment(time, what)
