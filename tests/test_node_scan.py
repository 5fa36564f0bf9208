"""Nodes in the order of their names, read many at a time in the order of their ids."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import Graph, Node, kernel
from lithograph.errors import CorruptionError
from lithograph.view import node_scan

if kernel.quick is None:
    pytest.skip("the reference kernel has nothing quick", allow_module_level=True)


def _plain(graph: Graph) -> Any:
    """Return the newest view without the kernel."""
    view = copy.copy(graph._view())
    view.quick = None
    return view


def _check(graph: Graph) -> None:
    view, plain = graph._view(), _plain(graph)
    for asked in (("", None, None), ("n1", None, None), ("", "B", None), ("n", None, "n25")):
        wanted = list(plain.nodes_in_order(*asked))
        assert list(view.nodes_in_order(*asked)) == wanted
        assert wanted == [
            node
            for node in sorted(graph.nodes(), key=lambda node: node.name)
            if node.name.startswith(asked[0])
            and asked[1] in (None, node.type)
            and node.name > (asked[2] or "")
        ]


def _fill(graph: Graph, rng: random.Random, names: list[str]) -> None:
    with graph.transaction() as tx:
        for name in rng.sample(names, len(names) // 2):
            tx.put_node(name, type=rng.choice("AB"), properties={"n": rng.random()})
            if rng.random() < 0.3:
                tx.add_observations(name, ["seen", "é" * rng.randrange(1, 9)])
    for name in rng.sample(names, 5):
        graph.delete_node(name)


@pytest.mark.parametrize("size_max", [node_scan.RECORDS_SIZE_MAX, 40])
def test_nodes_come_as_the_careful_way_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_max: int
) -> None:
    """Over memtables, segments and both; changed and deleted; also where few records fit."""
    monkeypatch.setattr(node_scan, "NAMES_FIRST", 4)
    monkeypatch.setattr(node_scan, "NAMES_MAX", 64)
    monkeypatch.setattr(node_scan, "RECORDS_SIZE_MAX", size_max)
    rng = random.Random(7)
    names = [f"n{number}" for number in range(300)]
    rng.shuffle(names)
    with lithograph.open(tmp_path / "s.graph") as graph:
        for _ in range(3):
            _fill(graph, rng, names)
            _check(graph)
            graph.checkpoint()
            _check(graph)
        graph.compact()
        _check(graph)


def test_who_wants_few_nodes_reads_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = node_scan.NodeScan._records

    def records(self: Any, ids: Any) -> Any:
        read.append(len(ids))
        return original(self, ids)

    monkeypatch.setattr(node_scan.NodeScan, "_records", records)
    with lithograph.open(tmp_path / "s.graph") as graph:
        with graph.transaction() as tx:
            for number in range(2_000):
                tx.put_node(f"n{number:04}")
        graph.checkpoint()

        assert len(list(graph.nodes(limit=10))) == 10
        assert read == [16]
        read.clear()
        assert len(list(graph.nodes())) == 2_000
        assert read == [16, 64, 256, 1024, 640]


def test_without_a_cache_every_node_is_there(tmp_path: Path) -> None:
    """Where no block is kept, records are read one by one."""
    names = [f"n{number * 7919 % 1000:03}" for number in range(1_000)]
    with lithograph.open(tmp_path / "s.graph") as graph, graph.transaction() as tx:
        for name in names:
            tx.put_node(name, observations=[name])
    with lithograph.open(tmp_path / "s.graph", cache_size=0) as graph:
        graph.checkpoint()
        found = [(node.name, node.observations) for node in graph.nodes()]

    assert found == [(name, (name,)) for name in sorted(names)]


def _append_names(found: list[str], nodes: Iterator[Node]) -> None:
    for node in nodes:
        found.append(node.name)


def test_nodes_before_a_damaged_one_are_given(tmp_path: Path) -> None:
    path = tmp_path / "s.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(4_000):
                text = random.Random(number).randbytes(60).hex()
                tx.put_node(f"n{number:04}", observations=[text])
        graph.checkpoint()
    (segment,) = path.rglob("*.seg")
    data = bytearray(segment.read_bytes())
    with lithograph.open(path, mode="r") as graph:
        layer: Any = graph._view().layers.graph[-1]
        table = layer._open()._segment.dense_nodes
        damaged = table._blocks.offset + table.row(40)[1]
    data[damaged] ^= 1
    segment.write_bytes(data)
    with lithograph.open(path, mode="r") as graph:
        nodes = graph.nodes()
        found: list[str] = []
        with pytest.raises(CorruptionError) as caught:
            _append_names(found, nodes)
        again = graph.nodes(after=found[-1])
        with pytest.raises(CorruptionError):
            next(again)

    assert len(found) > 30 * 64
    assert caught.value.path is not None
    assert caught.value.path.endswith(segment.name)
