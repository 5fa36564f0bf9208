"""What segments and histories say: blocks, records and rows of their tables (SPEC.md, section 12).

A record in a compressed block has no place of its own in the file: it is told with size 0, where
its frame ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

from lithograph.errors import CorruptionError, LithographError
from lithograph.formats.file_header import FileKind
from lithograph.formats.layout import Described
from lithograph.formats.segment_footer import (
    HISTORY_FOOTER,
    SEGMENT_FOOTER,
    HistoryFooter,
    SegmentFooter,
)
from lithograph.formats.segment_shape import ON_DISK
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.formats.version_record import CommitSpan
from lithograph.segments.adjacency_reader import AdjacencyReader
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.layer import Direction
from lithograph.segments.segment_check import check_history, check_segment
from lithograph.segments.segment_reader import (
    SegmentReader,
    decode_name,
    decode_node_version,
    decode_node_versions,
)
from lithograph.tools.annotation import Note, Part
from lithograph.tools.record_values import (
    ShowRecord,
    show_bytes,
    show_list,
    show_version,
    show_versions,
    version_value,
    versions_value,
)
from lithograph.tools.regular_file import RegularFile
from lithograph.tools.sealed_annotation import (
    Checks,
    Sealed,
    Selection,
    annotate_sealed,
    open_sealed,
)
from lithograph.tools.table_annotation import TableNotes, annotate_commits

_CACHE_SIZE: Final = 2**20


def annotate_segment(file: RegularFile, selection: Selection) -> Iterator[Note]:
    """Yield the header, every table with its directory and filter, checksums and footer."""
    return annotate_sealed(
        file,
        FileKind.SEGMENT,
        SEGMENT_FOOTER,
        _open_segment,
        lambda sealed, reader: _show_segment(sealed, reader, selection),
        lambda sealed, reader: check_segment(reader),
        selection,
    )


def annotate_history(file: RegularFile, selection: Selection) -> Iterator[Note]:
    """Yield the same of a history; when its commits were, the segment beside it knows."""
    with _Beside(file) as segment:
        yield from annotate_sealed(
            file,
            FileKind.HISTORY,
            HISTORY_FOOTER,
            _open_history,
            lambda sealed, reader: _show_history(sealed, reader, segment, selection),
            lambda sealed, reader: _check_history(sealed, reader, segment),
            selection,
        )


def _open_segment(sealed: Sealed) -> SegmentReader:
    footer = SegmentFooter.decode(sealed.file.body, sealed.file.data_size)
    return SegmentReader(sealed.file, sealed.ref, footer, BlockCache(_CACHE_SIZE))


def _open_history(sealed: Sealed) -> HistoryReader:
    footer = HistoryFooter.decode(sealed.file.body, sealed.file.data_size)
    return HistoryReader(sealed.file, sealed.ref, footer, BlockCache(_CACHE_SIZE))


class _Beside:
    """The segment beside a history while it is entered, None if there is none that can be read."""

    def __init__(self, file: RegularFile) -> None:
        self._path = PurePath(file.path).with_suffix(".seg")
        self._file: RegularFile | None = None

    def __enter__(self) -> SegmentReader | None:
        try:
            self._file = RegularFile(str(self._path))
            sealed = open_sealed(self._file, FileKind.SEGMENT, SEGMENT_FOOTER.size)
            return _open_segment(sealed)
        except LithographError:
            return None

    def __exit__(self, *ending: object) -> None:
        if self._file is not None:
            self._file.__exit__(None, None, None)


def _check_history(sealed: Sealed, reader: HistoryReader, segment: SegmentReader | None) -> Checks:
    return check_history(reader, segment) if segment else sealed.file.check_blocks()


def _show_segment(sealed: Sealed, reader: SegmentReader, selection: Selection) -> Iterator[Note]:
    footer, span = reader.footer, reader.span
    tables = TableNotes(sealed.file, footer.sections, selection)
    version = show_version(lambda data: decode_node_version(data, span))
    yield from tables.records(
        "names", reader.names, DENSE_ROW, lambda data: (decode_name(data), "")
    )
    yield from _dictionary(sealed, footer)
    yield from tables.records("sparse_nodes", reader.sparse_nodes, SPARSE_ROW, version)
    yield from tables.records("dense_nodes", reader.dense_nodes, DENSE_ROW, version)
    out, incoming = reader.lists[Direction.OUT], reader.lists[Direction.IN]
    yield from tables.lists("sparse_out", out.sparse, SPARSE_OUT_ROW, show_list)
    yield from tables.lists("dense_out", out.dense, DENSE_OUT_ROW, show_list)
    yield from tables.lists("sparse_in", incoming.sparse, SPARSE_ROW, show_list)
    yield from tables.lists("dense_in", incoming.dense, DENSE_ROW, show_list)
    yield from tables.edges(
        reader.edge_table,
        span,
        _positions(out, selection),
        lambda start, count: [
            version_value(version) for version in reader.edge_table.versions(start, count, span)
        ],
    )
    if selection.node_id is None:
        yield from annotate_commits(sealed.file, footer, reader.commits, ON_DISK, selection)


def _show_history(
    sealed: Sealed, reader: HistoryReader, segment: SegmentReader | None, selection: Selection
) -> Iterator[Note]:
    footer = reader.footer
    tables = TableNotes(sealed.file, footer.sections, selection)
    span = _span_of(segment, footer)
    versions: ShowRecord = show_bytes
    if span is None:
        title = "times and versions: they cannot be told without the segment beside this file"
        yield Part(0, title)
    else:
        known = span
        versions = show_versions(lambda data: decode_node_versions(data, known))
    yield from tables.records("nodes", reader.nodes, SPARSE_ROW, versions)
    out, incoming = reader.lists[Direction.OUT], reader.lists[Direction.IN]
    yield from tables.lists("out", out.sparse, SPARSE_OUT_ROW, show_list)
    yield from tables.lists("in", incoming.sparse, SPARSE_ROW, show_list)
    if span is not None:
        known = span
        yield from tables.edges(
            reader.edge_table,
            known,
            _positions(out, selection),
            lambda start, count: [
                versions_value(found) for found in reader.edge_table.lists(start, count, known)
            ],
        )


def _span_of(segment: SegmentReader | None, footer: HistoryFooter) -> CommitSpan | None:
    """Return the segment's commits if it is the one that the history stands beside."""
    if segment is None:
        return None
    span = segment.span
    same = (span.first_sequence, span.last_sequence) == (
        footer.first_sequence,
        footer.last_sequence,
    )
    return span if same else None


def _positions(out: AdjacencyReader, selection: Selection) -> range | None:
    """Return the positions of the edges that leave the node that was asked for; None for all."""
    if selection.node_id is None:
        return None
    try:
        found = out.find(selection.node_id)
        start = found.position() if found is not None else 0
        return range(start, start + found.count()) if found is not None else range(0)
    except CorruptionError:
        return range(0)  # The list's own block told it.


def _dictionary(sealed: Sealed, footer: SegmentFooter) -> Iterator[Note]:
    section = footer.sections["dictionary"]
    if section.size:
        yield Part(section.offset, "dictionary")
        yield Described(
            section.offset, section.size, "dictionary", section.size, "bytes, for frames of nodes"
        )
