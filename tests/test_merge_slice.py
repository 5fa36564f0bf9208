"""Merges change nothing that a view at the floor or later sees (SPEC.md, section 12.10)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import example, given
from hypothesis import strategies as st

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.node_patch import NodePatch
from lithograph.formats.operations import AdjacentEdge
from lithograph.maintenance.merge_slice import MergeSlice
from lithograph.maintenance.node_lives import Part
from lithograph.maintenance.verify_graph import GraphCheck
from lithograph.segments.folding import raw_versions
from lithograph.segments.slice import Mark, Slice
from lithograph.segments.version import AnyVersion, EdgeVersion, NodeVersion
from lithograph.tools.testing.slices import RawSlice

EdgeName = tuple[int, AdjacentEdge]
Graph = tuple[dict[int, tuple[str, ...]], dict[EdgeName, bytes]]
"""Observations by live node, properties by live edge."""

Key = TypeVar("Key")

PROPERTIES = [b"\x80", b"\x81\xa1a\x01", b"\x81\xa1a\x02"]


@dataclass
class Past:
    """A graph of few nodes, with every state that it was in.

    states : by sequence, from 0.   next_ids : the id of the next new node, by sequence.
    """

    states: list[Graph] = field(default_factory=lambda: [({}, {})])
    next_ids: list[int] = field(default_factory=lambda: [0])
    nodes: dict[int, list[NodeVersion]] = field(default_factory=dict)
    edges: dict[EdgeName, list[EdgeVersion]] = field(default_factory=dict)

    def commit(self, choices: Sequence[int]) -> None:
        """Do a commit; each choice becomes some change that is possible."""
        nodes, edges = dict(self.states[-1][0]), dict(self.states[-1][1])
        sequence = len(self.states)
        touched: set[object] = set()
        next_id = self.next_ids[-1]
        for choice in choices:
            live = sorted(nodes)
            kind, rest = choice % 6, choice // 6
            if kind == 0 or not live:
                self._node(sequence, next_id, NodePatch(observations=("born",)), full=True)
                nodes[next_id] = ("born",)
                touched.add(next_id)
                next_id += 1
                continue
            node_id = live[rest % len(live)]
            target = live[rest // 7 % len(live)]
            name: EdgeName = (node_id, (rest // 49 % 2, target, ""))
            if kind == 1 and node_id not in touched:
                text = f"by {sequence}"
                self._node(sequence, node_id, NodePatch(appended=(text,)), full=False)
                nodes[node_id] = (*nodes[node_id], text)
                touched.add(node_id)
            elif kind == 2 and not touched & {node_id, *self._at(edges, node_id)}:
                self._node(sequence, node_id, None, full=False)
                del nodes[node_id]
                for end in self._at(edges, node_id):
                    self._edge(sequence, end, None, full=False)
                    del edges[end]
                    touched.add(end)
                touched.add(node_id)
            elif kind in (3, 4) and not touched & {name, node_id, target}:
                value = PROPERTIES[rest % len(PROPERTIES)]
                self._edge(sequence, name, EdgePatch(properties=value), full=name not in edges)
                edges[name] = value
                touched.add(name)
            elif kind == 5 and name in edges and name not in touched:
                self._edge(sequence, name, None, full=False)
                del edges[name]
                touched.add(name)
        self.states.append((nodes, edges))
        self.next_ids.append(next_id)

    def _at(self, edges: dict[EdgeName, bytes], node_id: int) -> list[EdgeName]:
        return [name for name in edges if node_id in (name[0], name[1][1])]

    def _node(self, sequence: int, node_id: int, patch: NodePatch | None, *, full: bool) -> None:
        born = (sequence, sequence) if full else (0, 0)
        version = NodeVersion(sequence, sequence, patch, full, *born)
        self.nodes.setdefault(node_id, []).append(version)

    def _edge(self, sequence: int, name: EdgeName, patch: EdgePatch | None, *, full: bool) -> None:
        born = (sequence, sequence) if full else (0, 0)
        version = EdgeVersion(sequence, sequence, patch, full, *born)
        self.edges.setdefault(name, []).append(version)

    def slice_of(self, first: int, last: int) -> RawSlice:
        """Return what the commits [first, last] left."""
        span = range(first, last + 1)
        first_id, end_id = self.next_ids[first - 1], self.next_ids[last]
        return RawSlice(
            first,
            first_id,
            end_id,
            list(span),
            [len(self.states[sequence][0]) for sequence in span],
            [len(self.states[sequence][1]) for sequence in span],
            {node_id: f"n{node_id}" for node_id in range(first_id, end_id)},
            _within(self.nodes, span),
            _within(self.edges, span),
        )


def _within(raw: dict[Key, list[AnyVersion]], span: range) -> dict[Key, list[AnyVersion]]:
    kept = {name: [v for v in versions if v.sequence in span] for name, versions in raw.items()}
    return {name: versions for name, versions in kept.items() if versions}


pasts = st.lists(st.lists(st.integers(0, 600), max_size=4), min_size=1, max_size=14)


def make(commits: list[list[int]]) -> Past:
    past = Past()
    for choices in commits:
        past.commit(choices)
    return past


def cut(past: Past, cuts: set[int]) -> list[Slice]:
    """Return the slices between the cuts, oldest first."""
    last = len(past.states) - 1
    ends = sorted({end for end in cuts if end < last} | {last})
    starts = [1, *(end + 1 for end in ends[:-1])]
    return [past.slice_of(first, end) for first, end in zip(starts, ends, strict=True)]


def merge(inputs: Sequence[Slice], floor: int) -> MergeSlice:
    def newest(source: int, adjacent: AdjacentEdge) -> int:
        return max(
            version.sequence
            for part in inputs
            for found, edges in part.edges()
            for edge in edges
            if (found, edge.adjacent) == (source, adjacent)
            for version in raw_versions(edge.version, edge.history)
        )

    return MergeSlice(inputs, floor, newest)


# Views, as SPEC.md says (12.8) ----------------------------------------------------------------


def seen(slices: Sequence[Slice], sequence: int) -> Graph:
    """Return the graph that a view of slices sees as of a commit."""
    nodes: dict[int, tuple[str, ...]] = {}
    edges: dict[EdgeName, bytes] = {}
    for part in slices:
        if part.first_sequence > sequence:
            break
        for node_id, end, history in part.nodes():
            for version in read(end, history, sequence):
                if version.change is None:
                    nodes.pop(node_id, None)
                elif version.full:
                    nodes[node_id] = version.change.observations or ()
                else:
                    before = NodePatch(observations=nodes[node_id])
                    nodes[node_id] = before.then(version.change).observations or ()
        for source, listed in part.edges():
            for edge in listed:
                name = (source, edge.adjacent)
                for state in read(edge.version, edge.history, sequence):
                    if state.change is None:
                        edges.pop(name, None)
                    elif state.full or state.change.properties is not None:
                        edges[name] = state.change.properties or b"\x80"
                    assert state.full or state.change is None or name in edges
    return nodes, edges


def read(end: AnyVersion | None, history: list[AnyVersion], sequence: int) -> Iterator[AnyVersion]:
    """Yield the versions of one slice that a view folds, oldest first."""
    if end is not None and end.sequence <= sequence:
        yield end
        return
    found = [version for version in history if version.sequence <= sequence]
    start = max(
        (at for at, version in enumerate(found) if version.full or version.change is None),
        default=0,
    )
    yield from found[start:]


# Rules ----------------------------------------------------------------------------------------


def check_rules(merged: Slice, before: Sequence[Slice], floor: int) -> None:
    """Check what SPEC.md says of the result of a merge, `before` being all older slices."""
    older = seen(before, merged.first_sequence - 1)[1] if before else {}
    out: dict[EdgeName, tuple[Mark, bool]] = {}
    for source, edges in merged.edges():
        assert [edge.adjacent for edge in edges] == sorted({edge.adjacent for edge in edges})
        for adjacent, mark, version, history in edges:
            out[source, adjacent] = mark, bool(history)
            is_old = max(source, adjacent[1]) < merged.first_id
            assert (mark == Mark.GONE) == (version is None)
            assert mark not in (Mark.DEAD, Mark.CHANGED) or is_old
            assert mark not in (Mark.DEAD, Mark.CHANGED) or merged.first_sequence > 1
            assert mark != Mark.MADE or (source, adjacent) not in older
            check_versions(version, history, merged, floor)
            if mark == Mark.GONE:
                assert history[-1].change is None
                assert history[-1].sequence > floor
    into: dict[EdgeName, tuple[Mark, bool]] = {}
    for target, entries in merged.incoming():
        assert [entry[0] for entry in entries] == sorted({entry[0] for entry in entries})
        for (code, source, key), mark, has_history in entries:
            into[source, (code, target, key)] = mark, has_history
    assert {name: mark for name, (mark, _) in into.items()} == {
        name: mark for name, (mark, _) in out.items()
    }
    assert all(into[name][1] for name, (_, has_history) in out.items() if has_history)
    named = dict(merged.names())
    alive: set[int] = set()
    for node_id, end, old in merged.nodes():
        check_versions(end, old, merged, floor)
        assert end is not None
        if node_id >= merged.first_id:
            alive.add(node_id)
            assert end.change is not None or end.sequence > floor
    assert set(named) == alive


def check_versions(
    end: AnyVersion | None, history: list[AnyVersion], merged: Slice, floor: int
) -> None:
    raw = raw_versions(end, history)
    sequences = [version.sequence for version in raw]
    assert sequences == sorted(set(sequences))
    assert sum(sequence <= floor for sequence in sequences) <= 1
    for version in raw:
        assert merged.first_sequence <= version.sequence <= merged.last_sequence
        if version.full:
            assert merged.first_sequence <= version.born_sequence <= version.sequence
    if end is not None and end.change is not None and not end.full and history:
        assert history[-1].sequence == end.sequence
    elif end is not None and history:
        assert history[-1].sequence < end.sequence


def findings(slices: Sequence[Slice], floor: int) -> list[str]:
    """Return what the deep check finds in slices alone, without a name index."""
    found: list[str] = []
    parts = [Part(f"{part.first_sequence}", part, 9) for part in slices]
    GraphCheck(
        parts, None, floor, "", lambda path, message: found.append(f"{path}: {message}")
    ).run()
    return found


# Tests ----------------------------------------------------------------------------------------


@given(commits=pasts, cuts=st.sets(st.integers(1, 13)))
def test_slices_see_what_was_committed(commits: list[list[int]], cuts: set[int]) -> None:
    """What the other tests stand on: the cut past itself is read right, and sound."""
    past = make(commits)
    slices = cut(past, cuts)
    for sequence, state in enumerate(past.states):
        assert seen(slices, sequence) == state
    assert findings(slices, 0) == []


@example(commits=[[0, 0], [3], [5], [3]], cuts={2, 3}, start=1, count=2, floor=4)
@given(
    commits=pasts,
    cuts=st.sets(st.integers(1, 13)),
    start=st.integers(0, 13),
    count=st.integers(1, 13),
    floor=st.integers(0, 14),
)
def test_a_merge_changes_nothing_that_is_still_kept(
    commits: list[list[int]], cuts: set[int], start: int, count: int, floor: int
) -> None:
    past = make(commits)
    slices = cut(past, cuts)
    start = min(start, len(slices) - 1)
    floor = min(floor, len(commits))
    inputs = slices[start : start + count]
    merged = merge(inputs, floor)
    after = [*slices[:start], merged, *slices[start + len(inputs) :]]

    check_rules(merged, slices[:start], floor)
    assert list(merged.commits()) == [row for part in inputs for row in part.commits()]
    for sequence in range(floor, len(past.states)):
        assert seen(after, sequence) == past.states[sequence]
    assert findings(after, floor) == []


@given(
    commits=pasts,
    cuts=st.sets(st.integers(1, 13)),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(0, 4)), max_size=5),
)
def test_merges_of_merges_change_nothing_either(
    commits: list[list[int]], cuts: set[int], steps: list[tuple[int, int, int]]
) -> None:
    """The floor rises from merge to merge, as it does in a store that keeps some history."""
    past = make(commits)
    slices = cut(past, cuts)
    floor = 0
    for start, count, rise in steps:
        floor = min(floor + rise, len(commits))
        start = min(start, len(slices) - 1)
        inputs = slices[start : start + count]
        merged = merge(inputs, floor)
        check_rules(merged, slices[:start], floor)
        slices[start : start + len(inputs)] = [merged]
        for sequence in range(floor, len(past.states)):
            assert seen(slices, sequence) == past.states[sequence]
        assert findings(slices, floor) == []


@given(commits=pasts, cuts=st.sets(st.integers(1, 13)), floor=st.integers(0, 14))
def test_one_merge_of_all_leaves_what_one_slice_would(
    commits: list[list[int]], cuts: set[int], floor: int
) -> None:
    """Histories may differ: what was folded before the merge stands by itself in them."""
    past = make(commits)
    floor = min(floor, len(commits))
    merged, whole = merge(cut(past, cuts), floor), merge(cut(past, set()), floor)

    assert list(merged.commits()) == list(whole.commits())
    assert list(merged.names()) == list(whole.names())
    assert ends(merged) == ends(whole)


def ends(part: Slice) -> list[object]:
    """Return every end state, and every mark in both directions."""
    nodes: list[object] = [(node_id, end) for node_id, end, _ in part.nodes()]
    out = [
        (source, edge.adjacent, edge.mark, edge.version)
        for source, edges in part.edges()
        for edge in edges
    ]
    into = [
        (target, adjacent, mark) for target, edges in part.incoming() for adjacent, mark, _ in edges
    ]
    return [*nodes, *out, *into]


def test_a_tombstone_outlives_merges_as_long_as_an_older_slice_holds_the_edge() -> None:
    past = make([[0, 0], [3 + 6 * 7], [5 + 6 * 7], [0], [0]])
    slices = cut(past, {1, 2, 3, 4})
    [(source, [edge])] = list(slices[2].edges())
    assert edge.mark == Mark.DEAD

    [(_, [kept])] = list(merge(slices[2:], 5).edges())
    assert kept.mark == Mark.DEAD
    assert list(merge(slices[1:], 5).edges()) == []
    [(_, [gone])] = list(merge(slices[1:], 0).edges())
    assert gone.mark == Mark.GONE
    assert source == 1


def test_a_node_that_ended_below_the_floor_is_forgotten_with_its_name() -> None:
    past = make([[0, 0], [2], [0]])
    slices = cut(past, {1, 2})

    assert dict(merge(slices, 1).names()) == {0: "n0", 1: "n1", 2: "n2"}
    assert dict(merge(slices, 2).names()) == {1: "n1", 2: "n2"}
    assert [node_id for node_id, _, _ in merge(slices, 2).nodes()] == [1, 2]
    # Without the slice that made it, the tombstone is all that hides it.
    assert [node_id for node_id, _, _ in merge(slices[1:], 2).nodes()] == [0, 2]
