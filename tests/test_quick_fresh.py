"""What the kernel says of nodes and lists that memtables have changed: as the careful way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph import Graph, kernel
from lithograph.errors import LithographError
from lithograph.read.fold import fold_node, is_live, name_of
from lithograph.read.neighbors import degree, neighbor_list
from lithograph.read.records import Node
from lithograph.read.traversal import k_hop
from lithograph.segments.layer import Direction
from lithograph.view.view import View

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

from lithograph.kernel._reads import UNSURE

Call = Callable[[Graph], Any]

NAMES = st.sampled_from(["a", "b", "c", "日"])
TEXTS = st.lists(st.sampled_from(["one", "zwei", "三", ""]), max_size=3)
MAPS = st.dictionaries(st.sampled_from("kmü"), st.integers(0, 9), max_size=2)
TIME = datetime(2020, 2, 29, 12, tzinfo=UTC)
BATCH = 4


@st.composite
def writes(draw: st.DrawFn) -> Call:
    a, b = draw(NAMES), draw(NAMES)
    kind, key = draw(st.sampled_from("TU")), draw(st.sampled_from(["", "", "", "k"]))
    texts, fields = draw(TEXTS), draw(MAPS)
    put: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["T", "U", None]),
                "observations": TEXTS | st.none(),
                "properties": MAPS | st.none(),
                "created_at": st.sampled_from([TIME, None]),
            },
        )
    )
    calls: list[Call] = [
        lambda g: g.put_node(a, **put),
        lambda g: g.put_node(a, **put),
        lambda g: g.add_observations(a, texts),
        lambda g: g.remove_observations(a, texts),
        lambda g: g.update_properties(a, fields, remove=["k"]),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True),
        lambda g: g.put_edge(a, kind, b, key=key, create_missing=True, properties=fields),
        lambda g: g.delete_edge(a, kind, b, key=key),
        lambda g: g.delete_edge(a, kind, b),
        lambda g: g.delete_node(a),
        lambda g: g.checkpoint(),
        _freeze,
    ]
    return draw(st.sampled_from(calls))


def _freeze(graph: Graph) -> None:
    """Let a new memtable take what follows, as when one is full."""
    engine = graph._engine
    if not engine.journal.stack.frozen and not engine.journal.memtable.is_empty:
        engine.committer.exclusively(engine.journal.freeze)


def _done(graph: Graph, call: Call) -> None:
    # A missing node: nothing was written.
    with contextlib.suppress(LithographError):
        call(graph)


def _fields(node: Node | None) -> list[Any]:
    if node is None:
        return []
    shown = [getattr(node, field) for field in Node._fields]
    return [*shown, list(node.properties), node._properties, node._born]


def _careful(view: View, node_id: int) -> Node | None:
    state = fold_node(view.layers, node_id, view.sequence)
    return None if state is None else view.node_of(state, name_of(view.layers, node_id))


def _compare(graph: Graph) -> Iterator[bool]:
    """Yield of each answer whether the kernel gave it; it is the careful way's then."""
    view = graph._view()
    quick, sequence = view.quick, view.sequence
    assert quick is not None
    for node_id in range(graph._engine.journal.memtable.next_id + 1):
        expected = _careful(view, node_id)
        if expected is not None:
            name = expected.name
            found = quick.node_by_id(node_id, name)
            yield found is not UNSURE
            assert found is UNSURE or _fields(found) == _fields(expected)
            assert quick.names_of([node_id], False, str) in ([name], [str(node_id)])
        alive = quick.names_of([node_id], True, str) != [str(node_id)]
        assert not alive or is_live(view.layers, node_id, sequence)
        for direction in Direction:
            for codes in (None, frozenset([0]), frozenset([1, 7])):
                listed = neighbor_list(view.layers, node_id, (direction,), codes, sequence)
                ids = quick.neighbors(node_id, direction, codes)
                count = quick.degree(node_id, direction, codes)
                yield ids is not UNSURE
                assert ids is UNSURE or ids.tolist() == listed
                assert count in (
                    UNSURE,
                    degree(view.layers, node_id, (direction,), codes, sequence),
                )
            if expected is not None:
                names = quick.neighbor_names(expected.name, direction)
                every = neighbor_list(view.layers, node_id, (direction,), None, sequence)
                assert names is UNSURE or names == [name_of(view.layers, end) for end in every]
            hops = view.k_hop(node_id, 3, (direction,), None)
            assert [ids.tolist() for ids in hops] == [
                list(ids) for ids in k_hop(view.layers, node_id, 3, (direction,), None, sequence)
            ]


@given(st.lists(writes(), min_size=1, max_size=24))
def test_what_memtables_changed_is_read_as_the_careful_way_reads_it(calls: list[Call]) -> None:
    with (
        TemporaryDirectory() as directory,
        lithograph.open(Path(directory) / "g", durability="off") as graph,
    ):
        for name in ("a", "b"):
            graph.put_node(name, observations=["one", "zwei", "one"], properties={"k": 1})
        graph.put_edge("a", "T", "b")
        for start in range(0, len(calls), BATCH):
            for call in calls[start : start + BATCH]:
                _done(graph, call)
            for _ in _compare(graph):
                pass


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    """A store of three nodes and four edges in one segment."""
    with lithograph.open(tmp_path / "g", durability="off") as graph:
        for name in ("a", "b", "c"):
            graph.put_node(name, type="T", observations=["one", "two"], properties={"k": 1})
        for kind in ("T", "U"):
            graph.put_edge("a", kind, "b")
            graph.put_edge("a", kind, "c")
        graph.compact()
        # Files are opened by the first that wants them, the careful way.
        assert len(list(graph.edges())) == 4
        for name in ("a", "b", "c"):
            assert graph.neighbors(name) in (["b", "c", "b", "c"], [])
        assert len(list(graph.nodes())) == 3
        yield graph


def test_changed_nodes_and_lists_are_answered_by_the_kernel(graph: Graph) -> None:
    graph.put_node("new", type="N", observations=["three"])
    graph.put_node("a", type="U", created_at=TIME)
    graph.add_observations("b", ["three"])
    graph.remove_observations("b", ["one"])
    graph.update_properties("c", {"m": 2}, remove=["k"])
    graph.delete_edge("a", "T", "b")
    graph.put_edge("a", "U", "c", properties={"changed": True})
    _freeze(graph)
    graph.put_edge("a", "T", "new")
    graph.delete_edge("a", "U", "b")
    graph.add_observations("b", ["four"])

    assert all(_compare(graph))
    assert graph.neighbors("a") == ["c", "new", "c"]
    assert graph.degree("a") == 3
    assert graph.node("b").observations == ("two", "three", "four")
    assert graph.node("c").properties == {"m": 2}
    assert graph.node("a").created_at == TIME


def test_an_edge_that_ends_is_taken_out_once(graph: Graph) -> None:
    """One with a key, made since, has the same type and the same ends."""
    graph.put_edge("a", "T", "b", key="k")
    graph.delete_edge("a", "T", "b")

    assert all(_compare(graph))
    assert graph.neighbors("a") == ["b", "c", "b", "c"]


def test_a_node_of_too_many_versions_is_left_to_the_careful_way(graph: Graph) -> None:
    for number in range(30):
        graph.add_observations("a", [str(number)])

    assert not all(_compare(graph))
    assert graph.node("a").observations == ("one", "two", *map(str, range(30)))


def test_a_snapshot_sees_the_versions_of_its_time(graph: Graph) -> None:
    graph.put_node("a", type="then")
    with graph.snapshot() as then:
        graph.put_node("a", type="now")
        graph.delete_node("b")
        graph.delete_edge("a", "T", "c")

        assert then.node("a").type == "then"
        assert then.neighbors("a") == ["b", "c", "b", "c"]
        assert then.node("b").observations == ("one", "two")
    assert graph.node("a").type == "now"
    assert graph.neighbors("a") == ["c"]
