"""The cache of names: what it keeps, how much, and that it never outlives the truth."""

from __future__ import annotations

from pathlib import Path

import lithograph
from lithograph.catalog.hot_names import ENTRY_BYTES, HotNames
from lithograph.ids import ABSENT


def test_what_was_put_is_found_by_run_and_name() -> None:
    names = HotNames(10 * ENTRY_BYTES)
    names.put(3, "Ada", 7)
    names.put(4, "Ada", ABSENT)

    assert (names.get(3, "Ada"), names.get(4, "Ada")) == (7, ABSENT)
    assert names.get(3, "Bob") is None


def test_the_least_recently_used_go_first() -> None:
    names = HotNames(2 * ENTRY_BYTES)
    names.put(1, "a", 1)
    names.put(1, "b", 2)
    assert names.get(1, "a") == 1
    names.put(1, "c", 3)

    assert (names.get(1, "a"), names.get(1, "b"), names.get(1, "c")) == (1, None, 3)
    assert names.size_bytes == 2 * ENTRY_BYTES


def test_without_room_and_for_long_names_nothing_is_kept() -> None:
    nothing, some = HotNames(0), HotNames(10 * ENTRY_BYTES)
    nothing.put(1, "a", 1)
    some.put(1, "a" * (ENTRY_BYTES + 1), 1)

    assert nothing.get(1, "a") is None
    assert some.size_bytes == 0


def test_a_name_that_was_hot_is_forgotten_when_its_node_is(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as g:
        g.put_node("Ada")
        g.put_node("Bob")
        g.checkpoint()
        first = g.node_id("Ada")
        before = g.snapshot()
        g.delete_node("Ada")
        assert g.node_id("Ada") is None
        g.checkpoint()
        assert g.node_id("Ada") is None
        g.put_node("Ada")
        g.compact()

        assert g.node_id("Ada") == 2
        assert g.node_id("Bob") == 1
        assert before.node_id("Ada") == first == 0
