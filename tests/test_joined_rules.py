"""Each rule that spans slices is kept by itself: what breaks one alone is not found sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from lithograph.ids import ABSENT
from lithograph.kernel import survey
from lithograph.maintenance.meter import Meter
from lithograph.maintenance.verify_joined import is_sound
from lithograph.segments.block_walk import NotPlainError
from lithograph.segments.name_sum import NameSum
from lithograph.segments.slice_columns import EdgeColumns
from lithograph.segments.table_columns import ListColumns, NodeColumns

pytestmark = pytest.mark.skipif(survey is None, reason="the quick way is the kernel's")

TOMBSTONE, RELATIVE, FULL = 0, 1, 3
DEAD, CHANGED, MADE = 1, 2, 3


@dataclass
class Rows:
    """One slice, as rows: nodes (id, commit, born, head); edges (source, target, hash, mark,
    commit, born, head); entering (target, source, hash, mark)."""

    first_id: int
    end_id: int
    nodes: list[tuple[int, ...]]
    edges: list[tuple[int, ...]]
    entering: list[tuple[int, ...]]
    old_nodes: list[tuple[int, ...]] = field(default_factory=list)
    old_edges: list[tuple[int, ...]] = field(default_factory=list)


@dataclass
class Store:
    """Two slices; what the commit tables and the name index say of them is kept apart.

    births, ends, edges_more : commits.   named : ids with names.   names : (id, commit, value).
    """

    older: Rows
    newer: Rows
    births: list[int]
    ends: list[int]
    edges_more: dict[int, int]
    named: list[int]
    names: list[tuple[int, int, int]]
    sequences: list[int]
    floor: int = 0
    purged: int = 0


def sound() -> Store:
    """0 -> 1 is made and ended, 1 -> 2 made and changed, 4 -> 0 made; 3 has no edge."""
    older = Rows(
        0,
        4,
        [(0, 1, 1, FULL), (1, 1, 1, FULL), (2, 1, 1, FULL), (3, 1, 1, FULL)],
        [(0, 1, 101, MADE, 2, 2, FULL), (1, 2, 102, MADE, 3, 3, FULL)],
        [(1, 0, 101, MADE), (2, 1, 102, MADE)],
    )
    newer = Rows(
        4,
        5,
        [(2, 4, 0, RELATIVE), (4, 4, 4, FULL)],
        [
            (0, 1, 101, DEAD, 6, 0, TOMBSTONE),
            (1, 2, 102, CHANGED, 5, 0, RELATIVE),
            (4, 0, 103, MADE, 5, 5, FULL),
        ],
        [(0, 4, 103, MADE), (1, 0, 101, DEAD), (2, 1, 102, CHANGED)],
    )
    names = [(0, 1, 0), (1, 1, 1), (2, 1, 2), (3, 1, 3), (4, 4, 4)]
    edges_more = {2: 1, 3: 1, 5: 1, 6: -1}
    return Store(
        older, newer, [1, 1, 1, 1, 4], [], edges_more, [0, 1, 2, 3, 4], names, [1, 2, 3, 4, 5, 6]
    )


class Columns:
    """Implements `SliceColumns` over rows."""

    def __init__(self, rows: Rows, commits: list[tuple[int, ...]], named: list[int]) -> None:
        self.first_id, self.end_id = rows.first_id, rows.end_id
        self._rows = rows
        self._commits = commits
        self._named = [each for each in named if rows.first_id <= each < rows.end_id]

    def commits(self) -> Any:
        return np.array(self._commits, np.int64)

    def names(self, end: int) -> Any:
        ids = np.array(self._named, np.int64)
        return ids, digests_of(ids)

    def nodes(self, end: int) -> Any:
        pairs = (self._rows.old_nodes, self._rows.nodes)
        return tuple(NodeColumns(*columns(rows, 4)) for rows in pairs)

    def edges(self, end: int) -> Any:
        pairs = (self._rows.old_edges, self._rows.edges)
        return tuple(EdgeColumns(*columns(sorted(rows), 7, 2)) for rows in pairs)

    def incoming(self, end: int) -> Any:
        pairs: tuple[list[tuple[int, ...]], ...] = ([], self._rows.entering)
        return tuple(ListColumns(*columns(sorted(rows), 4, 2)) for rows in pairs)

    def check_end(self) -> None:
        if not self._commits:
            raise NotPlainError


def columns(rows: list[tuple[int, ...]], count: int, hashes: int = -1) -> list[Any]:
    found: list[Any] = list(zip(*rows, strict=True)) or [()] * count
    return [
        np.array(column, np.uint64 if place == hashes else np.int64)
        for place, column in enumerate(found)
    ]


def digests_of(ids: Any) -> Any:
    return ids.astype(np.uint64) * np.uint64(7919) + np.uint64(1)


def is_found_sound(store: Store) -> bool:
    assert survey is not None
    nodes = edges = 0
    commits: list[tuple[int, ...]] = []
    more = Counter(store.births)
    more.subtract(store.ends)
    for sequence, stated in enumerate(store.sequences, 1):
        nodes += more[sequence]
        edges += store.edges_more.get(sequence, 0)
        commits.append((stated, 1_000 + sequence, nodes, edges))
    names = NameSum(store.floor)
    ids, sequences, values = (
        np.array(column, np.int64) for column in zip(*store.names, strict=True)
    )
    names.add_sum(survey.sum_names(names.key, digests_of(ids), sequences, values))
    slices = [
        Columns(store.older, commits[:3], store.named),
        Columns(store.newer, commits[3:], store.named),
    ]
    return is_sound(
        slices, len(store.sequences), store.floor, store.purged, names, Meter(None, 0), 0
    )


HARMS: dict[str, Callable[[Store], object]] = {}


def harm(change: Callable[[Store], object]) -> Callable[[Store], object]:
    HARMS[change.__name__] = change
    return change


@harm
def a_version_of_a_node_is_no_newer(store: Store) -> None:
    store.newer.nodes[0] = (2, 1, 0, RELATIVE)


@harm
def a_node_goes_on_behind_its_end(store: Store) -> None:
    store.newer.old_nodes = [(3, 4, 0, TOMBSTONE)]
    store.newer.nodes.insert(1, (3, 5, 0, RELATIVE))
    store.ends.append(4)
    store.names.append((3, 4, ABSENT))


@harm
def a_node_is_changed_and_never_made(store: Store) -> None:
    store.newer.nodes[1] = (4, 4, 4, RELATIVE)


@harm
def a_node_is_made_where_it_was_not_born(store: Store) -> None:
    store.older.nodes.pop()
    store.newer.nodes.insert(1, (3, 4, 4, FULL))
    store.births[3] = 4
    store.names[3] = (3, 4, 3)


@harm
def a_node_is_made_twice(store: Store) -> None:
    store.newer.nodes[0] = (2, 4, 4, FULL)


@harm
def a_node_is_missing(store: Store) -> None:
    store.older.nodes.pop()
    store.named.remove(3)
    store.births.remove(1)
    store.names.pop(3)


@harm
def a_name_has_no_node(store: Store) -> None:
    store.older.nodes.pop()
    store.births.remove(1)
    store.names.pop(3)
    store.purged = 1


@harm
def a_name_leads_to_another_node(store: Store) -> None:
    store.names[3] = (3, 1, 2)


@harm
def an_edge_is_older_than_its_source(store: Store) -> None:
    store.older.nodes[3] = (3, 3, 3, FULL)
    store.births[3] = 3
    store.names[3] = (3, 3, 3)
    store.older.edges.append((3, 0, 104, MADE, 2, 2, FULL))
    store.older.entering.append((0, 3, 104, MADE))
    store.edges_more[2] += 1


@harm
def an_edge_lacks_what_it_was_at_the_floor(store: Store) -> None:
    store.floor = 2
    store.older.edges = [(3, 1, 101, MADE, 3, 1, FULL)]
    store.older.entering = [(1, 3, 101, MADE)]
    store.newer.edges, store.newer.entering = [], []
    store.edges_more = {}


@harm
def a_version_of_an_edge_is_no_newer(store: Store) -> None:
    store.newer.edges[1] = (1, 2, 102, CHANGED, 3, 0, RELATIVE)


@harm
def an_edge_ends_and_was_never_made(store: Store) -> None:
    store.newer.edges.append((0, 2, 105, DEAD, 5, 0, TOMBSTONE))
    store.newer.entering.append((2, 0, 105, DEAD))


@harm
def an_edge_is_changed_and_was_never_made(store: Store) -> None:
    store.newer.edges.append((0, 2, 105, CHANGED, 5, 0, RELATIVE))
    store.newer.entering.append((2, 0, 105, CHANGED))


@harm
def an_edge_is_made_again_while_it_is_alive(store: Store) -> None:
    store.newer.edges[1] = (1, 2, 102, CHANGED, 5, 4, FULL)


@harm
def an_edge_that_is_alive_is_marked_as_made(store: Store) -> None:
    store.newer.edges[1] = (1, 2, 102, MADE, 5, 3, FULL)
    store.newer.entering[2] = (2, 1, 102, MADE)


@harm
def an_edge_of_a_young_node_is_marked_as_older(store: Store) -> None:
    store.newer.edges[2] = (4, 0, 103, CHANGED, 5, 5, FULL)
    store.newer.entering[0] = (0, 4, 103, CHANGED)


@harm
def an_edge_is_changed_behind_the_end_of_its_source(store: Store) -> None:
    store.newer.nodes.insert(0, (1, 4, 0, TOMBSTONE))
    store.ends.append(4)
    store.names.append((1, 4, ABSENT))


@harm
def an_edge_enters_a_node_that_ended(store: Store) -> None:
    store.newer.nodes.insert(0, (0, 6, 0, TOMBSTONE))
    store.ends.append(6)
    store.names.append((0, 6, ABSENT))


@harm
def an_edge_only_leaves(store: Store) -> None:
    store.newer.entering.pop(0)


@harm
def an_edge_begins_when_no_commit_says_so(store: Store) -> None:
    store.edges_more |= {4: 1, 5: 0}


@harm
def a_node_begins_when_no_commit_says_so(store: Store) -> None:
    store.births[4] = 5


@harm
def commits_are_left_out(store: Store) -> None:
    store.sequences[-1] = 7


def test_slices_that_fit_together_are_found_sound() -> None:
    assert is_found_sound(sound())


@pytest.mark.parametrize("change", HARMS.values(), ids=HARMS.keys())
def test_what_breaks_one_rule_is_not_found_sound(change: Callable[[Store], object]) -> None:
    store = sound()
    change(store)

    assert not is_found_sound(store)
