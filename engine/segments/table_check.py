"""Checking the tables of a segment or a history, byte by byte, against SPEC.md, section 12.3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lithograph.errors import CorruptionError
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.formats.layout import check_zero
from lithograph.formats.segment_footer import Section
from lithograph.formats.table_block import OUT_OF_LINE, decode_reference
from lithograph.formats.version_record import CommitSpan
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.table_reader import (
    Block,
    RecordTable,
    SparseTable,
    TableReader,
)

Findings = Iterator[CorruptionError]


def check_padding(file: SealedFile, sections: Mapping[str, Section]) -> Findings:
    """Yield what is not zero between the sections."""
    end = HEADER_SIZE
    for name, section in sections.items():
        try:
            gap = file.read(end, section.offset - end)
            check_zero(gap, 0, len(gap), f"before the section {name}")
        except CorruptionError as error:
            yield error if error.path else error.located(file.path, end)
        end = section.end


def check_records(table: RecordTable, ids: range) -> Findings:
    """Yield what is wrong with a table the ids of which are in `ids`.

    Blocks follow each other without gaps, each behind its records out of line; ids ascend; a sparse
    table's filter knows them all.
    """
    place = Place(table)
    last_id = -1
    for index in range(table.block_count):
        try:
            block = table.block(index)
            place.move_over(index, block)
        except CorruptionError as error:
            yield error
            return
        if block.ids[0] <= last_id or block.ids[0] not in ids or block.ids[-1] not in ids:
            yield table.wrong(f"the ids of block {index} are not in their place")
            return
        last_id = block.ids[-1]
        if isinstance(table, SparseTable):
            missed = [node_id for node_id in block.ids if not table.may_hold(node_id)]
            if missed:
                yield table.wrong(f"the filter does not know id {missed[0]}")
    yield from place.check_end()


def check_edge_blocks(table: EdgeReader, span: CommitSpan) -> Findings:
    """Yield what is wrong with the blocks of edge versions; their records are not looked at."""
    place = Place(table)
    for index in range(table.block_count):
        try:
            place.move_over(index, table.record_block(index, span))
        except CorruptionError as error:
            yield error
            return
    yield from place.check_end()


class Place:
    """How far the blocks of a table account for the bytes of its section.

    Attributes
    ----------
    offset : in the section, where the next block or its first record out of line begins.
    """

    def __init__(self, table: TableReader) -> None:
        self._table = table
        self.offset = 0

    def move_over(self, index: int, block: Block | None) -> None:
        """Go on behind a block; raise CorruptionError if it does not begin here."""
        table = self._table
        if block is not None and table.has_envelopes:
            for position in range(len(block.ids)):
                if block.heads.flags(position) == OUT_OF_LINE:
                    offset, size = block.part(position).decode(decode_reference)
                    self._expect(offset, f"a record of block {index}")
                    self.offset += size
        _, start, end = table.row(index)
        self._expect(start, f"block {index}")
        self.offset = table.envelope_end(start) if table.has_envelopes else end

    def check_end(self) -> Findings:
        if self.offset != self._table.size:
            yield self._table.wrong(
                f"blocks to {self.offset} in a section of {self._table.size} bytes"
            )

    def _expect(self, offset: int, what: str) -> None:
        if offset != self.offset:
            raise self._table.wrong(f"{what} is at {offset}, the last one ends at {self.offset}")
