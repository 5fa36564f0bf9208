"""Reading a segment: the folded end state of a range of commits (SPEC.md, section 12)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.commit_block import CommitState
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import segment_name
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.properties import check_encoded
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import SEGMENT_FOOTER, Section, SegmentFooter
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.table_directory import DENSE_OUT_ROW, DENSE_ROW
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.formats.version_record import NODE_VERSIONS, CommitSpan, decode_moment
from lithograph.kernel import UNSURE, quick
from lithograph.segments.adjacency_reader import AdjacencyReader, FoundList
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.commit_reader import CommitReader
from lithograph.segments.edge_reader import decode_whole
from lithograph.segments.layer import Direction
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.table_reader import DenseTable, SparseTable
from lithograph.segments.table_set import TableSet
from lithograph.segments.version import EdgeVersion, NodeVersion

if TYPE_CHECKING:
    from lithograph.kernel._reads import (
        QuickChanges,
        QuickEdges,
        QuickLists,
        QuickNames,
        QuickNodes,
    )

IdArray = npt.NDArray[np.int64]


class SegmentReader:
    """One open segment; any number of threads may read it.

    Attributes
    ----------
    ref : what the manifest knows of it.   path : for messages.   footer : ranges and counts.
    shape : entries per block.
    quick_lists, quick_nodes, quick_names, quick_edges : its lists, out and in, its nodes and their
        names, and its edges, as the kernel reads them, or None.
    span : its commits, for decoding versions, those of the history too.
    """

    def __init__(
        self,
        file: SealedFile,
        ref: SealedRef,
        footer: SegmentFooter,
        cache: BlockCache,
        shape: SegmentShape = ON_DISK,
    ) -> None:
        self.ref = ref
        self.path = file.path
        self.footer = footer
        self.file = file
        self.shape = shape
        ids = range(footer.first_id, footer.end_id)
        tables = TableSet(file, (FileKind.SEGMENT, ref.number), footer.sections, cache, shape)
        self.names = tables.dense("names", ids, shape.names)
        dictionary = tables.dictionary("dictionary")
        self.sparse_nodes = tables.sparse("sparse_nodes", dictionary)
        self.dense_nodes = tables.dense("dense_nodes", ids, shape.nodes, dictionary)
        self.lists = (
            AdjacencyReader(
                tables.sparse_lists("sparse_out", out=True),
                tables.dense_lists("dense_out", ids, out=True),
                shape,
            ),
            AdjacencyReader(
                tables.sparse_lists("sparse_in", out=False),
                tables.dense_lists("dense_in", ids, out=False),
                shape,
            ),
        )
        self._born = ids
        self.edge_table = tables.edges(footer.edge_count)
        self.commits = CommitReader(
            file,
            footer.sections["commits"],
            footer.sections["commits_directory"],
            footer.first_sequence,
            footer.last_sequence,
            shape.commits,
        )
        # Of the commit table, not of this reader: readers are in no cycle, so that the last user
        # of one gives its file back.
        self.span = CommitSpan(footer.first_sequence, footer.last_sequence, self.commits.time_of)
        self._quick_changes: QuickChanges | None = None
        self.quick_nodes: QuickNodes | None = None
        self.quick_names: QuickNames | None = None
        self.quick_lists: tuple[QuickLists, QuickLists] | None = None
        self.quick_edges: QuickEdges | None = None
        view = file.view() if quick is not None and shape is ON_DISK else None
        if quick is not None and view is not None:
            identity, at_hand = (FileKind.SEGMENT, ref.number), (cache, cache.nodes)
            self._quick_changes = quick.QuickChanges(
                *view,
                footer.sections["sparse_nodes"],
                footer.sections["sparse_nodes_directory"],
                range(footer.first_id),
                shape.nodes,
                identity,
                *at_hand,
                filter_=footer.sections["sparse_nodes_filter"],
            )
            self.quick_nodes = quick.QuickNodes(
                *view,
                footer.sections["dense_nodes"],
                footer.sections["dense_nodes_directory"],
                ids,
                shape.nodes,
                identity,
                *at_hand,
                changes=self._quick_changes,
                commits=range(footer.first_sequence, footer.last_sequence + 1),
                time_of=self.commits.time_of,
            )
            self.quick_names = quick.QuickNames(
                *view,
                footer.sections["names"],
                footer.sections["names_directory"],
                ids,
                shape.names,
                identity,
                *at_hand,
            )
            self.quick_lists = (
                quick_lists(*view, footer.sections, "out", ids),
                quick_lists(*view, footer.sections, "in", ids),
            )
            self.quick_edges = quick.QuickEdges(
                *view,
                (footer.sections["sparse_out"], footer.sections["sparse_out_directory"]),
                (footer.sections["dense_out"], footer.sections["dense_out_directory"]),
                ids,
                (shape.lists, shape.group_edges, shape.positions),
                (
                    footer.sections["edges"],
                    footer.sections["edges_directory"],
                    footer.edge_count,
                    footer.first_sequence,
                    footer.last_sequence,
                ),
                self.quick_lists[Direction.OUT],
                self.quick_nodes,
                file.check_ahead,
                self.edge_table.unpacked,
            )

    @classmethod
    def open(
        cls,
        files: Files,
        partition: str,
        ref: SealedRef,
        store_uuid: bytes,
        cache: BlockCache,
        shape: SegmentShape = ON_DISK,
    ) -> SegmentReader:
        """Map a segment and check that it is the one that `ref` speaks of.

        Raises
        ------
        CorruptionError : it is missing, damaged, stale or foreign, or its footer cannot be.
        FormatVersionError, StorageError

        Cost: independent of its size.
        """
        name = segment_name(partition, ref.number)
        file = SealedFile.open(files, name, ref, FileKind.SEGMENT, store_uuid, SEGMENT_FOOTER.size)
        try:
            footer = SegmentFooter.decode(file.body, file.data_size)
            return cls(file, ref, footer, cache, shape)
        except CorruptionError as error:
            file.close()
            raise error if error.path else error.located(file.path, file.footer_offset) from None

    def close(self) -> None:
        self.file.close()

    # Commits -----------------------------------------------------------------------------------

    def commit_row(self, sequence: int) -> CommitState:
        """Return time, node count and edge count of a commit of the segment."""
        return self.commits.commit(sequence)

    def sequence_at(self, time: int) -> int:
        """Return the newest commit that is not after `time` (µs since 1970 UTC).

        The segment's first commit is not after it: the manifest says so.
        """
        found = self.commits.sequence_at(time)
        if found is None:
            raise CorruptionError(f"all commits are after {time} µs", path=self.path)
        return found

    # Nodes -------------------------------------------------------------------------------------

    def name_of(self, node_id: int) -> str | None:
        """Return the name of a node born here; None for all others."""
        found = self.names.find(node_id)
        if found is None:
            return None
        name = self.names.record(*found).decode(decode_name)
        if self.quick_names is not None:
            # So that the kernel knows it next time.
            self.quick_names.bring(node_id)
        return name

    def node_version(self, node_id: int) -> NodeVersion | None:
        """Return a node's end state, or None if the segment says nothing of it."""
        if self.quick_nodes is not None and node_id in self._born:
            known = self.quick_nodes.find(node_id)
            if known is not UNSURE:
                return None if known is None else self._version_of(known, node_id)
            version = self._careful_node_version(node_id)
            # So that the kernel knows it next time.
            self.quick_nodes.bring(node_id)
            return version
        version = self._careful_node_version(node_id)
        if self._quick_changes is not None and version is not None:
            self._quick_changes.bring(node_id)
        return version

    def bring_nodes(self, ids: IdArray, count: int, size_max: int) -> None:
        """Bring the block of the first of these ids to hand, which are born here and ascend, and
        those behind it that are wanted, too: at most `count`, that stand in `size_max` bytes.

        What is damaged is told by whoever asks for a node of it. Cost: 40 µs per block.
        """
        table = self.dense_nodes
        if quick is None or self.quick_nodes is None:
            return
        blocks = (ids[ids < self._born.stop] - self._born.start) // table.per_block
        gaps = np.flatnonzero(np.diff(blocks) > 1)
        first, last = int(blocks[0]), int(blocks[gaps[0] if len(gaps) else -1])
        together = min(last + 1 - first, count)
        with contextlib.suppress(CorruptionError):
            bodies = table.bodies(first, first + together, size_max)
            for index, (_, body) in enumerate(bodies, first):
                quick.keep_block(self.quick_nodes, index, body)

    def _version_of(self, known: tuple[Any, ...], node_id: int) -> NodeVersion | None:
        """Return the version that the kernel took apart; whatever is wrong with it, the careful way
        says."""
        try:
            return _full_version(known, self.span)
        except CorruptionError:
            return self._careful_node_version(node_id)

    def _careful_node_version(self, node_id: int) -> NodeVersion | None:
        table = self._node_table(node_id)
        found = table.find(node_id)
        if found is None:
            return None
        span = self.span
        return table.record(*found).decode(lambda data: decode_node_version(data, span))

    # Edges -------------------------------------------------------------------------------------

    def list_of(self, node_id: int, direction: Direction) -> FoundList | None:
        """Return the edges of a node in one direction, or None if it has none here."""
        return self.lists[direction].find(node_id)

    def edges_of(self, source: int) -> list[tuple[AdjacentEdge, Mark, EdgeVersion]]:
        """Return the edges that leave a node, ascending, each with its mark and end state."""
        found = self.lists[Direction.OUT].find(source)
        return self.with_versions(found, found.position()) if found is not None else []

    def with_versions(
        self, found: FoundList, position: int
    ) -> list[tuple[AdjacentEdge, Mark, EdgeVersion]]:
        """Return a list with the end states that begin at a position."""
        edges, marks = found.decode()
        versions = self.edge_table.versions(position, len(edges), self.span)
        return list(zip(edges, marks, versions, strict=True))

    def edge_version(self, source: int, adjacent: AdjacentEdge) -> EdgeVersion | None:
        """Return one edge's end state, or None if the segment says nothing of it."""
        if self.quick_lists is not None and not adjacent[2] and 0 <= source < self.footer.end_id:
            known = self.quick_lists[Direction.OUT].has(source, adjacent[0], adjacent[1])
            if known is False:
                return None
        # The other end knows the edge as well, and a filter is quicker than a list.
        if not self.lists[Direction.IN].may_hold(adjacent[1]):
            return None
        found = self.lists[Direction.OUT].find(source)
        place = found.find(adjacent) if found is not None else None
        if found is None or place is None:
            return None
        return next(self.edge_table.versions(found.position() + place[0], 1, self.span))

    # Everything, for merges --------------------------------------------------------------------

    def all_names(self) -> Iterator[tuple[int, str]]:
        """Yield id and name of every node born here, ascending."""
        for node_id, data in self.names.all_records():
            yield node_id, data.decode(decode_name)

    def all_nodes(self) -> Iterator[tuple[int, NodeVersion]]:
        """Yield id and end state of every node that the segment says something of, ascending."""
        span = self.span
        for table in (self.sparse_nodes, self.dense_nodes):
            for node_id, stored in table.all_records():
                if table is self.sparse_nodes and node_id >= self.footer.first_id:
                    raise table.wrong(f"id {node_id} is not below {self.footer.first_id}")
                yield node_id, stored.decode(lambda data: decode_node_version(data, span))

    def all_edges(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark, EdgeVersion]]]]:
        """Yield every source, ascending, with its edges as `edges_of` returns them."""
        position = 0
        for source, found in self.lists[Direction.OUT].lists():
            edges = self.with_versions(found, position)
            position += len(edges)
            yield source, edges

    def all_incoming(self) -> Iterator[tuple[int, list[tuple[AdjacentEdge, Mark]]]]:
        """Yield every target, ascending, with the edges that enter it and their marks."""
        for target, found in self.lists[Direction.IN].lists():
            yield target, list(zip(*found.decode(), strict=True))

    def all_commits(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (sequence, time, node count, edge count) of every commit."""
        return self.commits.commits()

    def _node_table(self, node_id: int) -> SparseTable | DenseTable:
        return self.dense_nodes if node_id >= self.footer.first_id else self.sparse_nodes


def quick_lists(
    view: memoryview,
    checked: bytearray,
    data_size: int,
    sections: Mapping[str, Section],
    direction: str,
    ids: range,
) -> QuickLists:
    """Return the lists of one direction as the kernel reads them."""
    assert quick is not None

    def section(prefix: str, suffix: str = "") -> Section:
        return sections[f"{prefix}_{direction}{suffix}"]

    found: QuickLists = quick.QuickLists(
        view,
        checked,
        data_size,
        (section("sparse"), section("sparse", "_directory")),
        section("sparse", "_filter"),
        (section("dense"), section("dense", "_directory")),
        ids,
        (DENSE_OUT_ROW if direction == "out" else DENSE_ROW).size,
    )
    return found


def decode_name(data: bytes) -> str:
    """Return a name; CorruptionError if it cannot be one."""
    if not 0 < len(data) <= TEXT_SIZE_MAX:
        raise CorruptionError(f"a name of {len(data)} bytes")
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise CorruptionError(f"invalid UTF-8: {error.reason}", offset=error.start) from None


def decode_node_version(data: bytes, span: CommitSpan) -> NodeVersion:
    """Return the version that a record holds."""
    if quick is not None:
        found = quick.node_record(data)
        if found is not UNSURE:
            return _full_version(found, span)
    return decode_whole(data, lambda cursor: NodeVersion(*NODE_VERSIONS.read(cursor, span)))


def _full_version(found: tuple[Any, ...], span: CommitSpan) -> NodeVersion:
    """Return the full version that the kernel took apart."""
    sequence, born_sequence, type_code, created, observations, properties = found
    sequence += span.first_sequence
    if sequence > span.last_sequence:
        raise CorruptionError(f"commit {sequence} in a slice up to {span.last_sequence}", offset=2)
    time = born = span.time_of(sequence)
    if born_sequence >= 0:
        born_sequence += span.first_sequence
        born = span.time_of(born_sequence)
    else:
        born_sequence = sequence
    patch = NodePatch(
        type_code,
        None if created is None else decode_moment(created, time, 0),
        observations,
        properties=None if properties is None else check_encoded(properties, 0),
    )
    return NodeVersion(sequence, time, patch, True, born, born_sequence)


def decode_node_versions(data: bytes, span: CommitSpan) -> list[NodeVersion]:
    """Return the versions that a record of a history holds, oldest first."""
    return decode_whole(
        data, lambda cursor: [NodeVersion(*v) for v in NODE_VERSIONS.read_list(cursor, span)]
    )
