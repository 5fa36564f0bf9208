"""Writing a slice as a segment, and its history beside it (SPEC.md, section 12).

One pass over each part of the slice, in bounded memory: one entry at a time, and what is written
behind others waits in spools. Nothing names the files before the caller puts them into a manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from lithograph.files import Files
from lithograph.formats.adjacency_list import encode_list
from lithograph.formats.commit_block import COMMIT_ROW, CommitState, encode_commits
from lithograph.formats.envelope import PLAIN_FRAMES, Frames
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import history_name, segment_name
from lithograph.formats.layout import Layout
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import HistoryFooter, SegmentFooter
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.formats.version_record import NODE_VERSIONS
from lithograph.segments.built_edges import BuiltEdges, EdgeTarget, edge_table
from lithograph.segments.built_table import BuiltTable, dense_table
from lithograph.segments.dictionary import texts_of_nodes, train_dictionary
from lithograph.segments.edge_writer import EdgeWriter
from lithograph.segments.history_writer import HistoryWriter
from lithograph.segments.list_stream import ListStream
from lithograph.segments.moving_records import MovingSlice, NameItem
from lithograph.segments.sealed_writer import SealedWriter
from lithograph.segments.section_writer import SectionWriter
from lithograph.segments.slice import (
    EncodedSlice,
    IncomingEdge,
    Mark,
    NodeItem,
    Slice,
    SliceEdge,
    StreamedSlice,
)
from lithograph.segments.split_writer import SplitWriter
from lithograph.segments.spool import Spool
from lithograph.segments.table_writer import Packing
from lithograph.segments.version import NodeVersion

STEP_COUNT: Final = 1024
"""Entries written between two steps."""

STREAM_FACTOR: Final = 16
"""So many times more between two steps where the kernel writes: 16,384 edges take about 2 ms."""

Entry = TypeVar("Entry")
Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """What was written, synced but for the directory.

    entry_count : end states, of nodes and edges.   version_count : versions in the history.
    superseding_count : of the entries, those that change or hide what older layers hold.
    """

    segment: SealedRef
    history: SealedRef | None
    footer: SegmentFooter
    history_footer: HistoryFooter | None

    @property
    def entry_count(self) -> int:
        footer = self.footer
        return footer.sparse_node_count + footer.dense_node_count + footer.edge_count

    @property
    def version_count(self) -> int:
        footer = self.history_footer
        return footer.node_version_count + footer.edge_version_count if footer else 0

    @property
    def superseding_count(self) -> int:
        return self.footer.sparse_node_count + self.footer.superseding_edge_count


def write_segment(
    files: Files,
    number: int,
    partition: str,
    store_uuid: bytes,
    slice_: Slice,
    *,
    compress: bool,
    shape: SegmentShape = ON_DISK,
    step_count: int = STEP_COUNT,
) -> Generator[None, None, WrittenSegment]:
    """Write a slice in steps; return what the manifest has to know of it.

    The history has the segment's number, and is there only if the slice overwrote something. Both
    files are synced, their directory (which must exist) is not. Whatever is raised between two
    steps, also when the generator is closed, removes them.

    compress : payloads, where that makes them smaller: for windows that are closed.

    Cost: O(entries), each encoded once; memory for one adjacency list and some spools.
    """
    job = _Job(files, number, partition, store_uuid, slice_, compress, shape, step_count)
    try:
        yield from job.write_names()
        yield from job.write_nodes()
        yield from job.write_edges()
        yield from job.write_incoming()
        yield from job.write_rest()
        return job.finish()
    except BaseException:
        job.abandon()
        raise
    finally:
        job.close()


class _Job:
    """The writers of one segment."""

    def __init__(
        self,
        files: Files,
        number: int,
        partition: str,
        store_uuid: bytes,
        slice_: Slice,
        compress: bool,
        shape: SegmentShape,
        step_count: int,
    ) -> None:
        self._files = files
        self._slice = slice_
        self._shape = shape
        self._step_count = step_count
        # What moves by itself costs little, what is compressed costs much.
        self._pause_count = step_count if compress else STREAM_FACTOR * step_count
        self._work = 0
        self._compress = compress
        self._packing = packing = Packing(PLAIN_FRAMES if compress else None, shape.inline_size_max)
        create = partial(SealedWriter, files)
        self._out = SectionWriter(
            lambda: create(segment_name(partition, number), number, store_uuid, FileKind.SEGMENT)
        )
        self._history = HistoryWriter(
            files,
            SectionWriter(
                lambda: create(
                    history_name(partition, number), number, store_uuid, FileKind.HISTORY
                )
            ),
            slice_,
            shape,
            packing,
        )
        by_columns = packing._replace(by_columns=True)
        self._names = dense_table(files, self._out, shape.names, slice_.first_id, by_columns)
        self._edge_blocks = Spool(files)
        self._edges = edge_table(
            files,
            self._edge_blocks,
            shape.positions,
            packing,
            slice_.first_sequence,
            slice_.last_sequence,
        )
        self._commit_rows = Spool(files)
        self._moving_nodes = slice_.moving_nodes() if isinstance(slice_, MovingSlice) else None
        self._split: dict[str, SplitWriter] = {}
        self._superseding_edge_count = 0

    def write_names(self) -> Steps:
        out, table = self._out, self._names
        out.begin("names")
        for item in self._names_to_write():
            if item is None:
                yield
                continue
            table.add(*item)
            yield from self._step(1)
        table.finish(self._slice.end_id)
        out.write("names_directory", table.directory())

    def write_nodes(self) -> Steps:
        table = self._begin("nodes", packing=self._write_dictionary())
        for item in self._nodes_to_write(table):
            if item is None:
                yield
                continue
            node_id, version, history = item
            if version is not None:
                table.add(node_id, self._node_record(version))
            if history:
                self._history.add_node(node_id, history)
            yield from self._step(1)
        table.finish(self._slice.end_id)
        self._history.end_nodes()

    def _names_to_write(self) -> Iterator[tuple[int, bytes] | None]:
        """Yield the names that do not move by themselves, None where to pause."""
        slice_, table = self._slice, self._names
        if isinstance(slice_, EncodedSlice):
            yield from slice_.encoded_names()
            return
        names: Iterable[NameItem | None] = slice_.names()
        moving = slice_.moving_names() if isinstance(slice_, MovingSlice) else None
        if moving is not None and isinstance(table, BuiltTable):
            move = moving.begin(self._shape.inline_size_max)
            names = move.below(slice_.end_id, table, self._pause_count)
        for item in names:
            yield (item[0], item[1].encode()) if item is not None else None

    def _nodes_to_write(self, table: SplitWriter) -> Iterator[NodeItem | None]:
        """Return the nodes that do not move by themselves, None where to pause."""
        if isinstance(self._slice, EncodedSlice):
            return self._put_encoded(self._slice, table)
        if self._moving_nodes is None or not table.is_built:
            return self._slice.nodes()
        move = self._moving_nodes.begin(self._shape.inline_size_max)
        return table.move(move, self._slice.end_id, self._pause_count)

    def _put_encoded(self, slice_: EncodedSlice, table: SplitWriter) -> Iterator[NodeItem | None]:
        """Put the records that a slice has; yield the other nodes, None where to pause."""
        for count, (node_id, found) in enumerate(slice_.encoded_nodes(), 1):
            if isinstance(found, bytes):
                table.add(node_id, found)
            else:
                yield found
            if count % self._pause_count == 0:
                yield None

    def write_edges(self) -> Steps:
        table = self._begin("out", sparse_row=SPARSE_OUT_ROW, dense_row=DENSE_OUT_ROW)
        stream = self._edge_stream(table)
        if stream is not None:
            yield from self._put_stream(
                stream, table, self._edges, self._put_edges, self._keep_past_edges
            )
            self._superseding_edge_count += stream.superseding_count
        else:
            for source, edges in self._slice.edges():
                self._put_edges(table, source, edges)
                self._keep_past_edges(source, edges)
                yield from self._step(len(edges))
        table.finish(self._slice.end_id, self._edges.position)
        self._edges.finish()
        self._history.end_edges()

    def write_incoming(self) -> Steps:
        table = self._begin("in")
        stream = self._incoming_stream(table)
        if stream is not None:
            yield from self._put_stream(
                stream, table, None, self._put_incoming, self._keep_past_incoming
            )
        else:
            for target, edges in self._slice.incoming():
                self._put_incoming(table, target, edges)
                self._keep_past_incoming(target, edges)
                yield from self._step(len(edges))
        table.finish(self._slice.end_id)
        self._history.end_incoming()

    def write_rest(self) -> Steps:
        """Write what waited in spools, and the commit table."""
        self._out.begin("edges")
        for piece in self._edge_blocks.chunks():
            self._out.append(piece)
            yield
        self._out.write("edges_directory", self._edges.directory())
        self._out.begin("commits")
        yield from self._write_commits()
        self._out.write("commits_directory", self._commit_rows.chunks())

    def finish(self) -> WrittenSegment:
        slice_, nodes, out = self._slice, self._split["nodes"], self._split["out"]
        edge_count = self._edges.position
        footer = SegmentFooter(
            slice_.first_sequence,
            slice_.last_sequence,
            slice_.first_id,
            slice_.end_id,
            self._names.record_count,
            nodes.sparse.record_count,
            nodes.dense.record_count,
            out.sparse_position,
            edge_count - out.sparse_position,
            self._superseding_edge_count,
            self._out.sections,
        )
        history = self._history.finish()
        segment = self._out.finish(footer.encode())
        if history is None:
            return WrittenSegment(segment, None, footer, None)
        return WrittenSegment(segment, history[0], footer, history[1])

    def abandon(self) -> None:
        self._out.abandon()
        self._history.abandon()

    def close(self) -> None:
        self._names.close()
        self._edges.close()
        for table in self._split.values():
            table.close()
        self._edge_blocks.close()
        self._commit_rows.close()
        self._history.close()

    def _begin(
        self,
        what: str,
        *,
        packing: Packing | None = None,
        sparse_row: Layout = SPARSE_ROW,
        dense_row: Layout = DENSE_ROW,
    ) -> SplitWriter:
        table = self._split[what] = SplitWriter(
            self._files,
            self._out,
            what,
            self._shape.lists if packing is None else self._shape.nodes,
            self._slice.first_id,
            packing=packing,
            sparse_row=sparse_row,
            dense_row=dense_row,
        )
        return table

    def _write_dictionary(self) -> Packing:
        """Write the dictionary if one pays; return how the end states of nodes are stored."""
        packing = self._packing._replace(by_columns=True, versions=True)
        self._out.begin("dictionary")
        if not self._compress:
            return packing
        dictionary = train_dictionary(self._texts(packing.inline_size_max))
        if not dictionary:
            return packing
        self._out.append(dictionary)
        return packing._replace(frames=Frames(dictionary))

    def _texts(self, inline_size_max: int) -> Iterator[bytes]:
        """Yield the texts of blocks of end states."""
        block_count = self._shape.nodes
        if self._moving_nodes is not None:
            move = self._moving_nodes.begin(inline_size_max)
            return move.texts(block_count, inline_size_max, self._end_record)
        records = (self._node_record(version) for _, version, _ in self._slice.nodes() if version)
        return texts_of_nodes(records, block_count, inline_size_max)

    def _end_record(self, item: NodeItem) -> bytes | None:
        return self._node_record(item[1]) if item[1] is not None else None

    def _step(self, count: int) -> Steps:
        """Pause when enough entries were written since the last time."""
        self._work += count
        if self._work >= self._step_count:
            self._work = 0
            yield

    def _node_record(self, version: NodeVersion) -> bytes:
        record = bytearray()
        NODE_VERSIONS.append(record, version, self._slice.first_sequence)
        return bytes(record)

    def _edge_stream(self, table: SplitWriter) -> ListStream[SliceEdge] | None:
        slice_ = self._slice
        if not (table.is_built and isinstance(self._edges, BuiltEdges)):
            return None
        return slice_.edge_stream(self._shape) if isinstance(slice_, StreamedSlice) else None

    def _incoming_stream(self, table: SplitWriter) -> ListStream[IncomingEdge] | None:
        slice_ = self._slice
        if not (table.is_built and isinstance(slice_, StreamedSlice)):
            return None
        return slice_.incoming_stream(self._shape)

    def _put_stream(
        self,
        stream: ListStream[Entry],
        table: SplitWriter,
        edges: EdgeTarget | None,
        put: Callable[[SplitWriter, int, Sequence[Entry]], None],
        keep_past: Callable[[int, Sequence[Entry]], None],
    ) -> Steps:
        """Let the kernel put the lists of a slice into a table; `put` and `keep_past` do what it
        hands back."""
        work_max = self._step_count * STREAM_FACTOR
        assert not isinstance(edges, EdgeWriter)
        slice_ = self._slice
        for half, end_id in ((table.sparse, slice_.first_id), (table.dense, slice_.end_id)):
            assert isinstance(half, BuiltTable)
            if half is table.dense:
                table.begin_dense(0 if edges is None else edges.position)
            while found := stream.step(half, edges, end_id, work_max):
                if found is True:
                    yield
                    continue
                assert not isinstance(found, bool)
                if found.is_whole:
                    put(table, found.node_id, found.edges)
                keep_past(found.node_id, found.edges)
                yield from self._step(len(found.edges))
        stream.finish()

    def _put_edges(self, table: SplitWriter, source: int, edges: Sequence[SliceEdge]) -> None:
        kept = [edge for edge in edges if edge.mark != Mark.GONE]
        if kept:
            record, flags = self._list([(edge.adjacent, edge.mark) for edge in kept])
            table.add(source, record, flags, self._edges.position)
            self._add_versions(kept)

    def _keep_past_edges(self, source: int, edges: Sequence[SliceEdge]) -> None:
        past = [(edge.adjacent, edge.history) for edge in edges if edge.history]
        if past:
            self._history.add_edges(source, past)

    def _put_incoming(self, table: SplitWriter, target: int, edges: Sequence[IncomingEdge]) -> None:
        kept = [(edge, mark) for edge, mark, _ in edges if mark != Mark.GONE]
        if kept:
            table.add(target, *self._list(kept))

    def _keep_past_incoming(self, target: int, edges: Sequence[IncomingEdge]) -> None:
        past = [edge for edge, _, has_history in edges if has_history]
        if past:
            self._history.add_incoming(target, past)

    def _list(self, edges: Sequence[tuple[AdjacentEdge, Mark]]) -> tuple[bytes, int]:
        return encode_list(
            [edge for edge, _ in edges],
            [mark for _, mark in edges],
            group_count_max=self._shape.group_edges,
            unindexed_size_max=self._shape.unindexed_size_max,
        )

    def _add_versions(self, edges: Iterable[SliceEdge]) -> None:
        for _, mark, version, _ in edges:
            assert version is not None
            assert (mark == Mark.DEAD) == (version.change is None)
            assert version.full or mark != Mark.MADE
            self._edges.add(version)
            self._superseding_edge_count += mark != Mark.MADE

    def _write_commits(self) -> Steps:
        block: list[CommitState] = []
        offset = 0
        sequence = self._slice.first_sequence
        for found, *state in self._slice.commits():
            assert found == sequence
            sequence += 1
            block.append(CommitState(*state))
            if len(block) == self._shape.commits:
                offset += self._write_commit_block(block, offset)
                block = []
            yield from self._step(1)
        if block:
            self._write_commit_block(block, offset)
        assert sequence == self._slice.last_sequence + 1

    def _write_commit_block(self, block: list[CommitState], offset: int) -> int:
        """Write a block and note its row; return its size."""
        self._commit_rows.append(COMMIT_ROW.pack(offset, *block[0]))
        data = encode_commits(block)
        self._out.append(data)
        return len(data)
