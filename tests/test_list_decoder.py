"""A list that the kernel decodes is what Python decodes; what Python refuses it leaves alone."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lithograph import kernel
from lithograph.errors import CorruptionError
from lithograph.formats.adjacency_group import Mark
from lithograph.formats.adjacency_list import decode_list, encode_list
from lithograph.formats.operations import AdjacentEdge
from lithograph.formats.table_block import INDEXED, PURE
from lithograph.ids import ID_END
from lithograph.tools.testing.strategies import node_ids, texts

if kernel.tables is None:
    pytest.skip("the reference kernel decodes no lists", allow_module_level=True)

from lithograph.kernel._tables import decode_list as decode_quickly

MARKS = tuple(Mark)
edges = st.tuples(
    st.integers(0, 3) | st.integers(28, 40) | st.integers(0, 2**32 - 1),
    st.integers(0, 8) | node_ids,
    st.just("") | st.sampled_from(["a", "b", "k\0", "é" * 200]) | texts,
)
marks = st.just(Mark.MADE) | st.sampled_from([Mark.DEAD, Mark.CHANGED, Mark.MADE])
lists = st.dictionaries(edges, marks, min_size=1, max_size=40)
LONG: dict[AdjacentEdge, Mark] = {(7, number, ""): Mark.MADE for number in range(700)}


def encoded(found: dict[AdjacentEdge, Mark], count_max: int, unindexed_max: int) -> Any:
    given_edges = sorted(found)
    return encode_list(
        given_edges,
        [found[edge] for edge in given_edges],
        group_count_max=count_max,
        unindexed_size_max=unindexed_max,
    )


@given(lists, st.integers(1, 6), st.integers(0, 60))
@example(LONG, 128, 1024)
@example(LONG, 128, 0)
def test_a_list_is_decoded(found: dict[AdjacentEdge, Mark], count_max: int, size: int) -> None:
    data, flags = encoded(found, count_max, size)

    expected = sorted(found)
    assert decode_quickly(data, flags, count_max, MARKS) == (
        expected,
        [found[edge] for edge in expected],
    )


@given(lists, st.integers(1, 6), st.integers(0, 60), st.data())
def test_damage_is_decoded_as_python_does_or_left_to_it(
    found: dict[AdjacentEdge, Mark], count_max: int, size: int, data: st.DataObject
) -> None:
    whole, flags = encoded(found, count_max, size)
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))]
    flags ^= data.draw(st.sampled_from([0, 0, 0, PURE, INDEXED]))
    quick = decode_quickly(damaged, flags, count_max, MARKS)
    try:
        careful = decode_list(bytes(damaged), flags, count_max)
    except CorruptionError:
        assert quick is None
    else:
        assert quick in (None, careful)


@pytest.mark.parametrize(
    ("data", "flags"), [(b"", 0), (b"", PURE), (b"\0\5", 4), (b"\0\5", 2**40), (b"\xff", INDEXED)]
)
def test_what_is_no_list_is_left_to_python(data: bytes, flags: int) -> None:
    assert decode_quickly(data, flags, 128, MARKS) is None


def test_a_list_may_be_decoded_while_another_one_is() -> None:
    """Making values can collect garbage, and that can run anything."""
    one, flags = encoded(LONG | {(9, ID_END - 1, "é"): Mark.MADE}, 128, 10**6)
    other, other_flags = encoded({(1, 2, "key"): Mark.DEAD}, 128, 10**6)
    expected = decode_list(one, flags, 128)
    before = gc.get_threshold()
    seen = []

    class Again:
        def __del__(self) -> None:
            seen.append(decode_quickly(other, other_flags, 128, MARKS))

    gc.set_threshold(1)
    try:
        for _ in range(20):
            again = Again()
            again.itself = again  # type: ignore[attr-defined]
            del again
            assert decode_quickly(one, flags, 128, MARKS) == expected
    finally:
        gc.set_threshold(*before)

    assert seen
    assert all(found == ([(1, 2, "key")], [Mark.DEAD]) for found in seen)
