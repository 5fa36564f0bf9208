"""Groups of edges at one node, of one type (SPEC.md, section 12.4).

A header of one byte for most groups, then the neighbors' ids as differences, then keys and marks
only where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor
from lithograph.formats.operations import TYPE_CODE_END, AdjacentEdge
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.varint import append_varint
from lithograph.formats.varint_run import read_varints
from lithograph.ids import ID_END

GROUP_COUNT_MAX: Final = 128
"""Edges in one group; of the groups of one type in a list, all but the last have as many."""

_STEP_FOLLOWS: Final = 31
_COUNT_FOLLOWS: Final = 6
_EXTENDED: Final = 7
_KEYED: Final = 1
_MARKED: Final = 2


class Mark(IntEnum):
    """What the slice leaves of an edge: two bits on disk.

    GONE : only in history: made and ended by the slice; never on disk.
    DEAD : a tombstone of an edge that an older layer may hold.
    CHANGED : alive, and an older layer may hold it: a relative version, or made anew after its end.
    MADE : alive, made by the slice; no older layer holds it alive.
    """

    GONE = 0
    DEAD = 1
    CHANGED = 2
    MADE = 3


_MARKS: Final = tuple(Mark)


class GroupHead(NamedTuple):
    """What stands before the neighbors."""

    type_code: int
    edge_count: int
    keyed: bool
    marked: bool


def append_group(
    out: bytearray,
    edges: Sequence[AdjacentEdge],
    marks: Sequence[Mark] | None,
    previous_code: int = 0,
) -> None:
    """Append a group; edges are of one type and ascend strictly; without marks, all are MADE.

    previous_code : type of the group before it in its list; 0 for the first.
    """
    keyed = any(edge[2] for edge in edges)
    marked = marks is not None and any(mark != Mark.MADE for mark in marks)
    _append_head(out, GroupHead(edges[0][0], len(edges), keyed, marked), previous_code)
    previous = 0
    for _, neighbor, _ in edges:
        append_varint(out, neighbor - previous)
        previous = neighbor
    if keyed:
        for _, _, key in edges:
            encoded = key.encode()
            append_varint(out, len(encoded))
            out += encoded
    if marked:
        assert marks is not None
        out += _encode_marks(marks)


def decode_group(
    cursor: Cursor, group_count_max: int = GROUP_COUNT_MAX, previous_code: int = 0
) -> tuple[list[AdjacentEdge], list[Mark] | None]:
    """Read a group; return its edges, strictly ascending, and their marks if it is marked.

    previous_code : type of the group before it in its list; 0 for the first.

    Raises
    ------
    CorruptionError, TruncatedError
    """
    start = cursor.offset
    head = decode_group_head(cursor, group_count_max, previous_code)
    code, count, keyed, marked = head
    neighbors = _decode_neighbors(cursor, head)
    keys = [_decode_key(cursor) for _ in range(count)] if keyed else None
    marks = _decode_marks(cursor, count) if marked else None
    if keys is None:
        return [(code, neighbor, "") for neighbor in neighbors], marks
    edges = [(code, *pair) for pair in zip(neighbors, keys, strict=True)]
    if not any(keys):
        raise CorruptionError("a keyed group has no key", offset=start)
    if any(edges[i - 1] >= edges[i] for i in range(1, count)):
        raise CorruptionError("edges are not in ascending order", offset=start)
    return edges, marks


def decode_group_head(
    cursor: Cursor, group_count_max: int = GROUP_COUNT_MAX, previous_code: int = 0
) -> GroupHead:
    """Read what stands before the neighbors of a group; `previous_code` as in `decode_group`."""
    start = cursor.offset
    first = cursor.u8()
    step, shape = first & 31, first >> 5
    if step == _STEP_FOLLOWS:
        step = cursor.varint(TYPE_CODE_END)
        if step < _STEP_FOLLOWS:
            raise CorruptionError(f"a step of {step} type codes takes no varint", offset=start)
    code = previous_code + step
    if code >= TYPE_CODE_END:
        raise CorruptionError(f"type code {code} is out of range", offset=start)
    flags = 0
    count_min = 1
    if shape == _EXTENDED:
        flags = cursor.u8()
        if not 0 < flags <= _KEYED | _MARKED:
            raise CorruptionError(f"group flags {flags:#04x} are unknown", offset=start)
    elif shape == _COUNT_FOLLOWS:
        count_min = _COUNT_FOLLOWS + 1
    count = shape + 1 if shape < _COUNT_FOLLOWS else cursor.varint()
    if not count_min <= count <= group_count_max:
        raise CorruptionError(
            f"a group of {count} edges, {count_min} to {group_count_max} are allowed", offset=start
        )
    return GroupHead(code, count, bool(flags & _KEYED), bool(flags & _MARKED))


def skip_group(
    cursor: Cursor, group_count_max: int = GROUP_COUNT_MAX, previous_code: int = 0
) -> GroupHead:
    """Move behind a group; return its head."""
    head = decode_group_head(cursor, group_count_max, previous_code)
    _, count, keyed, marked = head
    data, end = cursor.data, cursor.end
    offset = cursor.offset
    for _ in range(count):
        while offset < end and data[offset] > 0x7F:
            offset += 1
        offset += 1
    if offset > end:
        raise TruncatedError(f"{count} edges are announced", offset=cursor.offset)
    cursor.offset = offset
    if keyed:
        for _ in range(count):
            cursor.take(cursor.varint())
    if marked:
        cursor.take(-(-count // 4))
    return head


def _append_head(out: bytearray, head: GroupHead, previous_code: int) -> None:
    code, count, keyed, marked = head
    step = code - previous_code
    extended = keyed or marked
    plain = not extended and count <= _COUNT_FOLLOWS
    shape = _EXTENDED if extended else count - 1 if plain else _COUNT_FOLLOWS
    out.append(min(step, _STEP_FOLLOWS) | shape << 5)
    if step >= _STEP_FOLLOWS:
        append_varint(out, step)
    if extended:
        out.append(_KEYED * keyed | _MARKED * marked)
    if not plain:
        append_varint(out, count)


def _decode_neighbors(cursor: Cursor, head: GroupHead) -> list[int]:
    start = cursor.offset
    deltas = read_varints(cursor, head.edge_count, ID_END)
    if not head.keyed and 0 in deltas[1:]:
        raise CorruptionError("an edge stands twice", offset=start)
    neighbors = list(accumulate(deltas))
    if neighbors[-1] >= ID_END:
        raise CorruptionError(f"neighbor {neighbors[-1]} is out of range", offset=start)
    return neighbors


def _decode_key(cursor: Cursor) -> str:
    size = cursor.varint(TEXT_SIZE_MAX + 1)
    start = cursor.take(size)
    try:
        return str(cursor.data[start : start + size], "utf-8")
    except UnicodeDecodeError as error:
        raise CorruptionError(
            f"invalid UTF-8: {error.reason}", offset=start + error.start
        ) from None


def _encode_marks(marks: Sequence[Mark]) -> bytes:
    """Return two bits per mark, four marks a byte, low bits first."""
    out = bytearray(-(-len(marks) // 4))
    for position, mark in enumerate(marks):
        assert mark != Mark.GONE
        out[position >> 2] |= mark << 2 * (position & 3)
    return bytes(out)


def _decode_marks(cursor: Cursor, count: int) -> list[Mark]:
    size = -(-count // 4)
    start = cursor.take(size)
    packed = int.from_bytes(cursor.data[start : start + size], "little")
    marks = [_MARKS[packed >> 2 * position & 3] for position in range(count)]
    if packed >> 2 * count:
        raise CorruptionError("marks: padding is not zero", offset=start + size - 1)
    if Mark.GONE in marks or marks.count(Mark.MADE) == count:
        raise CorruptionError("a marked group holds no sound marks", offset=start)
    return marks
