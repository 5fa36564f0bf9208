"""Folding: end state and history together say what the raw versions said, at every commit."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.segments.folding import (
    fold_edge_versions,
    fold_node_versions,
    fold_versions,
    raw_versions,
    trim_history,
)
from lithograph.segments.version import EdgeVersion, NodeVersion, visible_down_to_full
from lithograph.tools.testing.strategies import edge_patches, node_patches

LAST = 12


@st.composite
def raw(draw: st.DrawFn) -> list[Any]:
    """Draw raw versions of a node or an edge, oldest first, at least one."""
    kind, patches = draw(
        st.sampled_from([(NodeVersion, node_patches()), (EdgeVersion, edge_patches)])
    )
    sequences = draw(st.lists(st.integers(1, LAST), min_size=1, max_size=6, unique=True))
    alive = draw(st.booleans())
    versions = []
    for sequence in sorted(sequences):
        time = 1000 * sequence
        if not alive:
            versions.append(kind(sequence, time, draw(patches), True, time, sequence))
            alive = True
        elif draw(st.integers(0, 3)):
            versions.append(kind(sequence, time, draw(patches), False))
        else:
            versions.append(kind(sequence, time, None, False))
            alive = False
    return versions


def _seen(versions: Sequence[Any]) -> Any:
    """Return what versions to fold, newest first, amount to."""
    if not versions:
        return None
    base = versions[-1]
    patch = base.change
    if patch is not None:
        if base.full and isinstance(patch, NodePatch):
            patch = patch.with_defaults()
        for version in versions[-2::-1]:
            patch = patch.then(version.change)
        if base.full and isinstance(patch, NodePatch):
            patch = patch.as_full()
    newest = versions[0]
    return newest.sequence, newest.time, patch, base.full, base.born, base.born_sequence


def _view(end: Any, history: list[Any], sequence: int) -> Any:
    """Return what a reader makes of end state and history."""
    if end.sequence <= sequence:
        return _seen([end])
    return _seen(visible_down_to_full(history, sequence))


@given(raw())
def test_end_state_and_history_say_what_the_raw_versions_say(versions: list[Any]) -> None:
    end, history = fold_versions(versions)

    for sequence in range(LAST + 1):
        assert _view(end, history, sequence) == _seen(visible_down_to_full(versions, sequence))
    assert all(a.sequence < b.sequence for a, b in pairwise(history))


@given(raw())
def test_folding_what_was_folded_gives_the_same(versions: list[Any]) -> None:
    end, history = fold_versions(versions)
    again = raw_versions(end, history)

    assert [version.sequence for version in again] == [version.sequence for version in versions]
    assert fold_versions(again) == (end, history)


@given(raw(), st.data())
def test_parts_folded_one_by_one_say_what_the_whole_says(
    versions: list[Any], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(versions)))
    parts = [fold_versions(part) for part in (versions[:cut], versions[cut:]) if part]
    joined = [version for end, history in parts for version in raw_versions(end, history)]
    end, history = fold_versions(joined)

    for sequence in range(LAST + 1):
        assert _view(end, history, sequence) == _seen(visible_down_to_full(versions, sequence))


@given(raw(), st.integers(0, LAST))
def test_trimming_changes_nothing_from_the_floor_on(versions: list[Any], floor: int) -> None:
    trimmed = trim_history(versions, floor)

    assert sum(version.sequence <= floor for version in trimmed) <= 1
    for sequence in range(floor, LAST + 1):
        assert _seen(visible_down_to_full(trimmed, sequence)) == _seen(
            visible_down_to_full(versions, sequence)
        )


def test_an_edge_that_is_only_in_history_is_its_history() -> None:
    history = [EdgeVersion(1, 1, EdgePatch(), True, 1, 1), EdgeVersion(2, 2, None, False)]

    assert raw_versions(None, history) == history


def test_relative_versions_without_a_base_keep_the_newest_in_history() -> None:
    versions = [
        NodeVersion(1, 10, NodePatch(appended=("a",)), False),
        NodeVersion(2, 20, NodePatch(appended=("b",)), False),
    ]

    end = NodeVersion(2, 20, NodePatch(appended=("a", "b")), False)
    assert fold_node_versions(versions) == (end, versions)
    assert fold_node_versions(versions[:1]) == (versions[0], [])


@pytest.mark.parametrize("fold", [fold_node_versions, fold_edge_versions])
def test_a_change_of_what_was_ended_is_corruption(fold: Any) -> None:
    kind: Any = NodeVersion if fold is fold_node_versions else EdgeVersion
    patch = NodePatch() if fold is fold_node_versions else EdgePatch()
    with pytest.raises(CorruptionError, match="what commit 1 ended"):
        fold([kind(1, 1, None, False), kind(2, 2, patch, False)])
