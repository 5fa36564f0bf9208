"""Blocks of tables: id -> record, a few dozen ids together (SPEC.md, section 12.3).

A sparse block names its ids; the ids of a dense one follow from its place, and a bit of each says
whether it has a record. Then the size of every record and two flags, then the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor
from lithograph.formats.layout import Buffer
from lithograph.formats.varint import append_varint, encode_varint
from lithograph.formats.varint_run import read_varints
from lithograph.ids import ID_END

OUT_OF_LINE: Final = 1
"""Flag in tables of versions and names: the record says where it stands (12.3)."""

PURE: Final = 1
"""Flag in tables of adjacency lists: no edge of the list is marked."""

INDEXED: Final = 2
"""Flag in tables of adjacency lists: the list begins with an index of its groups."""

_FLAG_BITS: Final = 2
_VARINT_SIZE_MAX: Final = 10
_FLAGS: Final = 3
_HEAD_END: Final = 2**50


class Heads(NamedTuple):
    """Where the records of a block stand.

    offsets : in the block's body, of each record and of the end of the last.
    sizes_and_flags : of each record: size << 2 | flags; 0 where there is none.
    """

    offsets: list[int]
    sizes_and_flags: list[int]

    def flags(self, position: int) -> int:
        """Return the flags of a record."""
        return self.sizes_and_flags[position] & _FLAGS

    def size(self, position: int) -> int:
        """Return the bytes of a record; 0: there is none."""
        return self.sizes_and_flags[position] >> _FLAG_BITS


def encode_block(
    records: Sequence[tuple[bytes, int]],
    ids: Sequence[int] | None = None,
    *,
    complete: bool = False,
) -> bytes:
    """Return the body of a block of (record, flags).

    ids : ascending; they make it a sparse block.
    complete : it is neither sparse nor dense: every place has a record, and no bits say so.
    """
    out = bytearray()
    if ids is not None:
        append_varint(out, len(ids))
        for position in range(1, len(ids)):
            append_varint(out, ids[position] - ids[position - 1] - 1)
    elif not complete:
        bits = sum(bool(record) << place for place, (record, _) in enumerate(records))
        out += bits.to_bytes(_bitmap_size(len(records)), "little")
    pieces = []
    for record, flags in records:
        if record or complete or ids is not None:
            append_varint(out, len(record) << _FLAG_BITS | flags)
            pieces.append(record)
    return b"".join((out, *pieces))


def decode_ids(cursor: Cursor, first_id: int, count_max: int) -> list[int]:
    """Return the ids of a sparse block; `first_id` comes from the directory."""
    start = cursor.offset
    count = cursor.varint()
    if not 1 <= count <= count_max:
        raise CorruptionError(f"a block of {count} ids, 1 to {count_max} are allowed", offset=start)
    deltas = read_varints(cursor, count - 1, ID_END)
    ids = list(accumulate([delta + 1 for delta in deltas], initial=first_id))
    if ids[-1] >= ID_END:
        raise CorruptionError(f"id {ids[-1]} is out of range", offset=start)
    return ids


def head_size_max(count_max: int) -> int:
    """Return how many bytes stand before the records at most, in a block of so many ids."""
    return (2 * count_max + 1) * _VARINT_SIZE_MAX


def decode_presence(cursor: Cursor, count: int) -> list[bool]:
    """Return of each of the `count` ids of a dense block whether it has a record."""
    start = cursor.take(_bitmap_size(count))
    bits = int.from_bytes(cursor.data[start : cursor.offset], "little")
    if bits >> count:
        raise CorruptionError("bits behind the last id are not zero", offset=start)
    return [bool(bits >> place & 1) for place in range(count)]


def decode_heads(
    cursor: Cursor, count: int, end: int, presence: Sequence[bool] | None = None
) -> Heads:
    """Return where the records of a block stand; they begin where the cursor is then.

    count : of ids in the block.   presence : which of them have records; None means all.
    end : where the body ends, and the last record; the cursor may have only its first
        `head_size_max` bytes.
    """
    start = cursor.offset
    heads = read_varints(cursor, count if presence is None else sum(presence), _HEAD_END)
    if heads and min(heads) <= _FLAGS:
        raise CorruptionError("an empty record is announced", offset=start)
    if presence is not None:
        present = iter(heads)
        heads = [next(present) if is_there else 0 for is_there in presence]
    offsets = list(accumulate([head >> _FLAG_BITS for head in heads], initial=cursor.offset))
    if offsets[-1] != end:
        kind = TruncatedError if offsets[-1] > end else CorruptionError
        raise kind(
            f"records of {offsets[-1] - cursor.offset} bytes, {end - cursor.offset} are there",
            offset=cursor.offset,
        )
    return Heads(offsets, heads)


def encode_reference(offset: int, size: int) -> bytes:
    """Return the record that stands for one out of line: its place in the section."""
    return encode_varint(offset) + encode_varint(size)


def decode_reference(data: Buffer) -> tuple[int, int]:
    """Return offset in the section and size of an envelope out of line."""
    cursor = Cursor(data)
    offset, size = cursor.varint(), cursor.varint()
    cursor.finish("reference")
    return offset, size


def _bitmap_size(count: int) -> int:
    return (count + 7) // 8
