"""What is left of a damaged store: all that stands in sound blocks, and nothing else.

The oracle knows nothing of salvage: on the sound store it reads each node and each edge and notes
which blocks of the files that touched. Whatever is damaged then, what touched none of it must come
back, equal in every field; and of whatever else comes back, each piece must have been there once.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import Edge, Graph, Node
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.sealed import BLOCK_SIZE
from lithograph.graph.engine import open_engine
from lithograph.maintenance.salvage import Salvage
from lithograph.options import Options, Tuning
from lithograph.segments.sealed_file import SealedFile
from lithograph.tools.mending.lost import Lost
from lithograph.tools.mending.rewrite import Rewrite

Touched = set[tuple[str, int]]
EdgeName = tuple[str, str, str, str]


@dataclass
class Sound:
    """A store before it is damaged.

    nodes, edges : what it holds, and which blocks (file, number) reading that touched.
    ids : of the nodes.   ever : every text and every property that any version of a node ever had.
    """

    path: Path
    nodes: dict[str, tuple[tuple[Any, ...], Touched]] = field(default_factory=dict)
    edges: dict[EdgeName, tuple[tuple[Any, ...], Touched]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    ever: dict[str, set[str]] = field(default_factory=dict)


def open_graph(path: Path, **tuning: Any) -> Graph:
    options = Options(durability="off", tuning=Tuning(background=False, compaction=False, **tuning))
    return Graph(open_engine(OsFiles.create_root(str(path)), Environment(), options), writable=True)


def fill(graph: Graph, rng: random.Random, commit_count: int = 20) -> None:
    """Make some hundred nodes and edges over several flushes; change and delete some."""
    for commit in range(commit_count):
        first = commit * 12
        with graph.transaction() as tx:
            for number in range(first, first + 12):
                text = "".join(rng.choices("abcdefgh ", k=60))
                tx.put_node(f"node {number}", type=f"T{number % 3}", observations=[text])
                tx.update_properties(f"node {number}", {"n": number, "text": text[:9]})
            there = [name for n in range(first + 12) if (name := f"node {n}") in tx]
            for number in range(24):
                source, target = rng.choices(there, k=2)
                key = "" if number % 3 else str(number)
                fields: dict[str, Any] = {"properties": {"n": number}} if number % 2 else {}
                tx.put_edge(source, f"to {number % 4}", target, key=key, **fields)
        if commit > 2:
            for number in rng.sample(range(first), 5):
                if f"node {number}" in graph:
                    graph.add_observations(f"node {number}", [f"seen by {commit}"])
        if commit % 5 == 4:
            graph.delete_node(f"node {rng.randrange(first)}")
            edge = next(graph.edges())
            graph.delete_edge(edge.source, edge.type, edge.target, key=edge.key)
            graph.checkpoint()


def fields_of(node: Node) -> tuple[Any, ...]:
    return (
        node.type,
        node.observations,
        repr(node.properties),
        node.created_at,
        node.updated_at,
    )


def edge_fields(edge: Edge) -> tuple[Any, ...]:
    return repr(edge.properties), edge.created_at, edge.valid_from, edge.valid_to


def edge_name(edge: Edge) -> EdgeName:
    return edge.source, edge.type, edge.target, edge.key


def study(path: Path, monkeypatch: pytest.MonkeyPatch) -> Sound:
    """Read a store, and note which blocks each node and edge stand in."""
    sound = Sound(path)
    touched: Touched = set()
    plain = SealedFile.check

    def noting(file: SealedFile, offset: int, size: int) -> None:
        name = str(Path(file.path).relative_to(path))
        blocks = range(offset // BLOCK_SIZE, -(-(offset + size) // BLOCK_SIZE))
        touched.update((name, block) for block in blocks)
        plain(file, offset, size)

    def forgetful() -> Graph:
        # Without the kernel, and with no cache to hide what is read.
        return lithograph.open(path, mode="r", cache_size=0)

    with monkeypatch.context() as patch:
        patch.setattr(SealedFile, "check", noting)
        patch.setattr(SealedFile, "view", lambda file: None)
        with forgetful() as graph:
            for name in [node.name for node in graph.nodes()]:
                touched.clear()
                sound.nodes[name] = fields_of(graph.node(name)), set(touched)
                sound.ids[name] = graph.node_id(name) or 0
                sound.ever[name] = {
                    piece
                    for change in graph.history(name)
                    if change.node is not None
                    for piece in pieces_of(change.node)
                }
            for name in list(sound.nodes):
                for edge in list(graph.edges(name)):
                    touched.clear()
                    again = graph.get_edge(*edge_name(edge)[:3], key=edge.key)
                    assert again is not None
                    ends = sound.nodes[edge.source][1] | sound.nodes[edge.target][1]
                    sound.edges[edge_name(edge)] = edge_fields(again), set(touched) | ends
    return sound


def pieces_of(node: Node) -> set[str]:
    """Return what a node says, piece by piece."""
    return {node.type, *node.observations, *map(repr, node.properties.items())}


@dataclass
class Mended:
    """What came back."""

    lost: Lost
    salvage: Salvage
    older: set[int]
    nodes: dict[str, Node]
    edges: dict[EdgeName, Edge]


def mend(damaged: Path, to: Path) -> Mended:
    files = OsFiles(str(damaged))
    try:
        salvage = Salvage(files)
        with open_graph(to) as graph:
            rewrite = Rewrite(salvage, graph, time.time_ns() // 1000)
            rewrite.run()
            assert graph.verify(deep=True) == []
            nodes = {node.name: node for node in graph.nodes()}
            edges = {edge_name(edge): edge for edge in graph.edges()}
            older = {*rewrite.lost.older_nodes, *salvage.findings.timeless_nodes}
            graph._engine.close()
        dry = Salvage(files)
        check = Rewrite(dry, None, time.time_ns() // 1000)
        check.run()
        assert check.node_count == len(nodes)
        assert check.lost.nodes == rewrite.lost.nodes
        dry.close()
        salvage.close()
    finally:
        files.close()
    return Mended(rewrite.lost, salvage, older, nodes, edges)


def judge(sound: Sound, mended: Mended, damaged: Touched, where: str) -> None:
    """Compare what came back with what there was."""
    older_names = {name for name, node_id in sound.ids.items() if node_id in mended.older}
    for name, (fields, touched) in sound.nodes.items():
        node = mended.nodes.get(name)
        if not touched & damaged:
            assert node is not None, f"{where}: {name} stands in sound blocks, and is lost"
            if name not in older_names:
                assert fields_of(node) == fields, f"{where}: {name}"
        elif node is None:
            assert sound.ids[name] in mended.lost.nodes, (
                f"{where}: {name} is lost, and nobody says so"
            )
    for name, node in mended.nodes.items():
        if name in sound.nodes and name not in older_names:
            assert fields_of(node) == sound.nodes[name][0], f"{where}: {name} came back changed"
        else:
            assert pieces_of(node) <= sound.ever.get(name, pieces_of(node)), f"{where}: {name}"
    older = set(mended.lost.named_edges(mended.lost.older_edges))
    for edge, (state, touched) in sound.edges.items():
        found = mended.edges.get(edge)
        if not touched & damaged:
            assert found is not None, f"{where}: {edge} stands in sound blocks, and is lost"
        if (
            found is not None
            and edge not in older
            and not mended.salvage.findings.timeless_edge_count
        ):
            assert edge_fields(found) == state, f"{where}: {edge} came back changed"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Sound]]:
    """Return the sound store of a kind: with several segments, or compacted; studied once."""
    made: dict[str, Sound] = {}
    monkeypatch = pytest.MonkeyPatch()

    def store(kind: str) -> Sound:
        if kind not in made:
            path = tmp_path_factory.mktemp("sound") / kind
            with open_graph(path) as graph:
                fill(graph, random.Random(7))
                if kind == "one":
                    graph.compact()
                else:
                    graph.checkpoint()
                graph._engine.close()
            made[kind] = study(path, monkeypatch)
        return made[kind]

    yield store
    monkeypatch.undo()


def sealed_names(path: Path) -> list[str]:
    found = [str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()]
    return sorted(name for name in found if name.endswith((".seg", ".his", ".run")))


def spoil(path: Path, name: str, offset: int, size: int, rng: random.Random) -> Touched:
    """Damage bytes of a file; return the blocks they are in."""
    data = bytearray((path / name).read_bytes())
    for place in range(offset, min(offset + size, len(data))):
        data[place] ^= rng.randrange(1, 256)
    (path / name).chmod(0o600)
    (path / name).write_bytes(data)
    return {(name, b) for b in range(offset // BLOCK_SIZE, (offset + size - 1) // BLOCK_SIZE + 1)}


def test_a_sound_store_comes_back_whole(stores: Callable[[str], Sound], tmp_path: Path) -> None:
    for kind in ("several", "one"):
        sound = stores(kind)
        mended = mend(sound.path, tmp_path / kind)
        judge(sound, mended, set(), kind)
        assert {name: fields_of(node) for name, node in mended.nodes.items()} == {
            name: fields for name, (fields, _) in sound.nodes.items()
        }
        assert mended.edges.keys() == sound.edges.keys()
        assert mended.salvage.findings.damage == []


@pytest.mark.parametrize("kind", ["several", "one"])
@pytest.mark.parametrize("seed", range(4))
def test_what_stands_in_sound_blocks_comes_back(
    stores: Callable[[str], Sound], tmp_path: Path, kind: str, seed: int
) -> None:
    sound = stores(kind)
    rng = random.Random(seed)
    for round_number in range(3):
        store, to = tmp_path / f"damaged {round_number}", tmp_path / f"mended {round_number}"
        shutil.copytree(sound.path, store)
        damaged: Touched = set()
        where = f"seed {seed}, round {round_number}"
        for _ in range(rng.choice((1, 1, 3))):
            name = rng.choice(sealed_names(store))
            # The footer is another matter: see below.
            size = (store / name).stat().st_size - 600
            offset = rng.randrange(size)
            count = min(rng.choice((1, 1, 100, 5000)), size - offset)
            damaged |= spoil(store, name, offset, count, rng)
            where += f", {name} {offset}+{count}"
        judge(sound, mend(store, to), damaged, where)
