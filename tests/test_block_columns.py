"""Packed integers, and blocks by columns: what is written comes back byte for byte, nothing else is
accepted, and no few bytes become many."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.formats.block_columns import Record, decode_columns, encode_columns
from lithograph.formats.cursor import Cursor
from lithograph.formats.envelope import (
    COLUMNS,
    PLAIN_FRAMES,
    decode_head,
    encode_columns_envelope,
    split_columns,
)
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.optional_fields import NO_MOMENT
from lithograph.formats.packed import append_packed, read_packed
from lithograph.formats.properties import encode_properties
from lithograph.formats.table_block import OUT_OF_LINE, encode_block, encode_reference
from lithograph.formats.varint import encode_varint
from lithograph.formats.version_record import NODE_VERSIONS
from lithograph.tools.testing.samples import MOMENT
from lithograph.tools.testing.strategies import node_ids, node_patches

GOLDEN = Path(__file__).parent / "golden" / "v0" / "block_columns.hex"
FIRST = 100


def _packed(values: list[int]) -> bytes:
    out = bytearray()
    append_packed(out, values)
    return bytes(out)


# Packed integers ---------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(300, 310), max_size=20), st.binary())
def test_packed_integers_come_back(values: list[int], rest: bytes) -> None:
    data = _packed(values)
    cursor = Cursor(data + rest)

    assert read_packed(cursor, len(values)) == values
    assert cursor.offset == len(data)
    for size in range(len(data)):
        with pytest.raises(CorruptionError):
            read_packed(Cursor(data[:size]), len(values))


def test_packed_integers_take_the_bits_that_they_need() -> None:
    assert _packed([1000] * 100) == encode_varint(1000) + b"\0"
    assert len(_packed([1000, *[1511] * 255])) == 2 + 1 + 256 * 9 // 8
    assert _packed([]) == b""


@given(st.binary(max_size=24), st.integers(1, 9))
def test_packed_integers_are_written_in_one_way(data: bytes, count: int) -> None:
    cursor = Cursor(data)
    try:
        values = read_packed(cursor, count)
    except CorruptionError:
        return

    assert _packed(values) == data[: cursor.offset]


# Blocks ------------------------------------------------------------------------------------------


def _record(
    patch: NodePatch | None, sequence: int = FIRST, born: int = 0, time: int = MOMENT
) -> bytes:
    """Return a version: full if it has a commit that made it."""
    out = bytearray()
    NODE_VERSIONS.append(out, (sequence, time, patch, bool(born), 0, born), FIRST)
    return bytes(out)


def _decoded(columns: bytes, texts: bytes, count_max: int = 64) -> bytes:
    return decode_columns(Cursor(columns), texts, count_max)


@st.composite
def versions(draw: st.DrawFn) -> Record:
    sequence = draw(st.integers(FIRST, 2**40))
    kind = draw(st.sampled_from(["full", "carried", "relative", "tombstone", "none", "reference"]))
    if kind == "none":
        return b"", 0
    if kind == "reference":
        return encode_reference(draw(st.integers(0, 2**40)), draw(st.integers(0, 2**20))), 1
    if kind == "tombstone":
        return _record(None, sequence), 0
    born = {"full": sequence, "carried": draw(st.integers(FIRST, sequence)), "relative": 0}[kind]
    return _record(draw(node_patches()), sequence, born), 0


def _check(records: list[Record], ids: list[int] | None, *, versions: bool) -> None:
    split = encode_columns(records, ids, versions=versions)

    assert split is not None
    assert _decoded(*split) == encode_block(records, ids)


@given(st.lists(versions(), min_size=1, max_size=8), st.data())
def test_a_block_of_versions_comes_back(records: list[Record], data: st.DataObject) -> None:
    _check(records, None, versions=True)
    present = [record for record in records if record[0]]
    if present:
        some = st.lists(node_ids, min_size=len(present), max_size=len(present), unique=True)
        _check(present, sorted(data.draw(some)), versions=True)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=8), st.binary(max_size=4))
def test_a_block_of_names_comes_back(names: list[bytes], start: bytes) -> None:
    _check([(start + name if name else b"", 0) for name in names], None, versions=False)


def test_names_that_begin_alike_say_so_once() -> None:
    names = [b"entity:%04d" % number for number in range(64)]
    split = encode_columns([(name, 0) for name in names], None, versions=False)

    assert split is not None
    assert split[1] == b"entity:00" + b"".join(name[-2:] for name in names)


def test_a_block_that_columns_cannot_hold_has_none() -> None:
    many = NodePatch(observations=("",) * 65_537)

    assert encode_columns([(_record(many), 0)], None, versions=True) is None
    assert encode_columns([(b"n" * 65_536, 0)], None, versions=False) is None


# Golden bytes ------------------------------------------------------------------------------------

SAMPLE: list[Record] = [
    (
        _record(
            NodePatch(
                type_code=number % 3,
                created_at=MOMENT - number * 86_400_000_000 if number % 4 else None,
                observations=("wrote the first program", "naïve")[: number % 3] or None,
                properties=encode_properties({"born": 1815 + number}) if number % 2 else None,
            ),
            FIRST + number,
            FIRST + number,
        ),
        0,
    )
    for number in range(8)
]
SAMPLE += [
    (b"", 0),
    (encode_reference(70, 2000), OUT_OF_LINE),
    (_record(NodePatch(removed=("old",), appended=("new",)), FIRST + 9), 0),
    (_record(NodePatch(created_at=NO_MOMENT, type_code=900), FIRST + 9, FIRST + 2), 0),
    (_record(None, FIRST + 3), 0),
]


def _envelope() -> bytes:
    split = encode_columns(SAMPLE, None, versions=True)
    assert split is not None
    envelope = encode_columns_envelope(*split, PLAIN_FRAMES)
    assert envelope is not None
    return envelope


def _open(envelope: bytes) -> bytes:
    cursor = Cursor(envelope)
    codec, size = decode_head(cursor)
    assert codec == COLUMNS
    assert size == len(envelope) - cursor.offset
    return decode_columns(*split_columns(envelope[cursor.offset :], PLAIN_FRAMES), 64)


def test_golden_bytes(request: pytest.FixtureRequest) -> None:
    """The columns; a frame is what some version of the library makes of the texts."""
    split = encode_columns(SAMPLE, None, versions=True)
    assert split is not None
    columns, texts = split
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.write_text("\n".join(part.hex(" ", 16) for part in split) + "\n")
    golden = [bytes.fromhex(line) for line in GOLDEN.read_text().splitlines()]

    assert [columns, texts] == golden
    assert _decoded(golden[0], golden[1]) == encode_block(SAMPLE)
    assert _open(_envelope()) == encode_block(SAMPLE)


# Columns that lie --------------------------------------------------------------------------------


def test_every_prefix_of_an_envelope_by_columns_is_corruption() -> None:
    envelope = _envelope()
    stored = envelope[2:] if envelope[1] < 0x80 else envelope[3:]
    assert decode_columns(*split_columns(stored, PLAIN_FRAMES), 64) == encode_block(SAMPLE)
    for size in range(len(stored)):
        with pytest.raises(CorruptionError):
            decode_columns(*split_columns(stored[:size], PLAIN_FRAMES), 64)


def test_changed_columns_are_corruption_or_another_block() -> None:
    split = encode_columns(SAMPLE, None, versions=True)
    assert split is not None
    columns, texts = split
    wanted = encode_block(SAMPLE)
    rng = random.Random(1)
    for position in range(len(columns)):
        for value in {rng.randrange(256), columns[position] ^ 1, 0, 255} - {columns[position]}:
            damaged = columns[:position] + bytes([value]) + columns[position + 1 :]
            try:
                found = _decoded(damaged, texts)
            except CorruptionError:
                continue
            assert found != wanted, position


MANY = 2**40
HEAD = b"\1\0"  # One id, dense.
FULL = _packed([3 + 3])


@pytest.mark.parametrize(
    ("columns", "texts", "message"),
    [
        (encode_varint(MANY), b"", "a block of 1099511627776 ids"),
        (b"\0", b"", "a block of 0 ids"),
        (b"\x41", b"", "a block of 65 ids"),
        (b"\1\2", b"", "but not 2"),
        (b"\2\1" + _packed([2**48]), b"", "not below"),
        (HEAD + _packed([11]), b"", "not below"),
        (HEAD + _packed([0]) + b"\0", b"", "too many"),
        (HEAD + _packed([0]), b"x", "1 bytes of texts belong to no record"),
        (HEAD + _packed([1]) + encode_varint(MANY), b"", "names share 1099511627776 bytes"),
        (HEAD + _packed([1]) + b"\3" + _packed([0]), b"x", "3 bytes of texts, 1 are left"),
        (HEAD + _packed([1]) + b"\0" + _packed([0]), b"", "an empty name"),
        (HEAD + _packed([1]) + b"\0" + _packed([MANY]), b"x", "1099511627776 bytes of texts"),
        (HEAD + _packed([2]) + _packed([MANY]), b"x", "1099511627776 bytes of texts"),
        (HEAD + FULL + _packed([256]), b"", "not below 256"),
        (HEAD + FULL + _packed([4]) + _packed([0]) + _packed([MANY]), b"", "texts in a block"),
        (HEAD + FULL + _packed([4]) + _packed([0]) + _packed([65_537]), b"", "texts in a block"),
        (HEAD + FULL + _packed([2]) + _packed([0]) + _packed([4]), b"", "not below 4"),
        (
            HEAD
            + FULL
            + _packed([2])
            + _packed([0])
            + _packed([0])
            + encode_varint(2**64 - 1)
            + _packed([0]),
            b"",
            "units from its commit",
        ),
    ],
)
def test_hostile_columns_are_corruption(columns: bytes, texts: bytes, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        _decoded(columns, texts)


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_any_bytes_are_columns_or_corruption(columns: bytes, texts: bytes) -> None:
    try:
        body = _decoded(columns, texts)
    except CorruptionError:
        return

    assert len(body) <= 64 * 11 * (1 + len(columns) + len(texts))
