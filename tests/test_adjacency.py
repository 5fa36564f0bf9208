"""Adjacency lists: what is written comes back, and nothing else is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError, TruncatedError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.adjacency_list import (
    INDEX_HEAD,
    INDEX_ROW,
    LongList,
    count_edges,
    decode_edge_count,
    decode_list,
    encode_list,
)
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.table_block import INDEXED, PURE
from lithograph.formats.varint import encode_varint
from lithograph.ids import ID_END
from lithograph.tools.testing.strategies import node_ids, texts

GOLDEN = Path(__file__).parent / "golden" / "v0" / "adjacency_list.hex"

EDGES: list[AdjacentEdge] = [
    (0, 5, ""),
    (0, 300, ""),
    *[(1, neighbor, "") for neighbor in range(9)],
    (2, 7, ""),
    (2, 7, "é"),
    (30, 1, ""),
    (31, 1, ""),
    (70_000, ID_END - 1, ""),
]
MARKS = [Mark.MADE] * 11 + [Mark.DEAD, Mark.CHANGED] + [Mark.MADE, Mark.CHANGED, Mark.MADE]

small_codes = st.integers(0, 3) | st.integers(28, 40) | st.integers(0, 2**32 - 1)
edges = st.tuples(
    small_codes, st.integers(0, 8) | node_ids, st.just("") | st.sampled_from(["a", "b"]) | texts
)
marks = st.sampled_from([Mark.DEAD, Mark.CHANGED, Mark.MADE])
lists = st.dictionaries(edges, st.just(Mark.MADE) | marks, min_size=1, max_size=40)


@given(lists, st.integers(1, 6), st.integers(0, 60))
def test_a_list_comes_back_whatever_its_groups(
    found: dict[AdjacentEdge, Mark], group_count_max: int, unindexed_size_max: int
) -> None:
    given_edges = sorted(found)
    given_marks = [found[edge] for edge in given_edges]
    data, flags = encode_list(
        given_edges,
        given_marks,
        group_count_max=group_count_max,
        unindexed_size_max=unindexed_size_max,
    )

    assert decode_list(data, flags, group_count_max) == (given_edges, given_marks)
    assert bool(flags & PURE) == all(mark == Mark.MADE for mark in given_marks)
    if flags & INDEXED:
        assert decode_edge_count(data[: INDEX_HEAD.size], len(data)) == len(given_edges)
    else:
        assert count_edges(data, group_count_max) == len(given_edges)


@given(lists, edges, st.integers(1, 4))
def test_one_edge_of_a_long_list_is_found_alone(
    found: dict[AdjacentEdge, Mark], other: AdjacentEdge, group_count_max: int
) -> None:
    given_edges = sorted(found)
    data, flags = encode_list(
        given_edges,
        [found[edge] for edge in given_edges],
        group_count_max=group_count_max,
        unindexed_size_max=0,
    )
    assert flags & INDEXED
    long = LongList(lambda offset, size: data[offset : offset + size], len(data), group_count_max)

    for place, edge in enumerate(given_edges):
        assert long.find(edge) == (place, found[edge])
    if other not in found:
        assert long.find(other) is None


def test_golden_bytes(request: pytest.FixtureRequest) -> None:
    data, flags = encode_list(EDGES, MARKS)
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.write_text(data.hex(" ", 16).replace(" ", "\n") + "\n")
    golden = bytes.fromhex(GOLDEN.read_text())

    assert data == golden
    assert flags == 0
    assert decode_list(golden, flags) == (EDGES, MARKS)


def test_a_typical_edge_takes_one_header_and_one_difference() -> None:
    assert encode_list([(3, 5, ""), (3, 6, "")]) == (bytes([3 | 1 << 5, 5, 1]), PURE)


@pytest.mark.parametrize("unindexed_size_max", [1024, 0])
def test_any_proper_prefix_is_corruption(unindexed_size_max: int) -> None:
    """But for those that end with a group, if there is no index: the block says where lists end."""
    data, flags = encode_list(EDGES, MARKS, unindexed_size_max=unindexed_size_max)
    ends = set()
    if not flags & INDEXED:
        for count in range(1, len(EDGES)):
            ends.add(len(encode_list(EDGES[:count], MARKS[:count])[0]))
    passed = 0
    for size in range(len(data)):
        try:
            decode_list(data[:size], flags)
        except CorruptionError:
            continue
        passed += 1
        assert size in ends
    assert passed < 5


@pytest.mark.parametrize("unindexed_size_max", [1024, 0])
def test_any_flipped_bit_is_corruption_or_another_list(unindexed_size_max: int) -> None:
    data, flags = encode_list(
        EDGES, MARKS, group_count_max=4, unindexed_size_max=unindexed_size_max
    )
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = decode_list(bytes(damaged), flags, 4)
        except CorruptionError:
            continue
        assert found != (EDGES, MARKS), f"bit {bit}"
        assert found[0] == sorted(set(found[0]))


@pytest.mark.parametrize(
    ("data", "flags", "message"),
    [
        (b"", PURE, "announced"),
        (bytes([0 | 1 << 5, 5, 0]), PURE, "stands twice"),
        (bytes([0, 5, 0, 4]), PURE, "ascending"),
        (bytes([0, 5, 0, 6]), PURE, "full"),
        (bytes([31, 30, 5]), PURE, "takes no varint"),
        (bytes([31, *encode_varint(2**32), 5]), PURE, "not below"),
        (bytes([6 << 5, 6, *range(6)]), PURE, "a group of 6 edges, 7"),
        (bytes([6 << 5, *encode_varint(2**63)]), PURE, "a group of 9223372036854775808"),
        (bytes([6 << 5, 0x80 | 7, 0, *range(7)]), PURE, "longer than it needs"),
        (bytes([7 << 5, 0, 1, 5]), PURE, "flags 0x00"),
        (bytes([7 << 5, 4, 1, 5]), PURE, "flags 0x04"),
        (bytes([7 << 5, 1, 1, 5, 0]), PURE, "no key"),
        (bytes([7 << 5, 1, 2, 5, 0, 1, 98, 1, 97]), PURE, "ascending"),
        (bytes([7 << 5, 1, 1, 5, 1, 255]), PURE, "UTF-8"),
        (bytes([7 << 5, 1, 1, 5, *encode_varint(65_536)]), PURE, "not below 65536"),
        (bytes([7 << 5, 1, 1, 5, *encode_varint(65_535)]), PURE, "announced"),
        (bytes([7 << 5, 2, 1, 5, 0]), 0, "sound marks"),
        (bytes([7 << 5, 2, 1, 5, 3]), 0, "sound marks"),
        (bytes([7 << 5, 2, 1, 5, 1 | 4]), 0, "padding"),
        (bytes([7 << 5, 2, 1, 5, 1]), PURE, "without marks has a marked group"),
        (bytes([0, 5]), 0, "no marked group"),
        (bytes([0, *encode_varint(ID_END)]), PURE, "not below"),
        (bytes([1 << 5, *encode_varint(ID_END - 1), 1]), PURE, "out of range"),
        (INDEX_HEAD.pack(1, 2**32 - 1), INDEXED | PURE, "4294967295 groups are announced"),
        (INDEX_HEAD.pack(1, 0), INDEXED | PURE, "in 0 groups"),
        (INDEX_HEAD.pack(2, 1) + INDEX_ROW.pack(5, 0, 24) + bytes([0, 5]), INDEXED | PURE, "index"),
        (INDEX_HEAD.pack(1, 1) + INDEX_ROW.pack(4, 0, 24) + bytes([0, 5]), INDEXED | PURE, "index"),
    ],
)
def test_hostile_lists_are_corruption(data: bytes, flags: int, message: str) -> None:
    with pytest.raises(CorruptionError, match=message):
        decode_list(data, flags)


@pytest.mark.parametrize("offset", [0, 23, 27, 2**32 - 1])
def test_an_index_that_leads_outside_is_corruption(offset: int) -> None:
    data = INDEX_HEAD.pack(1, 1) + INDEX_ROW.pack(5, 0, offset) + bytes([0, 5])

    with pytest.raises(CorruptionError):
        LongList(lambda start, size: data[start : start + size], len(data)).find((0, 5, ""))


def test_an_index_that_names_another_edge_than_its_group_is_corruption() -> None:
    data = INDEX_HEAD.pack(1, 1) + INDEX_ROW.pack(4, 0, 24) + bytes([0, 5])
    long = LongList(lambda start, size: data[start : start + size], len(data))

    with pytest.raises(CorruptionError, match="contradicts its groups"):
        long.find((0, 5, ""))


def test_an_index_that_does_not_ascend_ends_the_search() -> None:
    rows = [INDEX_ROW.pack(5, code, 8 + 16 * 3 + 2 * i) for i, code in enumerate((1, 0, 1))]
    data = INDEX_HEAD.pack(3, 3) + b"".join(rows) + bytes([1, 5, 0, 5, 1, 5])
    long = LongList(lambda start, size: data[start : start + size], len(data))

    for edge in [(0, 5, ""), (1, 5, ""), (1, 6, "")]:
        try:
            found = long.find(edge)
        except CorruptionError:
            continue
        assert found is None or found[0] < long.edge_count


def test_a_count_beyond_the_bytes_is_truncation_before_anything_is_allocated() -> None:
    with pytest.raises(TruncatedError):
        count_edges(bytes([6 << 5, 128, 1, 0x80, 0x80]))
