"""Blocks of tables by columns: alike with alike, for blocks that are compressed (SPEC.md, 12.3).

A block of records mixes texts with times, codes and sizes, and a compressor pays for the mix. Taken
apart, integers are packed by the bit and texts stand together: a node of W takes 18 bytes instead
of 25. Taking apart and putting together keep every byte; what records say is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.column_fields import COLUMN_COUNT_MAX, COLUMNS, Texts
from lithograph.formats.cursor import Cursor
from lithograph.formats.node_patch import NODE_FIELDS
from lithograph.formats.packed import append_packed, read_packed
from lithograph.formats.table_block import OUT_OF_LINE, encode_block
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.varint import append_varint
from lithograph.formats.version_record import BORN_DIFFERS, CHANGE
from lithograph.ids import ID_END

Record = tuple[bytes, int]
"""Bytes and flags, as blocks have them."""

_ABSENT, _BYTES, _REFERENCE, _VERSION = range(4)
_KIND_END: Final = _VERSION + 8
_KINDS_OF_FIELDS: Final = tuple(field.codec for field in NODE_FIELDS.fields)


def encode_columns(
    records: Sequence[Record], ids: Sequence[int] | None, *, versions: bool
) -> tuple[bytes, bytes] | None:
    """Return the columns of a block, and the texts that they measure; None if it has no columns.

    ids : ascending, of a sparse block.
    versions : the records are versions of nodes, or else byte strings such as names.
    """
    out = bytearray()
    append_varint(out, len(records))
    out.append(ids is not None)
    if ids is not None:
        append_packed(out, [ids[at] - ids[at - 1] - 1 for at in range(1, len(ids))])
    split = _Split()
    for record, flags in records:
        split.add(record, flags, versions=versions)
    if not split.fits():
        return None
    append_packed(out, split.kinds)
    texts = split.append(out)
    return bytes(out), texts


def decode_columns(cursor: Cursor, texts: bytes, count_max: int) -> bytes:
    """Return the body of a block, as `table_block.encode_block` makes it.

    Raises
    ------
    CorruptionError, TruncatedError : what comes back has at most `count_max` records, and of each
        column no more integers than 65,536.
    """
    start = cursor.offset
    count = cursor.varint()
    if not 1 <= count <= count_max:
        raise CorruptionError(f"a block of {count} ids, 1 to {count_max} are allowed", offset=start)
    is_sparse = cursor.u8()
    if is_sparse > 1:
        raise CorruptionError(f"a block is sparse, or not, but not {is_sparse}", offset=start)
    ids = None
    if is_sparse:
        deltas = read_packed(cursor, count - 1, ID_END)
        ids = list(accumulate([delta + 1 for delta in deltas], initial=0))
    kinds = read_packed(cursor, count, _KIND_END)
    records = _Joined(cursor, kinds, texts).records()
    cursor.finish("columns")
    return encode_block(records, ids)


class _Split:
    """The columns of a block on their way."""

    def __init__(self) -> None:
        self.kinds: list[int] = []
        self._flags: list[int] = []
        self._sequences: list[int] = []
        self._born: list[int] = []
        self._names: list[bytes] = []
        self._references: list[bytes] = []
        self._fields = [COLUMNS[kind]() for kind in _KINDS_OF_FIELDS]

    def add(self, record: bytes, flags: int, *, versions: bool) -> None:
        if not record:
            self.kinds.append(_ABSENT)
        elif flags == OUT_OF_LINE:
            self.kinds.append(_REFERENCE)
            self._references.append(record)
        elif versions:
            self._add_version(Cursor(record))
        else:
            self.kinds.append(_BYTES)
            self._names.append(record)

    def _add_version(self, cursor: Cursor) -> None:
        head = cursor.u8()
        self.kinds.append(_VERSION + head)
        flags = 0
        if head & CHANGE:
            flags = cursor.u8()
            self._flags.append(flags)
        self._sequences.append(cursor.varint())
        if head & BORN_DIFFERS:
            self._born.append(cursor.varint())
        for bit, field in enumerate(self._fields):
            if flags >> bit & 1:
                field.split(cursor)
        assert cursor.offset == cursor.end

    def fits(self) -> bool:
        """Return whether no column is too long, and no name."""
        longest = max(map(len, self._names), default=0)
        return longest <= TEXT_SIZE_MAX and all(
            field.count() <= COLUMN_COUNT_MAX for field in self._fields
        )

    def append(self, out: bytearray) -> bytes:
        """Append the columns behind the kinds; return the texts."""
        texts = []
        if self._names:
            prefix = _common_prefix(self._names)
            append_varint(out, len(prefix))
            names = [name[len(prefix) :] for name in self._names]
            append_packed(out, [len(name) for name in names])
            texts += [prefix, *names]
        append_packed(out, [len(reference) for reference in self._references])
        texts += self._references
        append_packed(out, self._flags)
        append_packed(out, self._sequences)
        append_packed(out, self._born)
        for field in self._fields:
            texts += field.append(out)
        return b"".join(texts)


class _Joined:
    """The records that columns were made of, put together again."""

    def __init__(self, cursor: Cursor, kinds: Sequence[int], texts: bytes) -> None:
        self._kinds = kinds
        taker = Texts(texts)
        name_count = kinds.count(_BYTES)
        prefix = b""
        start = cursor.offset
        if name_count:
            prefix_size = cursor.varint()
            if prefix_size > TEXT_SIZE_MAX:
                raise CorruptionError(f"names share {prefix_size} bytes", offset=start)
            prefix = taker.take(prefix_size)
        sizes = read_packed(cursor, name_count)
        if not prefix and 0 in sizes:
            raise CorruptionError("an empty name", offset=start)
        self._names = iter([prefix + taker.take(size) for size in sizes])
        sizes = read_packed(cursor, kinds.count(_REFERENCE))
        self._references = iter([taker.take(size) for size in sizes])
        heads = [kind - _VERSION for kind in kinds if kind >= _VERSION]
        flags = read_packed(cursor, sum(head & CHANGE for head in heads), 256)
        self._flags = iter(flags)
        self._sequences = iter(read_packed(cursor, len(heads)))
        self._born = iter(read_packed(cursor, sum(bool(head & BORN_DIFFERS) for head in heads)))
        self._fields = [
            iter(COLUMNS[kind].join(cursor, sum(flag >> bit & 1 for flag in flags), taker))
            for bit, kind in enumerate(_KINDS_OF_FIELDS)
        ]
        taker.finish()

    def records(self) -> list[Record]:
        """Return every record, in order."""
        records: list[Record] = []
        for kind in self._kinds:
            if kind == _ABSENT:
                records.append((b"", 0))
            elif kind == _BYTES:
                records.append((next(self._names), 0))
            elif kind == _REFERENCE:
                records.append((next(self._references), OUT_OF_LINE))
            else:
                records.append((self._version(kind - _VERSION), 0))
        return records

    def _version(self, head: int) -> bytes:
        out = bytearray((head,))
        flags = 0
        if head & CHANGE:
            flags = next(self._flags)
            out.append(flags)
        append_varint(out, next(self._sequences))
        if head & BORN_DIFFERS:
            append_varint(out, next(self._born))
        for bit, field in enumerate(self._fields):
            if flags >> bit & 1:
                out += next(field)
        return bytes(out)


def _common_prefix(names: Sequence[bytes]) -> bytes:
    """Return what all names begin with."""
    lowest, highest = min(names), max(names)
    size = 0
    for mine, other in zip(lowest, highest, strict=False):
        if mine != other:
            break
        size += 1
    return lowest[:size]
