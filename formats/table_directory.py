"""Directories of tables: one row per block, found by index or by bisection (SPEC.md, 12.3)."""

from __future__ import annotations

from typing import Final

from lithograph.formats.layout import Field, Layout

_OFFSET: Final = Field("offset", "Q", "of the block, from the start of the table's section")
_FIRST_ID: Final = Field("first_id", "Q", "the lowest id of the block")
_POSITION: Final = Field("position", "Q", "out-edges in all blocks before it, sparse ones first")

DENSE_ROW: Final = Layout("directory row of a dense table", _OFFSET)
SPARSE_ROW: Final = Layout("directory row of a sparse table", _FIRST_ID, _OFFSET)
DENSE_OUT_ROW: Final = Layout("directory row of a dense table of out-edges", _OFFSET, _POSITION)
SPARSE_OUT_ROW: Final = Layout(
    "directory row of a sparse table of out-edges", _FIRST_ID, _OFFSET, _POSITION
)
