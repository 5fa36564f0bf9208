"""What the tables of segments and histories say (SPEC.md, sections 12.3 to 12.7)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.commit_block import COMMIT_ROW
from lithograph.formats.cursor import Cursor
from lithograph.formats.envelope import (
    COLUMNS,
    COLUMNS_WITH_DICTIONARY,
    HEAD_SIZE_MAX,
    RAW,
    WITH_DICTIONARY,
    ZSTANDARD,
    decode_head,
)
from lithograph.formats.layout import Described, Layout
from lithograph.formats.segment_footer import Section, SegmentFooter
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.split_block_filter import FILTER_BLOCK_SIZE
from lithograph.formats.table_block import OUT_OF_LINE
from lithograph.formats.table_directory import DENSE_ROW
from lithograph.formats.version_record import CommitSpan
from lithograph.segments.commit_reader import CommitReader
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.table_reader import Block, RecordTable
from lithograph.tools.annotation import Note, Part, damage, shown_time
from lithograph.tools.record_values import ShowList, ShowRecord, Value
from lithograph.tools.sealed_annotation import Selection, moved, section_part

_CODECS: Final = {
    RAW: "as it is",
    ZSTANDARD: "zstandard",
    WITH_DICTIONARY: "zstandard, with the dictionary",
    COLUMNS: "columns, texts in zstandard",
    COLUMNS_WITH_DICTIONARY: "columns, texts in zstandard with the dictionary",
}

ShowEdges = Callable[[int, int], list[Value]]
"""Returns what there is of so many edges from a position on, each with its sequence."""


class TableNotes:
    """Notes on the tables of one file; empty tables have none, the footer tells where they are."""

    def __init__(
        self, file: SealedFile, sections: Mapping[str, Section], selection: Selection
    ) -> None:
        self._file = file
        self._sections = sections
        self._selection = selection

    def records(
        self, name: str, table: RecordTable, row: Layout, show: ShowRecord
    ) -> Iterator[Note]:
        """Yield the blocks of a table with envelopes, its directory, its filter."""

        def show_at(block: Block, place: int) -> Value:
            value, meaning = table.record(block, place).decode(show)
            if block.heads.flags(place) & OUT_OF_LINE:
                meaning = f"{meaning}, out of line" if meaning else "out of line"
            return value, meaning

        return self._table(name, table, row, show_at)

    def lists(
        self, name: str, table: RecordTable | None, row: Layout, show: ShowList
    ) -> Iterator[Note]:
        """Yield the same of a table of adjacency lists."""
        assert table is not None

        def show_at(block: Block, place: int) -> Value:
            flags = block.heads.flags(place)
            return block.part(place).decode(lambda data: show(data, flags))

        return self._table(name, table, row, show_at)

    def edges(
        self,
        table: EdgeReader,
        span: CommitSpan,
        positions: range | None,
        show: ShowEdges,
    ) -> Iterator[Note]:
        """Yield the blocks of edge versions, or those that hold some positions."""
        section = self._sections["edges"]
        if not section.size or positions == range(0):
            return
        per_block = ON_DISK.positions
        count = table.block_count
        blocks = range(self._selection.count(count))
        if positions is not None:
            blocks = range(positions.start // per_block, -(-positions.stop // per_block))
        else:
            yield section_part(section.offset, "edges: ", "block", count, len(blocks))
        for index in blocks:
            first = index * per_block
            wanted = range(first, min(first + per_block, table.edge_count))
            if positions is not None:
                wanted = range(max(wanted.start, positions.start), min(wanted.stop, positions.stop))
            yield from self._edge_block(table, index, span, wanted, show)
        if positions is None:
            yield from self._rows("edges", DENSE_ROW)

    def _table(
        self,
        name: str,
        table: RecordTable,
        row: Layout,
        show: Callable[[Block, int], Value],
    ) -> Iterator[Note]:
        section = self._sections[name]
        if not section.size:
            return
        if self._selection.node_id is not None:
            yield from self._one(name, table, row, show, self._selection.node_id)
            return
        count = table.block_count
        shown = self._selection.count(count)
        yield section_part(section.offset, f"{name}: ", "block", count, shown)
        for index in range(shown):
            try:
                block = table.block(index)
            except CorruptionError as error:
                yield Part(error.offset, f"{name}, block {index}")
                yield damage(error)
                continue
            places = [place for place in range(len(block.ids)) if block.heads.size(place)]
            yield from self._block(name, table, row, block, places, show)
        yield from self._rows(name, row)
        yield from self._filter(name)

    def _one(
        self,
        name: str,
        table: RecordTable,
        row: Layout,
        show: Callable[[Block, int], Value],
        node_id: int,
    ) -> Iterator[Note]:
        """Yield the one record of a node, in its block."""
        try:
            found = table.find(node_id)
        except CorruptionError as error:
            yield Part(error.offset, name)
            yield damage(error)
            return
        if found is not None:
            yield from self._block(name, table, row, found[0], [found[1]], show)

    def _block(
        self,
        name: str,
        table: RecordTable,
        row: Layout,
        block: Block,
        places: Iterable[int],
        show: Callable[[Block, int], Value],
    ) -> Iterator[Note]:
        section = self._sections[name]
        start = section.offset + block.row[list(row.offset_of).index("offset")]
        yield Part(start, f"{name}, ids {block.ids[0]} to {block.ids[-1]}")
        heads = block.heads
        if table.has_envelopes:
            body, is_frame = yield from self._envelope(section, start, heads.offsets[-1])
        else:
            body, is_frame = start, False
        if not is_frame:
            yield _heads(body, block)
        for place in places:
            offset, size = heads.offsets[place], heads.size(place)
            try:
                value, meaning = show(block, place)
            except CorruptionError as error:
                yield damage(error)
                continue
            where = (body, 0) if is_frame else (body + offset, size)
            yield Described(*where, f"id {block.ids[place]}", value, meaning)

    def _envelope(
        self, section: Section, start: int, body_size: int
    ) -> Generator[Note, None, tuple[int, bool]]:
        """Yield an envelope; return where its contents stand, or where its frame ends, and if it
        has one."""
        head = Cursor(self._file.read(start, min(HEAD_SIZE_MAX, section.end - start)))
        codec, size = decode_head(head)
        what = _CODECS[codec]
        yield Described(start, head.offset, "envelope", what, f"{size:,} bytes stored")
        body = start + head.offset
        if codec == RAW:
            return body, False
        what = "columns" if codec in (COLUMNS, COLUMNS_WITH_DICTIONARY) else "frame"
        yield Described(body, size, what, body_size, "bytes when unpacked")
        return body + size, True

    def _edge_block(
        self,
        table: EdgeReader,
        index: int,
        span: CommitSpan,
        wanted: range,
        show: ShowEdges,
    ) -> Iterator[Note]:
        section, directory = self._sections["edges"], self._sections["edges_directory"]
        try:
            row = self._file.read(directory.offset + index * DENSE_ROW.size, DENSE_ROW.size)
            start = section.offset + DENSE_ROW.unpack_from(row)[0]
            yield Part(start, f"edges, positions {wanted.start} to {wanted.stop - 1}")
            block = table.record_block(index, span)
            found = show(wanted.start, len(wanted))
            size = block.heads.offsets[-1] if block is not None else 0
            body, is_frame = yield from self._envelope(section, start, size)
        except CorruptionError as error:
            yield damage(error)
            return
        if block is None:
            sequences = [value["sequence"] for value, _ in found]
            meaning = "each edge is full and without fields, by this commit"
            yield Described(body, 0, "sequences", sequences, meaning)
            return
        if not is_frame:
            yield _heads(body, block)
        first = index * ON_DISK.positions
        for position, (value, meaning) in zip(wanted, found, strict=True):
            place = position - first
            offset, size = block.heads.offsets[place], block.heads.size(place)
            where = (body, 0) if is_frame else (body + offset, size)
            yield Described(*where, f"edge {position}", value, meaning)

    def _rows(self, name: str, row: Layout) -> Iterator[Note]:
        directory = self._sections[f"{name}_directory"]
        yield from rows(self._file, f"{name}_directory", directory, row, self._selection)

    def _filter(self, name: str) -> Iterator[Note]:
        section = self._sections.get(f"{name}_filter")
        if section is not None and section.size:
            yield Part(section.offset, f"{name}_filter")
            count = section.size // FILTER_BLOCK_SIZE
            meaning = "blocks of a split-block Bloom filter over the ids"
            yield Described(section.offset, section.size, "filter", count, meaning)


def _heads(body: int, block: Block) -> Described:
    size, count = block.heads.offsets[0], len(block.ids)
    return Described(body, size, "heads", count, "ids, sizes and flags of records")


def rows(
    file: SealedFile, title: str, directory: Section, row: Layout, selection: Selection
) -> Iterator[Note]:
    """Yield the rows of a directory."""
    count = directory.size // row.size
    shown = selection.count(count)
    yield section_part(directory.offset, f"{title}: ", "row", count, shown)
    for index in range(shown):
        start = directory.offset + index * row.size
        try:
            yield from moved(row.describe(file.read(start, row.size)), start)
        except CorruptionError as error:
            yield damage(error)


def annotate_commits(
    file: SealedFile,
    footer: SegmentFooter,
    commits: CommitReader,
    shape: SegmentShape,
    selection: Selection,
) -> Iterator[Note]:
    """Yield the commit table: when each commit was, and what it left alive."""
    section, directory = footer.sections["commits"], footer.sections["commits_directory"]
    count = directory.size // COMMIT_ROW.size
    shown = selection.count(count)
    yield section_part(section.offset, "commits: ", "block", count, shown)
    for index in range(shown):
        first = footer.first_sequence + index * shape.commits
        last = min(first + shape.commits - 1, footer.last_sequence)
        try:
            row = file.read(directory.offset + index * COMMIT_ROW.size, COMMIT_ROW.size)
            start = section.offset + COMMIT_ROW.unpack_from(row)[0]
            yield Part(start, f"commits {first} to {last}")
            for sequence in range(first, last + 1):
                time, node_count, edge_count = commits.commit(sequence)
                value = {
                    "time": shown_time(time),
                    "node_count": node_count,
                    "edge_count": edge_count,
                }
                yield Described(start, 0, f"commit {sequence}", value, "")
        except CorruptionError as error:
            yield damage(error)
    yield from rows(file, "commits_directory", directory, COMMIT_ROW, selection)
