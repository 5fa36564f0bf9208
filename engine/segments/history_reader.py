"""Reading a history: the versions that a segment's own slice overwrote (SPEC.md, 12.9).

When its commits were, the segment knows: methods that decode versions take its `span`.
"""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import history_name
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import HISTORY_FOOTER, HistoryFooter
from lithograph.formats.segment_shape import ON_DISK, SegmentShape
from lithograph.formats.version_record import CommitSpan
from lithograph.segments.adjacency_reader import AdjacencyReader, FoundList
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.layer import Direction
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.segment_reader import decode_node_versions
from lithograph.segments.table_set import TableSet
from lithograph.segments.version import EdgeVersion, NodeVersion


class HistoryReader:
    """One open history; any number of threads may read it.

    Attributes
    ----------
    ref : what the manifest knows of it.   path : for messages.   footer : ranges and counts.
    """

    def __init__(
        self,
        file: SealedFile,
        ref: SealedRef,
        footer: HistoryFooter,
        cache: BlockCache,
        shape: SegmentShape = ON_DISK,
    ) -> None:
        self.ref = ref
        self.path = file.path
        self.footer = footer
        self.file = file
        tables = TableSet(file, (FileKind.HISTORY, ref.number), footer.sections, cache, shape)
        self.nodes = tables.sparse("nodes")
        self.lists = (
            AdjacencyReader(tables.sparse_lists("out", out=True), None, shape),
            AdjacencyReader(tables.sparse_lists("in", out=False), None, shape),
        )
        self.edge_table = tables.edges(footer.edge_count)

    @classmethod
    def open(
        cls,
        files: Files,
        partition: str,
        ref: SealedRef,
        store_uuid: bytes,
        cache: BlockCache,
        shape: SegmentShape = ON_DISK,
    ) -> HistoryReader:
        """Map a history and check that it is the one that `ref` speaks of; as for segments."""
        name = history_name(partition, ref.number)
        file = SealedFile.open(files, name, ref, FileKind.HISTORY, store_uuid, HISTORY_FOOTER.size)
        try:
            footer = HistoryFooter.decode(file.body, file.data_size)
            return cls(file, ref, footer, cache, shape)
        except CorruptionError as error:
            file.close()
            raise error if error.path else error.located(file.path, file.footer_offset) from None

    def close(self) -> None:
        self.file.close()

    def node_versions(self, node_id: int, span: CommitSpan) -> list[NodeVersion]:
        """Return a node's versions, oldest first; [] if there are none."""
        found = self.nodes.find(node_id)
        if found is None:
            return []
        return self.nodes.record(*found).decode(lambda data: decode_node_versions(data, span))

    def list_of(self, node_id: int, direction: Direction) -> FoundList | None:
        """Return the edges of a node that may have versions here, or None if none has."""
        return self.lists[direction].find(node_id)

    def edges_of(
        self, source: int, span: CommitSpan
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        """Return the edges that leave a node, ascending, each with its versions, oldest first."""
        found = self.lists[Direction.OUT].find(source)
        return self.with_versions(found, found.position(), span) if found is not None else []

    def with_versions(
        self, found: FoundList, position: int, span: CommitSpan
    ) -> list[tuple[AdjacentEdge, list[EdgeVersion]]]:
        """Return a list with the versions that begin at a position."""
        edges = found.decode().edges
        versions = self.edge_table.lists(position, len(edges), span)
        return list(zip(edges, versions, strict=True))

    def edge_versions(
        self, source: int, adjacent: AdjacentEdge, span: CommitSpan
    ) -> list[EdgeVersion]:
        """Return one edge's versions, oldest first; [] if there are none."""
        found = self.lists[Direction.OUT].find(source)
        place = found.find(adjacent) if found is not None else None
        if found is None or place is None:
            return []
        return next(self.edge_table.lists(found.position() + place[0], 1, span))

    def all_nodes(self, span: CommitSpan) -> Iterator[tuple[int, list[NodeVersion]]]:
        """Yield every node with versions here, ascending."""
        for node_id, stored in self.nodes.all_records():
            if node_id >= self.footer.end_id:
                raise self.nodes.wrong(f"id {node_id} is not below {self.footer.end_id}")
            yield node_id, stored.decode(lambda data: decode_node_versions(data, span))

    def all_edges(
        self, span: CommitSpan
    ) -> Iterator[tuple[int, list[tuple[AdjacentEdge, list[EdgeVersion]]]]]:
        """Yield every source, ascending, with its edges as `edges_of` returns them."""
        position = 0
        for source, found in self.lists[Direction.OUT].lists():
            edges = self.with_versions(found, position, span)
            position += len(edges)
            yield source, edges

    def all_incoming(self) -> Iterator[tuple[int, list[AdjacentEdge]]]:
        """Yield every target, ascending, with the edges that may have versions here."""
        for target, found in self.lists[Direction.IN].lists():
            yield target, found.decode().edges
