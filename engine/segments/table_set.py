"""The tables of a segment or a history, by the names of their sections (SPEC.md, 12.2)."""

from __future__ import annotations

from collections.abc import Mapping

from lithograph.formats.layout import Layout
from lithograph.formats.segment_footer import Section
from lithograph.formats.segment_shape import SegmentShape
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.dictionary import StoredDictionary
from lithograph.segments.edge_reader import EdgeReader
from lithograph.segments.sealed_file import SealedFile
from lithograph.segments.table_reader import DenseTable, Identity, SparseTable


class TableSet:
    """Makes readers of tables; CorruptionError where a directory cannot be that of its table."""

    def __init__(
        self,
        file: SealedFile,
        identity: Identity,
        sections: Mapping[str, Section],
        cache: BlockCache,
        shape: SegmentShape,
    ) -> None:
        self._file = file
        self._identity = identity
        self._sections = sections
        self._cache = cache
        self._shape = shape

    def dictionary(self, name: str) -> StoredDictionary:
        """Return the dictionary in a section."""
        return StoredDictionary(self._file, self._sections[name])

    def dense(
        self,
        name: str,
        ids: range,
        block_count_max: int,
        dictionary: StoredDictionary | None = None,
    ) -> DenseTable:
        """Return a dense table with envelopes."""
        return self._dense(name, ids, block_count_max, DENSE_ROW, self._cache, dictionary)

    def sparse(self, name: str, dictionary: StoredDictionary | None = None) -> SparseTable:
        """Return a sparse table with envelopes."""
        return self._sparse(name, SPARSE_ROW, self._shape.nodes, self._cache, dictionary)

    def dense_lists(self, name: str, ids: range, *, out: bool) -> DenseTable:
        """Return a dense table of adjacency lists."""
        row = DENSE_OUT_ROW if out else DENSE_ROW
        return self._dense(name, ids, self._shape.lists, row, None)

    def sparse_lists(self, name: str, *, out: bool) -> SparseTable:
        """Return a sparse table of adjacency lists."""
        row = SPARSE_OUT_ROW if out else SPARSE_ROW
        return self._sparse(name, row, self._shape.lists, None)

    def edges(self, edge_count: int) -> EdgeReader:
        """Return the table of edge versions."""
        return EdgeReader(
            self._file,
            self._identity,
            self._sections["edges"],
            self._sections["edges_directory"],
            edge_count,
            self._shape.positions,
            self._cache,
        )

    def _dense(
        self,
        name: str,
        ids: range,
        block_count_max: int,
        row: Layout,
        cache: BlockCache | None,
        dictionary: StoredDictionary | None = None,
    ) -> DenseTable:
        return DenseTable(
            self._file,
            self._identity,
            self._sections[name],
            self._sections[f"{name}_directory"],
            ids,
            block_count_max,
            cache,
            row,
            dictionary,
        )

    def _sparse(
        self,
        name: str,
        row: Layout,
        block_count_max: int,
        cache: BlockCache | None,
        dictionary: StoredDictionary | None = None,
    ) -> SparseTable:
        return SparseTable(
            self._file,
            self._identity,
            self._sections[name],
            self._sections[f"{name}_directory"],
            self._sections[f"{name}_filter"],
            block_count_max,
            cache,
            row,
            dictionary,
        )
