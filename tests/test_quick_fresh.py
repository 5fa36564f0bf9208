"""What the kernel says of nodes and lists that memtables have changed: as the careful way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quick_histories import TIME, Call, compare, done, freeze, writes

import lithograph
from lithograph import Graph, kernel

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)

BATCH = 4


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
                done(graph, call)
            for _ in compare(graph):
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
    freeze(graph)
    graph.put_edge("a", "T", "new")
    graph.delete_edge("a", "U", "b")
    graph.add_observations("b", ["four"])

    assert all(compare(graph))
    assert graph.neighbors("a") == ["c", "new", "c"]
    assert graph.degree("a") == 3
    assert graph.node("b").observations == ("two", "three", "four")
    assert graph.node("c").properties == {"m": 2}
    assert graph.node("a").created_at == TIME


def test_an_edge_that_ends_is_taken_out_once(graph: Graph) -> None:
    """One with a key, made since, has the same type and the same ends."""
    graph.put_edge("a", "T", "b", key="k")
    graph.delete_edge("a", "T", "b")

    assert all(compare(graph))
    assert graph.neighbors("a") == ["b", "c", "b", "c"]


def test_a_node_of_too_many_versions_is_left_to_the_careful_way(graph: Graph) -> None:
    for number in range(30):
        graph.add_observations("a", [str(number)])

    assert not all(compare(graph))
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
