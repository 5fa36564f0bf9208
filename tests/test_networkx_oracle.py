"""Neighbors, edges, degrees and hops against networkx, on random multigraphs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import networkx as nx
import pytest

import lithograph
from lithograph import Graph, Snapshot

if TYPE_CHECKING:
    Multigraph: TypeAlias = nx.MultiDiGraph[str]

TYPES = ("calls", "owns", "knows")
DIRECTIONS = ("out", "in", "both")
SELECTIONS: tuple[str | list[str] | None, ...] = (None, "owns", ["knows", "calls"], [], ["unknown"])


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "oracle.graph", durability="off") as opened:
        yield opened


def fill(graph: Graph, chance: random.Random, nodes: int, edges: int) -> Multigraph:
    """Put a random multigraph, with parallel edges and self loops, into both."""
    oracle: Multigraph = nx.MultiDiGraph()
    names = [f"node {number}" for number in range(nodes)]
    with graph.transaction() as transaction:
        for name in chance.sample(names, nodes):
            transaction.put_node(name)
            oracle.add_node(name)
        for _ in range(edges):
            source, target = chance.choice(names), chance.choice(names)
            type_name, key = chance.choice(TYPES), chance.choice(("", "", "1", "2"))
            transaction.put_edge(source, type_name, target, key=key)
            oracle.add_edge(source, target, key=f"{type_name}|{key}")
    return oracle


def thin_out(graph: Graph, oracle: Multigraph, chance: random.Random) -> None:
    """Delete a third of the edges and a fifth of the nodes, and two with self loops, from both."""
    for source, target, key in chance.sample(list(oracle.edges), len(oracle.edges) // 3):
        type_name, _, own_key = key.partition("|")
        assert graph.delete_edge(source, type_name, target, key=own_key)
        oracle.remove_edge(source, target, key)
    looped = list(nx.nodes_with_selfloops(oracle))[:2]
    assert looped
    others = [name for name in oracle.nodes if name not in looped]
    for name in looped + chance.sample(others, len(oracle) // 5):
        assert graph.delete_node(name)
        oracle.remove_node(name)


def selected(oracle: Multigraph, types: str | list[str] | None) -> Multigraph:
    """Return the part of the oracle that has the wanted types, with every node."""
    wanted = [types] if isinstance(types, str) else types
    part: Multigraph = nx.MultiDiGraph()
    part.add_nodes_from(oracle.nodes)
    for source, target, key in oracle.edges:
        if wanted is None or key.partition("|")[0] in wanted:
            part.add_edge(source, target, key)
    return part


def ends(oracle: Multigraph, name: str, direction: str) -> Counter[tuple[str, str, str]]:
    """Return (source, key, target) of the edges at a node, a self loop once in "both"."""
    out = [(source, key, target) for source, target, key in oracle.out_edges(name, keys=True)]
    into = [(source, key, target) for source, target, key in oracle.in_edges(name, keys=True)]
    if direction == "both":
        return Counter(out + [edge for edge in into if edge[0] != edge[2]])
    return Counter(out if direction == "out" else into)


def layers(oracle: Multigraph, name: str, hops: int, direction: str) -> list[set[str]]:
    """Return the names first reached by each hop, as networkx finds them."""
    walked = {"out": oracle, "in": oracle.reverse(), "both": oracle.to_undirected()}[direction]
    distances = nx.single_source_shortest_path_length(walked, name, cutoff=hops)
    found: list[set[str]] = [set() for _ in range(hops)]
    for reached, distance in distances.items():
        if distance > 0:
            found[distance - 1].add(reached)
    return found


def assert_same(graph: Graph | Snapshot, oracle: Multigraph) -> None:
    assert graph.node_count == oracle.number_of_nodes()
    assert graph.edge_count == oracle.number_of_edges()
    every = Counter((edge.source, edge.target, f"{edge.type}|{edge.key}") for edge in graph.edges())
    assert every == Counter(list(oracle.edges))
    for types in SELECTIONS:
        part = selected(oracle, types)
        for direction in DIRECTIONS:
            for name in oracle.nodes:
                assert_same_at(graph, part, name, direction, types)


def assert_same_at(
    graph: Graph | Snapshot,
    part: Multigraph,
    name: str,
    direction: str,
    types: str | list[str] | None,
) -> None:
    expected = ends(part, name, direction)
    found = list(graph.edges(name, direction, types))
    assert Counter((e.source, f"{e.type}|{e.key}", e.target) for e in found) == expected
    others = [edge.target if edge.source == name else edge.source for edge in found]
    assert graph.neighbors(name, direction, types) == others
    assert graph.degree(name, direction, types) == expected.total()
    node_id = graph.node_id(name)
    assert node_id is not None
    ids = graph.neighbor_ids(node_id, direction, types)
    assert ids.dtype == "int64"
    assert graph.names(ids) == others
    hops = graph.k_hop(name, 4, direction, types)
    assert [set(graph.names(ids)) for ids in hops] == layers(part, name, 4, direction)
    assert all(len(set(ids.tolist())) == len(ids) for ids in hops)


@pytest.mark.parametrize(
    ("seed", "nodes", "edges"), [(1, 1, 4), (2, 8, 60), (3, 30, 30), (4, 25, 90)]
)
def test_every_read_of_edges_agrees_with_networkx(
    graph: Graph, seed: int, nodes: int, edges: int
) -> None:
    oracle = fill(graph, random.Random(seed), nodes, edges)

    assert_same(graph, oracle)


@pytest.mark.parametrize("seed", [5, 6])
def test_reads_agree_with_networkx_after_deletions_and_reopening(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path / "oracle.graph"
    with lithograph.open(path, durability="off") as graph:
        oracle = fill(graph, chance, 15, 70)
        before, snapshot = oracle.copy(), graph.snapshot()
        thin_out(graph, oracle, chance)
        for name in list(before.nodes)[:3]:
            # Made again where it was deleted: a new node, without the old one's edges.
            graph.put_node(name)
            oracle.add_node(name)

        assert_same(graph, oracle)
        assert_same(snapshot, before)
    with lithograph.open(path, mode="r") as graph:
        assert_same(graph, oracle)


def test_k_hop_walks_past_every_node_it_has_seen(graph: Graph) -> None:
    """A ring of 100 nodes: each hop reaches one more, then two from both sides, then none."""
    with graph.transaction() as transaction:
        for number in range(100):
            transaction.put_edge(str(number), "next", str((number + 1) % 100), create_missing=True)
    ring = nx.cycle_graph(100, create_using=nx.DiGraph)

    out = [graph.names(ids) for ids in graph.k_hop("0", 120)]
    both = [graph.names(ids) for ids in graph.k_hop("0", 60, "both")]

    assert out == [[str(hop)] for hop in range(1, 100)] + [[]] * 21
    assert [set(names) for names in both[:50]] == [
        {str(name) for name in layer} for layer in list(nx.bfs_layers(ring.to_undirected(), 0))[1:]
    ]
    assert both[50:] == [[]] * 10
