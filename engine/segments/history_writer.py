"""Writing a history: what a slice itself overwrote (SPEC.md, section 12.9)."""

from __future__ import annotations

from collections.abc import Sequence

from lithograph.files import Files
from lithograph.formats.adjacency_list import encode_list
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import HistoryFooter
from lithograph.formats.segment_shape import SegmentShape
from lithograph.formats.table_directory import SPARSE_OUT_ROW
from lithograph.formats.version_record import NODE_VERSIONS
from lithograph.segments.built_table import sparse_table
from lithograph.segments.edge_writer import EdgeWriter
from lithograph.segments.section_writer import SectionWriter
from lithograph.segments.slice import Slice
from lithograph.segments.split_writer import finish_sparse
from lithograph.segments.spool import Spool
from lithograph.segments.table_writer import Packing
from lithograph.segments.version import EdgeVersion, NodeVersion


class HistoryWriter:
    """A history on its way; its parts are added in the order of the methods.

    Attributes
    ----------
    node_count, node_version_count, edge_count, edge_version_count : so far.
    """

    def __init__(
        self,
        files: Files,
        out: SectionWriter,
        slice_: Slice,
        shape: SegmentShape,
        packing: Packing,
    ) -> None:
        self.node_count = self.node_version_count = 0
        self.edge_count = self.edge_version_count = 0
        self._out = out
        self._slice = slice_
        self._shape = shape
        self._edge_blocks = Spool(files)
        self._nodes = sparse_table(files, out, shape.nodes, packing)
        self._outgoing = sparse_table(files, out, shape.lists, None, SPARSE_OUT_ROW)
        self._incoming = sparse_table(files, out, shape.lists)
        self._edges = EdgeWriter(
            files, self._edge_blocks, shape.positions, packing, slice_.first_sequence
        )
        out.begin("nodes")

    def add_node(self, node_id: int, versions: Sequence[NodeVersion]) -> None:
        """Add the versions of a node, oldest first; at least one."""
        record = bytearray()
        NODE_VERSIONS.append_list(record, versions, self._slice.first_sequence)
        self._nodes.add(node_id, bytes(record))
        self.node_count += 1
        self.node_version_count += len(versions)

    def end_nodes(self) -> None:
        finish_sparse(self._out, "nodes", self._nodes)
        self._out.begin("out")

    def add_edges(
        self, source: int, edges: Sequence[tuple[AdjacentEdge, Sequence[EdgeVersion]]]
    ) -> None:
        """Add edges of one source, ascending, with their versions."""
        record, flags = self._list([adjacent for adjacent, _ in edges])
        self._outgoing.add(source, record, flags, self.edge_count)
        for _, versions in edges:
            self._edges.add_list(versions)
            self.edge_version_count += len(versions)
        self.edge_count += len(edges)

    def end_edges(self) -> None:
        finish_sparse(self._out, "out", self._outgoing)
        self._out.begin("in")

    def add_incoming(self, target: int, edges: Sequence[AdjacentEdge]) -> None:
        """Add the same edges as their target sees them; more of them do no harm."""
        if self.edge_count:
            record, flags = self._list(edges)
            self._incoming.add(target, record, flags)

    def end_incoming(self) -> None:
        finish_sparse(self._out, "in", self._incoming)

    def finish(self) -> tuple[SealedRef, HistoryFooter] | None:
        """Write the rest of the file and sync it; None if there is no history."""
        self._edges.finish()
        self._out.write("edges", self._edge_blocks.chunks())
        self._out.write("edges_directory", self._edges.directory())
        if not self.node_count and not self.edge_count:
            return None
        footer = HistoryFooter(
            self._slice.first_sequence,
            self._slice.last_sequence,
            self._slice.first_id,
            self._slice.end_id,
            self.node_count,
            self.node_version_count,
            self.edge_count,
            self.edge_version_count,
            self._out.sections,
        )
        return self._out.finish(footer.encode()), footer

    def abandon(self) -> None:
        """Remove the file if there is one."""
        self._out.abandon()

    def close(self) -> None:
        for table in (self._nodes, self._outgoing, self._incoming, self._edges):
            table.close()
        self._edge_blocks.close()

    def _list(self, edges: Sequence[AdjacentEdge]) -> tuple[bytes, int]:
        return encode_list(
            edges,
            group_count_max=self._shape.group_edges,
            unindexed_size_max=self._shape.unindexed_size_max,
        )
