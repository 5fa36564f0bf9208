"""The census counts what the edges and nodes themselves say, over every mix of layers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lithograph
from lithograph import Graph, kernel
from lithograph.errors import CorruptionError
from lithograph.segments.layer import Direction
from lithograph.view import census
from lithograph.view.census import EdgeCensus, count_edges, count_nodes


def take(graph: Graph, hub_count: int = 5) -> EdgeCensus:
    engine = graph._engine
    memtable = engine.journal.stack.memtable
    return count_edges(
        engine.view(), memtable.next_id, memtable.type_count, hub_count, lambda done, total: None
    )


def types_of(graph: Graph) -> dict[str, int]:
    engine = graph._engine
    id_end = engine.journal.stack.memtable.next_id
    return count_nodes(engine.view(), id_end, lambda done, total: None)


def check(graph: Graph) -> None:
    """Compare a census with what the public methods say, edge by edge."""
    found, nodes = take(graph, 1_000), list(graph.nodes())
    by_type = Counter(edge.type for edge in graph.edges())
    out = {node.id: graph.degree(node.name, "out") for node in nodes}
    in_ = {node.id: graph.degree(node.name, "in") for node in nodes}
    both = {node_id: out[node_id] + in_[node_id] for node_id in out}

    assert found.by_type == dict(by_type)
    assert found.out_degrees == dict(sorted(Counter(out.values()).items()))
    assert found.in_degrees == dict(sorted(Counter(in_.values()).items()))
    assert found.degrees == dict(sorted(Counter(both.values()).items()))
    ranked = sorted((node_id for node_id in both if both[node_id]), key=lambda n: (-both[n], n))
    assert found.hubs == [(node_id, out[node_id], in_[node_id]) for node_id in ranked]
    assert types_of(graph) == dict(Counter(node.type for node in nodes))


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "g.graph", durability="off") as opened:
        yield opened


def change(graph: Graph, seed: int) -> None:
    """Make, change and delete nodes and edges, some of them parallel, some loops."""
    rng = random.Random(seed)
    names = [f"n{number}" for number in range(40)]
    with graph.transaction() as tx:
        for _ in range(60):
            source, target = rng.choice(names[:8]), rng.choice(names)
            key = rng.choice(("", "", "k"))
            tx.put_edge(source, f"t{rng.randrange(4)}", target, key=key, create_missing=True)
        for name in rng.sample(names, 6):
            tx.put_node(name, type=f"kind{rng.randrange(3)}")
    with graph.transaction() as tx:
        tx.delete_node(rng.choice(names))
        for edge in rng.sample(list(graph.edges()), 5):
            tx.delete_edge(edge.source, edge.type, edge.target, key=edge.key)


def test_a_census_is_what_the_edges_say_over_every_mix_of_layers(graph: Graph) -> None:
    check(graph)
    for seed in range(6):
        change(graph, seed)
        check(graph)
        if seed % 2:
            graph.checkpoint()
            check(graph)
    graph.compact()

    check(graph)


def test_a_census_goes_on_over_the_ends_of_its_steps(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "_STEP", 7)
    monkeypatch.setattr(census, "_NODES_STEP", 3)
    for seed in range(3):
        change(graph, seed)
        graph.checkpoint()

    check(graph)


def test_only_so_many_hubs_are_told(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_STEP", 4)
    change(graph, 1)

    assert take(graph, 3).hubs == take(graph, 1_000).hubs[:3]
    assert take(graph, 0).hubs == []


def test_a_census_of_a_damaged_list_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "damaged.graph"
    with lithograph.open(path) as graph:
        change(graph, 1)
        graph.checkpoint()
    [segment] = path.glob("partitions/*/*.seg")
    with lithograph.open(path, mode="r") as graph:
        [(_, footer, _)] = graph._engine.journal.stack.generation.footers()
        section = footer.sections["dense_out"]
    data = bytearray(segment.read_bytes())
    data[section.offset + 3] ^= 1
    segment.write_bytes(data)

    with lithograph.open(path, mode="r") as graph, pytest.raises(CorruptionError):
        take(graph)


@pytest.mark.skipif(kernel.quick is None, reason="the reference kernel has nothing quick")
def test_the_kernel_counts_no_type_that_it_was_not_told_of(graph: Graph) -> None:
    with graph.transaction() as tx:
        tx.put_edge("a", "first", "b", create_missing=True)
        tx.put_edge("c", "second", "b", create_missing=True)
    quick = graph._engine.view().quick
    assert quick is not None
    degrees, by_type = np.full(3, -1, np.int64), np.zeros(1, np.int64)

    assert quick.count_edges(0, Direction.OUT, degrees, by_type) == 2
    assert degrees.tolist() == [1, 0, -1]
    assert by_type.tolist() == [1]
