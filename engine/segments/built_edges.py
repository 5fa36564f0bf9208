"""The versions of edges built in the kernel: the same bytes as those of `edge_writer`."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lithograph.files import Files
from lithograph.formats.edge_block import is_plain
from lithograph.formats.envelope import encode_envelope
from lithograph.formats.table_block import OUT_OF_LINE, encode_reference
from lithograph.formats.table_directory import DENSE_ROW
from lithograph.formats.varint import encode_varint
from lithograph.formats.version_record import EDGE_VERSIONS
from lithograph.kernel import tables
from lithograph.segments.edge_writer import EdgeWriter
from lithograph.segments.spool import Spool
from lithograph.segments.table_writer import Packing, Sink
from lithograph.segments.version import EdgeVersion

if TYPE_CHECKING:
    from lithograph.kernel._tables import EdgeBuilder

_WAITING_MAX: Final = 256 * 1024
_BLOCK_COUNT_MAX: Final = 256
"""Of the kernel's builder."""

_SIZE: Final = struct.Struct("<Q")


class BuiltEdges:
    """The end states of edges on their way through the kernel; takes the place of `EdgeWriter`.

    Attributes
    ----------
    builder : takes end states also straight from the kernel; `drain` is to be called in between.
    size : bytes of blocks so far that were passed on.
    """

    def __init__(
        self, files: Files, sink: Sink, builder: EdgeBuilder, packing: Packing, first_sequence: int
    ) -> None:
        self.builder = builder
        self.size = 0
        self._sink = sink
        self._packing = packing
        self._first_sequence = first_sequence
        self._directory = Spool(files)

    @property
    def position(self) -> int:
        """Of the next edge."""
        return self.builder.position

    def add(self, version: EdgeVersion) -> None:
        """Add the end state of the next edge."""
        if is_plain(version):
            self.builder.add_plain(version.sequence)
        else:
            record = bytearray()
            EDGE_VERSIONS.append(record, version, self._first_sequence)
            self._add_record(bytes(record))
        if self.builder.waiting_size >= _WAITING_MAX:
            self.drain()

    def drain(self) -> None:
        """Pass on what has gathered in the kernel. Cost: O(its bytes), and the frames."""
        blocks, rows = self.builder.take()
        if self._packing.frames is None:
            self._sink.append(blocks)
            self._directory.append(rows)
            self.size += len(blocks)
            return
        start = 0
        for (size,) in _SIZE.iter_unpack(rows):
            envelope = encode_envelope(blocks[start : start + size], self._packing.frames)
            start += size
            self._directory.append(DENSE_ROW.pack(self.size))
            self._put(envelope)

    def finish(self) -> None:
        """Write the last block; the table is complete."""
        self.builder.end()
        self.drain()

    def directory(self) -> Iterator[bytes]:
        """Yield the directory, when the table is complete."""
        return self._directory.chunks()

    def close(self) -> None:
        self._directory.close()

    def _add_record(self, record: bytes) -> None:
        packing = self._packing
        if len(record) <= packing.inline_size_max:
            self.builder.add(record)
            return
        self.drain()
        envelope = encode_envelope(record, packing.frames)
        reference = encode_reference(self.size, len(envelope))
        self._put(envelope)
        self.builder.skip(len(envelope))
        self.builder.add(reference, OUT_OF_LINE)

    def _put(self, envelope: bytes) -> None:
        self._sink.append(envelope)
        self.size += len(envelope)


EdgeTarget = EdgeWriter | BuiltEdges


def edge_table(
    files: Files,
    sink: Sink,
    block_count: int,
    packing: Packing,
    first_sequence: int,
    last_sequence: int,
) -> EdgeTarget:
    """Return what writes the end states of edges; the arguments are those of `EdgeWriter`."""
    # The kernel leaves the records of plain inserts out: they must be none that go out of line.
    plain_size_max = 1 + len(encode_varint(last_sequence - first_sequence))
    if (
        tables is None
        or packing.by_columns
        or block_count > _BLOCK_COUNT_MAX
        or plain_size_max > packing.inline_size_max
    ):
        return EdgeWriter(files, sink, block_count, packing, first_sequence)
    builder = tables.EdgeBuilder(
        block_count, first_sequence, packing.inline_size_max, packing.frames is not None
    )
    return BuiltEdges(files, sink, builder, packing, first_sequence)
