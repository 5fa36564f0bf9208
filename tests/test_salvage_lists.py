"""Positions of edges in a block of lists of which some are lost."""

from __future__ import annotations

from typing import Any

from lithograph.formats.adjacency_group import Mark
from lithograph.formats.table_block import Heads
from lithograph.maintenance.salvage_lists import Listed, placed
from lithograph.maintenance.salvage_tables import LostBlock
from lithograph.segments.table_reader import Block

NOTHING: Any = None


def edges(*targets: int) -> Listed:
    return [((0, target, ""), Mark.MADE) for target in targets]


def lost(positions: range | None, *sources: int) -> LostBlock:
    """Return a block of lists of some sources that begins at id 10, its heads sound."""
    heads = Heads(list(range(len(sources) + 1)), [4] * len(sources))
    block = Block(NOTHING, list(sources), heads, ())
    return LostBlock(range(10, 74), positions, block)


def places(block: LostBlock, known: dict[int, Listed], incoming: dict[int, Listed]) -> list[Any]:
    return [(source, first) for source, first, _ in placed(block, known, incoming)]


def test_all_are_placed_where_the_targets_know_every_edge() -> None:
    block = LostBlock(range(10, 74), range(100, 105))
    incoming = {10: edges(1, 2), 12: edges(3), 40: edges(4, 5), 99: edges(6)}

    assert places(block, {}, incoming) == [(10, 100), (12, 102), (40, 103)]


def test_none_is_placed_where_one_may_be_missing() -> None:
    block = LostBlock(range(10, 74), range(100, 106))
    incoming = {10: edges(1, 2), 12: edges(3), 40: edges(4, 5)}

    assert places(block, {}, incoming) == [(10, None), (12, None), (40, None)]


def test_lists_that_can_be_read_are_placed_from_both_ends() -> None:
    block = lost(range(100, 110), 10, 11, 12, 13)
    known = {10: edges(1, 2), 12: edges(7), 13: edges(8, 9)}

    assert places(block, known, {}) == [(10, 100), (12, 107), (13, 108)]
    assert places(block, known, {11: edges(3)}) == [(10, 100), (11, None), (12, 107), (13, 108)]
    assert places(block, known, {11: edges(2, 3, 4, 5, 6)})[1] == (11, 102)


def test_nothing_is_placed_without_the_directory() -> None:
    assert places(lost(None, 10), {10: edges(1)}, {}) == [(10, None)]
