"""Operations come back as they went, whatever they hold; anything else is a typed error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.cursor import Cursor, encode_ascending
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import (
    Operation,
    decode_operations,
    describe_operation,
    encode_operation,
)
from lithograph.formats.properties import EMPTY, decode_properties
from lithograph.formats.wal_record import ALIGNMENT, WalRecord
from lithograph.tools.testing.strategies import node_patches, operations


@given(st.lists(operations, max_size=4))
def test_a_record_gives_back_its_operations(expected: list[Operation]) -> None:
    record = WalRecord.of(
        expected, chain=1, epoch=2, sequence=3, synced_upto=0, commit_time=1_000_000
    )
    data = record.encode()

    assert len(data) % ALIGNMENT == 0
    decoded, _, end = WalRecord.decode(data)
    assert (decoded, end) == (record, len(data))
    assert decoded.operations() == expected


@given(operations)
def test_a_description_covers_every_byte_of_an_operation(operation: Operation) -> None:
    data = encode_operation(operation)
    described = list(describe_operation(data, 0))

    # Invariant: each field starts where the one before it ends.
    ends = [0, *(field.offset + field.size for field in described)]
    assert [field.offset for field in described] == ends[:-1]
    assert ends[-1] == len(data)
    assert described[3].name == "size"
    assert described[3].value == len(data)


@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_operations_or_corruption(data: bytes, count: int) -> None:
    try:
        found = decode_operations(data, 0, len(data), count)
    except CorruptionError:
        return

    assert len(found) == count


@given(st.lists(operations, min_size=1, max_size=3), st.data())
def test_a_changed_byte_gives_operations_or_corruption(
    expected: list[Operation], data: st.DataObject
) -> None:
    """The checksum is the record's; whoever can forge it gets a typed error or another graph."""
    encoded = bytearray(b"".join(map(encode_operation, expected)))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] = data.draw(st.integers(0, 255))
    try:
        found = decode_operations(bytes(encoded), 0, len(encoded), len(expected))
    except CorruptionError:
        return

    assert len(found) == len(expected)


def test_a_huge_count_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(CorruptionError, match="cannot fit"):
        decode_operations(b"", 0, 0, 2**32 - 1)
    with pytest.raises(TruncatedError, match="4294967295 items are announced"):
        Cursor(b"\xff\xff\xff\xff" + bytes(100)).texts()


@given(st.lists(st.integers(0, 2**48 - 1)).map(sorted))
def test_ascending_integers_come_back(values: list[int]) -> None:
    cursor = Cursor(encode_ascending(values))

    assert cursor.ascending(len(values), 2**48) == values
    cursor.finish("list")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x00", "longer than it needs"),
        (b"\xff" * 7, "longer than 7 bytes"),
        (b"\xff\xff\xff\xff\xff\xff\x7f", "not below"),
        (b"\x80", "1 bytes are announced"),
    ],
)
def test_an_odd_varint_is_corruption(data: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        Cursor(data).ascending(1, 2**48)


@given(node_patches(), node_patches(), node_patches())
def test_composed_patches_do_what_the_single_ones_do(
    base: NodePatch, first: NodePatch, second: NodePatch
) -> None:
    """`then` on a full node, field by field against the words of SPEC.md, section 7.2."""
    full = base.as_full().with_defaults()
    expected = _apply(_apply(_fields(full), first), second)

    assert _fields(full.then(first).then(second)) == expected
    assert _fields(full.then(first.then(second))) == expected


Fields = tuple[int | None, int | None, list[str], dict[str, object]]


def _fields(full: NodePatch) -> Fields:
    return (
        full.type_code,
        full.created_at,
        list(full.observations or ()),
        decode_properties(full.properties or EMPTY),
    )


def _apply(node: Fields, patch: NodePatch) -> Fields:
    type_code, created_at, observations, properties = node
    if patch.observations is not None:
        observations = list(patch.observations)
    observations = [text for text in observations if text not in (patch.removed or ())]
    observations += patch.appended or ()
    if patch.properties is not None:
        properties = decode_properties(patch.properties)
    properties = {k: v for k, v in properties.items() if k not in (patch.properties_unset or ())}
    properties |= decode_properties(patch.properties_set or EMPTY)
    return (
        type_code if patch.type_code is None else patch.type_code,
        created_at if patch.created_at is None else patch.created_at,
        observations,
        properties,
    )
