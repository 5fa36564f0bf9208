"""Tables built in the kernel: the same bytes as those of `table_writer`, many times quicker.

`dense_table` and `sparse_table` return the plain writer on the reference kernel. Where blocks are
compressed, the kernel builds them, and frames are made of them as they are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lithograph.files import Files
from lithograph.formats.envelope import encode_envelope
from lithograph.formats.layout import Layout
from lithograph.formats.table_block import OUT_OF_LINE, encode_reference
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.kernel import tables
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.framing import Framing
from lithograph.segments.spool import Spool
from lithograph.segments.table_writer import DenseWriter, Packing, Sink, SparseWriter

if TYPE_CHECKING:
    from lithograph.kernel._tables import BlockBuilder

_WAITING_MAX: Final = 256 * 1024
_BLOCK_COUNT_MAX: Final = 256
"""Of the kernel's builder."""


class BuiltTable:
    """One table on its way through the kernel.

    Attributes
    ----------
    builder : takes records also straight from the kernel; `drain` is to be called in between.
    size : bytes of the section that were passed on so far.
    """

    def __init__(
        self,
        files: Files,
        sink: Sink,
        builder: BlockBuilder,
        packing: Packing | None,
        framing: Framing | None = None,
    ) -> None:
        self.builder = builder
        self.size = 0
        self._sink = sink
        self._packing = packing
        self._framing = framing
        self._directory = Spool(files)

    @property
    def record_count(self) -> int:
        """Records that are not empty."""
        return self.builder.record_count

    def add(self, node_id: int, record: bytes, flags: int = 0, position: int = 0) -> None:
        """Add the record of an id above those before; it is not empty.

        position : out-edges before this record, in tables that keep count of them.
        """
        packing = self._packing
        if packing is not None and len(record) > packing.inline_size_max:
            self._make_way(node_id, position)
            record, flags = self._put_out_of_line(record), OUT_OF_LINE
        builder = self.builder
        while not builder.add(node_id, record, flags, position):
            self.drain()
        if builder.waiting_size >= _WAITING_MAX:
            self.drain()

    def drain(self) -> None:
        """Pass on what has gathered in the kernel. Cost: O(its bytes)."""
        framing = self._framing
        taken = self.builder.take() if framing is None else framing.take(self.builder, self.size)
        blocks, rows, digests = taken
        self._pass_on(blocks)
        self._directory.append(rows)
        self._note(digests)

    def directory(self) -> Iterator[bytes]:
        """Yield the directory, when the table is complete."""
        return self._directory.chunks()

    def close(self) -> None:
        self._directory.close()

    def _make_way(self, node_id: int, position: int) -> None:
        """End all blocks that are before that of the id."""

    def _note(self, digests: bytes) -> None:
        """Note the hashes of ids."""

    def _put_out_of_line(self, record: bytes) -> bytes:
        """Put a record before the block on its way; return the reference to it."""
        assert self._packing is not None
        self.drain()
        envelope = encode_envelope(record, self._packing.frames)
        offset = self.size
        self._pass_on(envelope)
        self.builder.skip(len(envelope))
        return encode_reference(offset, len(envelope))

    def _pass_on(self, data: bytes) -> None:
        self._sink.append(data)
        self.size += len(data)


class BuiltDense(BuiltTable):
    """Takes the place of `DenseWriter`."""

    def finish(self, end_id: int, position: int = 0) -> None:
        """Add empty records up to `end_id`; the table is complete."""
        self._make_way(end_id, position)
        self.builder.end()
        self.drain()

    def _make_way(self, node_id: int, position: int) -> None:
        while not self.builder.fill(node_id, position):
            self.drain()


class BuiltSparse(BuiltTable):
    """Takes the place of `SparseWriter`."""

    def __init__(
        self,
        files: Files,
        sink: Sink,
        builder: BlockBuilder,
        packing: Packing | None,
        framing: Framing | None = None,
    ) -> None:
        super().__init__(files, sink, builder, packing, framing)
        self._filter = FilterBuilder(files)

    def finish(self) -> None:
        """Write the last block; the table is complete."""
        self.builder.end()
        self.drain()

    def filter(self) -> Iterator[bytes]:
        """Yield the filter, when the table is complete; nothing of an empty table."""
        return self._filter.chunks() if self.record_count else iter(())

    def close(self) -> None:
        super().close()
        self._filter.close()

    def _note(self, digests: bytes) -> None:
        self._filter.add_many(digests)


DenseTarget = DenseWriter | BuiltDense
SparseTarget = SparseWriter | BuiltSparse


def dense_table(
    files: Files,
    sink: Sink,
    block_count: int,
    first_id: int,
    packing: Packing | None = None,
    row: Layout = DENSE_ROW,
) -> DenseTarget:
    """Return what writes a dense table; the arguments are those of `DenseWriter`."""
    if tables is None or block_count > _BLOCK_COUNT_MAX:
        return DenseWriter(files, sink, block_count, first_id, packing, row)
    framing = _framing(packing, row)
    builder = tables.BlockBuilder(
        block_count,
        first_id=first_id,
        enveloped=packing is not None,
        framed=framing is not None,
        positioned=row is DENSE_OUT_ROW,
        versions=_versions(packing),
    )
    return BuiltDense(files, sink, builder, packing, framing)


def sparse_table(
    files: Files,
    sink: Sink,
    block_count: int,
    packing: Packing | None = None,
    row: Layout = SPARSE_ROW,
) -> SparseTarget:
    """Return what writes a sparse table; the arguments are those of `SparseWriter`."""
    if tables is None or block_count > _BLOCK_COUNT_MAX:
        return SparseWriter(files, sink, block_count, packing, row)
    framing = _framing(packing, row)
    builder = tables.BlockBuilder(
        block_count,
        enveloped=packing is not None,
        framed=framing is not None,
        positioned=row is SPARSE_OUT_ROW,
        versions=_versions(packing),
    )
    return BuiltSparse(files, sink, builder, packing, framing)


def _framing(packing: Packing | None, row: Layout) -> Framing | None:
    """Return what makes frames of the blocks; None where they are stored as they are."""
    if packing is None or packing.frames is None:
        return None
    return Framing(packing.frames, row, by_columns=packing.by_columns)


def _versions(packing: Packing | None) -> bool | None:
    """Return what records are, where the kernel is to take their blocks apart."""
    if packing is None or packing.frames is None or not packing.by_columns:
        return None
    return packing.versions
