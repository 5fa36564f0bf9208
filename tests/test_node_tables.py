"""Tables of names and nodes in the kernel: the bytes and the errors of the plain way."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.formats.block_columns import Record, decode_columns, encode_columns
from lithograph.formats.cursor import Cursor
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.packed import append_packed
from lithograph.formats.table_block import encode_reference
from lithograph.formats.varint import append_varint
from lithograph.formats.version_record import NODE_VERSIONS
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.strategies import node_ids, node_patches

if kernel.tables is None:
    pytest.skip("the reference kernel makes no tables", allow_module_level=True)

from lithograph.kernel import UNSURE
from lithograph.kernel import _tables as tables

FIRST = 100


# Columns -----------------------------------------------------------------------------------------


def version(patch: NodePatch | None, sequence: int = FIRST, born: int = 0) -> bytes:
    """Return a version: full if it has a commit that made it."""
    out = bytearray()
    NODE_VERSIONS.append(out, (sequence, MOMENT, patch, bool(born), 0, born), FIRST)
    return bytes(out)


@st.composite
def versions(draw: st.DrawFn) -> bytes:
    sequence = draw(st.integers(FIRST, FIRST + 5) | st.integers(FIRST, 2**62))
    patch = draw(st.none() | node_patches())
    if patch is None:
        return version(None, sequence)
    return version(patch, sequence, draw(st.sampled_from([0, FIRST, sequence])))


references = st.builds(encode_reference, st.integers(0, 2**40), st.integers(0, 2**20))
rare_records = st.tuples(references, st.just(1)) | st.just((b"", 0))
version_records = st.lists(st.tuples(versions(), st.just(0)) | rare_records, min_size=1, max_size=9)
name_records = st.lists(
    st.tuples(st.binary(min_size=1, max_size=9).map(b"same".__add__), st.just(0)) | rare_records,
    min_size=1,
    max_size=9,
)


def plain_columns(records: list[Record], ids: list[int] | None, versions: bool) -> Any:
    try:
        return encode_columns(records, ids, versions=versions)
    except (CorruptionError, AssertionError):
        return UNSURE


def plain_block(columns: bytes, texts: bytes, count_max: int = 64) -> Any:
    try:
        return decode_columns(Cursor(columns), texts, count_max)
    except CorruptionError:
        return UNSURE


@example([(version(NodePatch(created_at=NO_MOMENT), FIRST, FIRST), 0)], True, 0)
@example([(version(NodePatch(observations=("", "")), FIRST, FIRST), 0)], True, 0)
@given(version_records, st.booleans(), st.integers(0, 2**32))
def test_versions_have_the_columns_of_the_plain_way(
    records: list[Record], sparse: bool, seed: int
) -> None:
    records = [record for record in records if record[0] or not sparse] or [(version(None), 0)]
    ids = sorted(random.Random(seed).sample(range(2**48), len(records))) if sparse else None
    found = tables.encode_columns(records, ids, True)

    assert found == plain_columns(records, ids, True)
    assert tables.decode_columns(found[0], found[1], 64) == plain_block(*found)


@given(name_records, st.none() | st.sets(node_ids, min_size=9, max_size=9))
def test_names_have_the_columns_of_the_plain_way(
    records: list[Record], some: set[int] | None
) -> None:
    if some is not None:
        records = [record for record in records if record[0]] or [(b"name", 0)]
    ids = None if some is None else sorted(some)[: len(records)]
    found = tables.encode_columns(records, ids, False)

    assert found == plain_columns(records, ids, False)
    assert tables.decode_columns(found[0], found[1], 64) == plain_block(*found)


@given(st.lists(st.tuples(st.binary(max_size=12), st.just(0)), min_size=1, max_size=4))
def test_what_is_no_version_is_left_to_the_plain_way(records: list[Record]) -> None:
    assert tables.encode_columns(records, None, True) in (
        UNSURE,
        plain_columns(records, None, True),
    )


def test_times_in_any_order_are_counted_from_the_lowest() -> None:
    moments = [MOMENT + 7, MOMENT - 9_000_000, MOMENT, NO_MOMENT, MOMENT - 3_000]
    records = [(version(NodePatch(created_at=moment), FIRST, FIRST), 0) for moment in moments]
    found = tables.encode_columns(records, None, True)

    assert found == plain_columns(records, None, True)
    assert tables.decode_columns(found[0], found[1], 64) == plain_block(*found)


def test_an_empty_name_is_none() -> None:
    columns, _ = tables.encode_columns([(b"a", 0), (b"b", 0)], None, False)
    assert columns[-3:] == b"\0\1\0"

    assert not same_or_unsure(columns[:-3] + b"\0\0\0", b"")
    assert not same_or_unsure(columns[:-2] + b"\0\1\1", b"a")


def test_long_columns_and_names_make_no_columns() -> None:
    long = [(b"x" * 65_536, 0)]
    many = [(version(NodePatch(observations=("",) * 65_537), FIRST, FIRST), 0)]

    assert tables.encode_columns(long, None, False) is None
    assert tables.encode_columns(many, None, True) is None
    assert tables.encode_columns([], None, True) is UNSURE
    assert tables.encode_columns([(b"x", 2)], None, False) is UNSURE


def same_or_unsure(columns: bytes, texts: bytes, count_max: int = 64) -> bool:
    """Check that the kernel says nothing else than the plain way; return whether it was sure."""
    found = tables.decode_columns(columns, texts, count_max)
    expected = plain_block(columns, texts, count_max)
    if expected is UNSURE:
        assert found is UNSURE
    else:
        assert found in (UNSURE, expected)
    return found is not UNSURE


@given(version_records | name_records, st.data())
def test_damaged_columns_are_left_to_the_plain_way(
    records: list[Record], data: st.DataObject
) -> None:
    found = tables.encode_columns(records, None, True)
    if found is UNSURE:
        found = tables.encode_columns(records, None, False)
    columns, texts = bytearray(found[0]), bytearray(found[1])
    for size in range(len(columns)):
        same_or_unsure(bytes(columns[:size]), bytes(texts))
    for size in range(len(texts)):
        same_or_unsure(bytes(columns), bytes(texts[:size]))
    same_or_unsure(bytes(columns), bytes(texts) + b"x")
    same_or_unsure(bytes(columns), bytes(texts), len(records) - 1)
    at = data.draw(st.integers(0, len(columns) - 1))
    for value in data.draw(st.lists(st.integers(0, 255), max_size=9)):
        columns[at] = value
        same_or_unsure(bytes(columns), bytes(texts))


@given(st.binary(max_size=30), st.binary(max_size=4))
def test_any_bytes_are_columns_or_left_to_the_plain_way(columns: bytes, texts: bytes) -> None:
    same_or_unsure(columns, texts)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(300, 310), min_size=1, max_size=40))
def test_integers_of_any_width_come_back(values: list[int]) -> None:
    """Packed, as the sequences of tombstones."""
    columns = bytearray()
    append_varint(columns, len(values))
    columns.append(0)
    append_packed(columns, [3] * len(values))
    append_packed(columns, values)

    assert same_or_unsure(bytes(columns), b"")
