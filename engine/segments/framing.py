"""Envelopes of the blocks that the kernel built, where they are compressed (SPEC.md, 12.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from lithograph.formats.envelope import Frames, encode_columns_envelope, encode_envelope
from lithograph.formats.layout import Layout

if TYPE_CHECKING:
    from lithograph.kernel._tables import BlockBuilder

_NO_COLUMNS: Final = 2**64 - 1
_U64_SIZE: Final = 8


class _Block(NamedTuple):
    """A block as it stands, and by columns if it has them."""

    body: bytes
    columns: tuple[bytes, bytes] | None


class Framing:
    """Takes blocks from a builder and makes envelopes of them.

    by_columns : the builder takes its blocks apart as well.
    """

    def __init__(self, frames: Frames, row: Layout, *, by_columns: bool) -> None:
        self._frames = frames
        self._row_columns = row.size // _U64_SIZE
        self._offset_column = 1 if "first_id" in row.offset_of else 0
        self._by_columns = by_columns

    def take(self, builder: BlockBuilder, offset: int) -> tuple[bytes, bytes, bytes]:
        """Return what `BlockBuilder.take` does, the blocks in envelopes.

        offset : of the first of them in the section.
        """
        bodies, rows, digests = builder.take()
        table = list(_integers(rows))
        sizes = table[self._offset_column :: self._row_columns]
        blocks = _cut(bodies, sizes)
        columns = self._columns(builder, len(blocks))
        envelopes = [self._envelope(*block) for block in zip(blocks, columns, strict=True)]
        for place, envelope in enumerate(envelopes):
            table[place * self._row_columns + self._offset_column] = offset
            offset += len(envelope)
        return b"".join(envelopes), struct.pack(f"<{len(table)}Q", *table), digests

    def _envelope(self, body: bytes, columns: tuple[bytes, bytes] | None) -> bytes:
        if columns is not None:
            envelope = encode_columns_envelope(*columns, self._frames)
            if envelope is not None and len(envelope) < len(body):
                return envelope
        return encode_envelope(body, self._frames)

    def _columns(self, builder: BlockBuilder, count: int) -> Sequence[tuple[bytes, bytes] | None]:
        return take_columns(builder) if self._by_columns else [None] * count


def take_columns(builder: BlockBuilder) -> list[tuple[bytes, bytes] | None]:
    """Return columns and texts of the blocks that a builder took apart; None of a block that has
    no columns."""
    data, packed_sizes = builder.take_columns()
    sizes = list(_integers(packed_sizes))
    pieces = iter(_cut(data, [size for size in sizes if size != _NO_COLUMNS]))
    return [None if size == _NO_COLUMNS else (next(pieces), next(pieces)) for size in sizes[::2]]


def _integers(data: bytes) -> Iterator[int]:
    return (value for (value,) in struct.iter_unpack("<Q", data))


def _cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return the pieces of these sizes that the bytes consist of."""
    pieces = []
    start = 0
    for size in sizes:
        pieces.append(data[start : start + size])
        start += size
    assert start == len(data)
    return pieces
