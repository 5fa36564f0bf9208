"""Writing tables: blocks first, then the directory, then the filter (SPEC.md, section 12.3).

A table is written front to back into one section of a file; what is written behind it waits in
spools, so memory does not grow with the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol

from lithograph.files import Files
from lithograph.formats.envelope import Frames, encode_columns_envelope, encode_envelope
from lithograph.formats.layout import Layout
from lithograph.formats.table_block import OUT_OF_LINE, encode_block, encode_reference
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.kernel import xxh64
from lithograph.segments.columns import encode_columns
from lithograph.segments.filter_builder import FilterBuilder
from lithograph.segments.spool import Spool

ID_SIZE: Final = 8


class Sink(Protocol):
    """Where blocks go: a file, or a spool that will be copied to one."""

    def append(self, data: bytes) -> Any: ...


class Packing(NamedTuple):
    """How the blocks of tables with envelopes are stored.

    frames : what makes frames of them, where these are smaller; None stores all as they are.
    inline_size_max : bytes of a record that stands in its block; larger ones are out of line.
    by_columns : frames are made of columns, where that is possible.
    versions : the records are versions of nodes.
    """

    frames: Frames | None
    inline_size_max: int
    by_columns: bool = False
    versions: bool = False


class TableWriter:
    """One table on its way: what dense and sparse ones have in common.

    Attributes
    ----------
    size : bytes of blocks so far.
    record_count : records that are not empty.
    """

    def __init__(self, files: Files, sink: Sink, block_count: int, packing: Packing | None) -> None:
        self.size = 0
        self.record_count = 0
        self._sink = sink
        self._block_count = block_count
        self._packing = packing
        self._records: list[tuple[bytes, int]] = []
        self._directory = Spool(files)

    def directory(self) -> Iterator[bytes]:
        """Yield the directory, when the table is complete."""
        return self._directory.chunks()

    def close(self) -> None:
        self._directory.close()

    def _add(self, record: bytes, flags: int) -> None:
        packing = self._packing
        if packing is not None and len(record) > packing.inline_size_max:
            envelope = encode_envelope(record, packing.frames)
            record = encode_reference(self._write(envelope), len(envelope))
            flags = OUT_OF_LINE
        self.record_count += bool(record)
        self._records.append((record, flags))

    def _write(self, data: bytes) -> int:
        """Add bytes to the section; return where they stand in it."""
        offset = self.size
        self._sink.append(data)
        self.size += len(data)
        return offset

    def _write_block(
        self,
        row: Callable[[int], bytes],
        ids: Sequence[int] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Add a block of the records so far, and the row that `row` makes of its offset.

        body : what stands in the block, if it is not what `encode_block` makes of the records.
        """
        if body is None:
            body = encode_block(self._records, ids)
        if self._packing is not None:
            body = self._packed(body, ids, self._packing)
        self._directory.append(row(self._write(body)))
        self._records.clear()

    def _packed(self, body: bytes, ids: Sequence[int] | None, packing: Packing) -> bytes:
        """Return the envelope of a block."""
        if packing.frames is not None and packing.by_columns:
            columns = encode_columns(self._records, ids, versions=packing.versions)
            if columns is not None:
                envelope = encode_columns_envelope(*columns, packing.frames)
                if envelope is not None and len(envelope) < len(body):
                    return envelope
        return encode_envelope(body, packing.frames)


class DenseWriter(TableWriter):
    """A table over the ids (or positions) from `first_id` on; its blocks need not name them.

    packing : None for adjacency lists, which stand without envelopes.
    """

    def __init__(
        self,
        files: Files,
        sink: Sink,
        block_count: int,
        first_id: int,
        packing: Packing | None = None,
        row: Layout = DENSE_ROW,
    ) -> None:
        super().__init__(files, sink, block_count, packing)
        self._next_id = first_id
        self._row = row
        self._position = 0

    def add(self, node_id: int, record: bytes, flags: int = 0, position: int = 0) -> None:
        """Add the record of an id above those before.

        position : out-edges before this record, in tables that keep count of them.
        """
        assert node_id >= self._next_id
        self._fill(node_id, position)
        self._begin(position)
        self._add(record, flags)
        self._next_id += 1

    def finish(self, end_id: int, position: int = 0) -> None:
        """Add empty records up to `end_id`; the table is complete."""
        self._fill(end_id, position)
        self._end_block()

    def _fill(self, end_id: int, position: int) -> None:
        while self._next_id < end_id:
            self._begin(position)
            self._records.append((b"", 0))
            self._next_id += 1

    def _begin(self, position: int) -> None:
        """Make room for a record; note the position if it is the first of a block."""
        if len(self._records) == self._block_count:
            self._end_block()
        if not self._records:
            self._position = position

    def _end_block(self) -> None:
        if self._records:
            with_position = self._row is DENSE_OUT_ROW
            extra = (self._position,) if with_position else ()
            self._write_block(lambda offset: self._row.pack(offset, *extra))


class SparseWriter(TableWriter):
    """A table over any ids; blocks name them, and a filter knows them all."""

    def __init__(
        self,
        files: Files,
        sink: Sink,
        block_count: int,
        packing: Packing | None = None,
        row: Layout = SPARSE_ROW,
    ) -> None:
        super().__init__(files, sink, block_count, packing)
        self._ids: list[int] = []
        self._row = row
        self._position = 0
        self._filter = FilterBuilder(files)

    def add(self, node_id: int, record: bytes, flags: int = 0, position: int = 0) -> None:
        """Add the record of an id above those before; it is not empty."""
        assert record
        assert not self._ids or node_id > self._ids[-1]
        if len(self._ids) == self._block_count:
            self._end_block()
        if not self._ids:
            self._position = position
        self._add(record, flags)
        self._ids.append(node_id)
        self._filter.add(hash_id(node_id))

    def finish(self) -> None:
        """Write the last block; the table is complete."""
        if self._ids:
            self._end_block()

    def filter(self) -> Iterator[bytes]:
        """Yield the filter, when the table is complete; nothing of an empty table."""
        return self._filter.chunks() if self.record_count else iter(())

    def close(self) -> None:
        super().close()
        self._filter.close()

    def _end_block(self) -> None:
        with_position = self._row is SPARSE_OUT_ROW
        extra = (self._position,) if with_position else ()
        first_id = self._ids[0]
        self._write_block(lambda offset: self._row.pack(first_id, offset, *extra), self._ids)
        self._ids.clear()


def hash_id(node_id: int) -> int:
    """Return the hash by which a filter knows an id."""
    return xxh64(encode_id(node_id))


def encode_id(node_id: int) -> bytes:
    return node_id.to_bytes(ID_SIZE, "little")
