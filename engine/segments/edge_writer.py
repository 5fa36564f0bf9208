"""Writing the versions of edges, by the position of the out-edge (SPEC.md, section 12.6)."""

from __future__ import annotations

from collections.abc import Sequence

from lithograph.files import Files
from lithograph.formats.edge_block import RECORDS, encode_plain, is_plain
from lithograph.formats.table_block import encode_block
from lithograph.formats.table_directory import DENSE_ROW
from lithograph.formats.version_record import EDGE_VERSIONS
from lithograph.segments.table_writer import Packing, Sink, TableWriter
from lithograph.segments.version import EdgeVersion


class EdgeWriter(TableWriter):
    """End states of edges (`add`), or their histories (`add_list`), one per position.

    Attributes
    ----------
    position : of the next one.
    """

    def __init__(
        self, files: Files, sink: Sink, block_count: int, packing: Packing, first_sequence: int
    ) -> None:
        super().__init__(files, sink, block_count, packing)
        self.position = 0
        self._first_sequence = first_sequence
        # While every edge of the block is a plain insert, only its sequence is kept.
        self._sequences: list[int] | None = []

    def add(self, version: EdgeVersion) -> None:
        """Add the end state of the next edge."""
        record = bytearray()
        EDGE_VERSIONS.append(record, version, self._first_sequence)
        if not is_plain(version):
            self._sequences = None
        if self._sequences is not None:
            self._sequences.append(version.sequence)
        self._add_record(bytes(record))

    def add_list(self, versions: Sequence[EdgeVersion]) -> None:
        """Add the history of the next edge, oldest first."""
        record = bytearray()
        EDGE_VERSIONS.append_list(record, versions, self._first_sequence)
        self._sequences = None
        self._add_record(bytes(record))

    def finish(self) -> None:
        """Write the last block; the table is complete."""
        if self._records:
            self._end_block()

    def _add_record(self, record: bytes) -> None:
        self._add(record, 0)
        self.position += 1
        if len(self._records) == self._block_count:
            self._end_block()

    def _end_block(self) -> None:
        if self._sequences is None:
            body = bytes((RECORDS,)) + encode_block(self._records, complete=True)
        else:
            body = encode_plain(self._sequences, self._first_sequence)
        self._write_block(DENSE_ROW.pack, body=body)
        self._sequences = []
