"""Tables built in the kernel are, byte for byte, those of the plain writers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.formats.layout import Layout
from lithograph.formats.table_directory import (
    DENSE_OUT_ROW,
    DENSE_ROW,
    SPARSE_OUT_ROW,
    SPARSE_ROW,
)
from lithograph.segments.built_table import BuiltDense, BuiltSparse, dense_table, sparse_table
from lithograph.segments.table_writer import DenseWriter, Packing, SparseWriter
from lithograph.tools.testing.simulated_disk import SimulatedDisk

if kernel.tables is None:
    pytest.skip("the reference kernel builds no tables", allow_module_level=True)

from lithograph.kernel._tables import BlockBuilder

FIRST_ID = 3
Table = dict[int, tuple[bytes, int]]

tables = st.dictionaries(
    st.integers(FIRST_ID, 60),
    st.tuples(st.binary(min_size=1, max_size=12) | st.just(b"r" * 300), st.integers(0, 3)),
    max_size=40,
)
packings = st.sampled_from([None, Packing(None, 8), Packing(None, 1000)])


class Sink(bytearray):
    def append(self, data: Any) -> None:
        self.extend(data)


def write(writer: Any, sink: Sink, records: Table, end_id: int | None, keep: int) -> Any:
    """Return all that a writer makes of records; `keep`: positions go up by so many."""
    position = 0
    for node_id, (record, flags) in sorted(records.items()):
        writer.add(node_id, record, flags, position)
        position += keep
    if end_id is None:
        writer.finish()
    else:
        writer.finish(end_id, position)
    parts = [bytes(sink), b"".join(writer.directory())]
    if end_id is None:
        parts.append(b"".join(writer.filter()))
    found = (*parts, writer.size, writer.record_count)
    writer.close()
    return found


def dense(
    records: Table, block_count: int, packing: Packing | None, row: Layout, end_id: int
) -> None:
    files = SimulatedDisk().process(create=True)
    one, other = Sink(), Sink()
    plain = DenseWriter(files, one, block_count, FIRST_ID, packing, row)
    built = dense_table(files, other, block_count, FIRST_ID, packing, row)

    assert isinstance(built, BuiltDense)
    assert write(built, other, records, end_id, 5) == write(plain, one, records, end_id, 5)


@given(tables, st.integers(1, 9), packings, st.sampled_from([DENSE_ROW, DENSE_OUT_ROW]))
def test_a_dense_table_is_that_of_the_plain_writer(
    records: Table, block_count: int, packing: Packing | None, row: Layout
) -> None:
    dense(records, block_count, packing, row, 70)


@pytest.mark.parametrize("packing", [None, Packing(None, 8)])
@pytest.mark.parametrize("block_count", [1, 64, 256])
def test_a_table_that_is_drained_many_times_is_the_same(
    packing: Packing | None, block_count: int
) -> None:
    """The gaps alone are more than what may wait in the kernel."""
    records = {at: (bytes([at % 255 + 1]) * (at % 40 + 1), 0) for at in range(50_000, 90_000, 3)}
    dense(records, block_count, packing, DENSE_OUT_ROW, 150_000)


@given(tables, st.integers(1, 9), packings, st.sampled_from([SPARSE_ROW, SPARSE_OUT_ROW]))
def test_a_sparse_table_is_that_of_the_plain_writer(
    records: Table, block_count: int, packing: Packing | None, row: Layout
) -> None:
    files = SimulatedDisk().process(create=True)
    one, other = Sink(), Sink()
    plain = SparseWriter(files, one, block_count, packing, row)
    built = sparse_table(files, other, block_count, packing, row)

    assert isinstance(built, BuiltSparse)
    assert write(built, other, records, None, 5) == write(plain, one, records, None, 5)


def test_a_builder_refuses_what_cannot_be_in_a_table() -> None:
    builder = BlockBuilder(2, first_id=4)
    with pytest.raises(ValueError, match="do not ascend"):
        builder.add(3, b"r")
    assert builder.add(4, b"r")
    with pytest.raises(ValueError, match="do not ascend"):
        builder.add(4, b"r")
    with pytest.raises(ValueError, match="a record of 0 bytes"):
        builder.add(5, b"")
    with pytest.raises(ValueError, match="flags 4"):
        builder.add(5, b"r", 4)
    with pytest.raises(ValueError, match="blocks of 257 records"):
        BlockBuilder(257)
    with pytest.raises(ValueError, match="no gaps"):
        BlockBuilder(2).fill(7)
