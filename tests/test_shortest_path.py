"""Shortest paths against networkx, which finds them in another way."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.tools import shortest_path as module
from lithograph.tools.shortest_path import shortest_path

Edges = list[tuple[int, str, int]]
NODES = 12


def write(path: Path, edges: Edges) -> lithograph.Graph:
    """Return a store of nodes "0" to "11", whose ids are their numbers, half of it in files."""
    graph = lithograph.open(path, mode="x", durability="off")
    with graph.transaction() as tx:
        for number in range(NODES):
            tx.put_node(str(number))
        for source, type_name, target in edges[::2]:
            tx.put_edge(str(source), type_name, str(target))
    graph.checkpoint()
    with graph.transaction() as tx:
        for source, type_name, target in edges[1::2]:
            tx.put_edge(str(source), type_name, str(target))
    return graph


def as_networkx(edges: Edges, direction: str, types: list[str] | None) -> networkx.DiGraph[int]:
    found: networkx.DiGraph[int] = networkx.DiGraph()
    found.add_nodes_from(range(NODES))
    for source, type_name, target in edges:
        if types is None or type_name in types:
            if direction in ("out", "both"):
                found.add_edge(source, target)
            if direction in ("in", "both"):
                found.add_edge(target, source)
    return found


numbers = st.integers(0, NODES - 1)


@given(
    edges=st.lists(st.tuples(numbers, st.sampled_from(["a", "b"]), numbers), max_size=30),
    direction=st.sampled_from(["out", "in", "both"]),
    types=st.sampled_from([None, ["a"], ["a", "b"]]),
)
def test_paths_are_as_short_as_those_of_networkx(
    tmp_path_factory: pytest.TempPathFactory,
    edges: Edges,
    direction: str,
    types: list[str] | None,
) -> None:
    oracle = as_networkx(edges, direction, types)
    path = tmp_path_factory.mktemp("paths") / "a.graph"
    with write(path, edges) as graph, graph.snapshot() as view:
        for target in range(NODES):
            found = shortest_path(view, 0, target, direction, types, None)

            if not networkx.has_path(oracle, 0, target):
                assert found is None
                continue
            length = int(networkx.shortest_path_length(oracle, 0, target))
            assert found is not None
            assert len(found) == length + 1
            assert (found[0], found[-1]) == (0, target)
            assert networkx.is_path(oracle, found) or len(found) == 1
            assert shortest_path(view, 0, target, direction, types, length) == found
            if length:
                assert shortest_path(view, 0, target, direction, types, length - 1) is None


def test_a_search_that_reaches_too_much_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REACHED_MAX", 5)
    edges = [(0, "a", number) for number in range(1, 9)] + [(9, "a", 10)]
    with write(tmp_path / "a.graph", edges) as graph, graph.snapshot() as view:
        with pytest.raises(InvalidArgumentError, match="--max-hops"):
            shortest_path(view, 0, 10, "out", None, None)
        assert shortest_path(view, 9, 10, "out", None, None) == [9, 10]
