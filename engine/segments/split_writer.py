"""Writing a pair of tables: older ids sparse, then the ids born in the slice dense."""

from __future__ import annotations

from collections.abc import Iterator

from lithograph.files import Files
from lithograph.formats.layout import Layout
from lithograph.formats.table_directory import DENSE_ROW, SPARSE_ROW
from lithograph.segments.built_table import BuiltTable, SparseTarget, dense_table, sparse_table
from lithograph.segments.moving_records import Item, Move
from lithograph.segments.section_writer import SectionWriter
from lithograph.segments.table_writer import Packing


class SplitWriter:
    """The sections `sparse_…` and `dense_…` of a segment, written front to back.

    Attributes
    ----------
    sparse, dense : the two tables.
    sparse_position : the position when the sparse one ended, in tables that keep count of edges.
    """

    def __init__(
        self,
        files: Files,
        out: SectionWriter,
        what: str,
        block_count: int,
        first_id: int,
        *,
        packing: Packing | None = None,
        sparse_row: Layout = SPARSE_ROW,
        dense_row: Layout = DENSE_ROW,
    ) -> None:
        self.sparse = sparse_table(files, out, block_count, packing, sparse_row)
        self.dense = dense_table(files, out, block_count, first_id, packing, dense_row)
        self.sparse_position = 0
        self._out = out
        self._what = what
        self._first_id = first_id
        self._in_dense = False
        out.begin(f"sparse_{what}")

    @property
    def is_built(self) -> bool:
        """Whether the kernel builds both tables."""
        return isinstance(self.sparse, BuiltTable) and isinstance(self.dense, BuiltTable)

    def add(self, node_id: int, record: bytes, flags: int = 0, position: int = 0) -> None:
        """Add the record of an id above those before; `position` as in the tables."""
        if node_id < self._first_id:
            self.sparse.add(node_id, record, flags, position)
            return
        self.begin_dense(position)
        self.dense.add(node_id, record, flags, position)

    def begin_dense(self, position: int) -> None:
        """Finish the sparse table, if that was not done: all ids below are there."""
        if self._in_dense:
            return
        self._in_dense = True
        self.sparse_position = position
        finish_sparse(self._out, f"sparse_{self._what}", self.sparse)
        self._out.begin(f"dense_{self._what}")

    def move(self, move: Move[Item], end_id: int, pause_count: int) -> Iterator[Item | None]:
        """Move records into both tables, that have no positions; yield as `Move.below`."""
        assert isinstance(self.sparse, BuiltTable)
        assert isinstance(self.dense, BuiltTable)
        yield from move.below(self._first_id, self.sparse, pause_count)
        self.begin_dense(0)
        yield from move.below(end_id, self.dense, pause_count)

    def finish(self, end_id: int, position: int = 0) -> None:
        """Write what is left of both tables; `end_id` is the end of the ids born here."""
        self.begin_dense(position)
        self.dense.finish(end_id, position)
        self._out.write(f"dense_{self._what}_directory", self.dense.directory())
        self.close()

    def close(self) -> None:
        self.sparse.close()
        self.dense.close()


def finish_sparse(out: SectionWriter, name: str, table: SparseTarget) -> None:
    """Write what is left of a sparse table: its last block, its directory, its filter."""
    table.finish()
    out.write(f"{name}_directory", table.directory())
    out.write(f"{name}_filter", table.filter())
