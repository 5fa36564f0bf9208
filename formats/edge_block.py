"""Blocks of edge versions, by the position of the out-edge (SPEC.md, section 12.6).

A mode byte, then either the sequences alone, packed, of edges that are all plain inserts, or a
block of records like those of other tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.cursor import Cursor
from lithograph.formats.edge_patch import UNCHANGED_EDGE, EdgePatch
from lithograph.formats.packed import append_packed, read_packed
from lithograph.formats.version_record import CommitSpan, Version

PLAIN: Final = 0
RECORDS: Final = 1


def is_plain(version: Version[EdgePatch]) -> bool:
    """Return whether a version is an insert without any field."""
    sequence, _, patch, full, _, born_sequence = version
    return full and born_sequence == sequence and patch == UNCHANGED_EDGE


def encode_plain(sequences: Sequence[int], first_sequence: int) -> bytes:
    """Return a block of plain inserts by these commits."""
    out = bytearray((PLAIN,))
    append_packed(out, [sequence - first_sequence for sequence in sequences])
    return bytes(out)


def decode_plain(cursor: Cursor, count: int, span: CommitSpan) -> list[int]:
    """Return the sequences of a plain block, behind its mode byte."""
    first = span.first_sequence
    offsets = read_packed(cursor, count, span.last_sequence - first + 1)
    cursor.finish("block of plain edges")
    return [first + offset for offset in offsets]


def decode_mode(cursor: Cursor) -> int:
    """Read the mode byte."""
    start = cursor.offset
    mode = cursor.u8()
    if mode > RECORDS:
        raise CorruptionError(f"mode {mode} of a block of edges is unknown", offset=start)
    return mode
