"""Purging: no byte of a node is left, and the graph of any moment is one without it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import Graph
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.maintenance.node_lives import NodeLives
from lithograph.options import Options, Tuning
from lithograph.tools.testing.machine import contents_of

SECRET = "Ada of the purge"
TEXT = "words that must not stay"


def open_graph(path: Path, history: timedelta | None = None, **tuning: Any) -> Graph:
    small = {"background": False, "compaction": False, "close_wal_bytes_max": 2**30} | tuning
    options = Options(durability="off", history=history, tuning=Tuning(**small))
    return Graph(open_engine(OsFiles.create_root(str(path)), Environment(), options), writable=True)


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    graph = open_graph(tmp_path / "store")
    yield graph
    graph._engine.close()


def fill(graph: Graph, secret: bool = True) -> None:
    """Write four flushes of a graph in which one node comes, changes, goes and comes again.

    secret : without it, the same commits are made without that node.
    """
    for flush in range(4):
        for number in range(4):
            with graph.transaction() as tx:
                name = f"n{flush}{number}"
                tx.put_node(name, type="T", observations=[f"is {name}"])
                tx.put_edge(name, "to", "n00", properties={"n": number})
                if not secret:
                    continue
                if SECRET in tx:
                    tx.add_observations(SECRET, [f"{TEXT} {flush} {number}"])
                else:
                    tx.put_node(SECRET, type="T", observations=[TEXT])
                tx.put_edge(SECRET, "knows", name, properties={"why": TEXT})
                tx.put_edge(name, "knows", SECRET, key=str(number))
                tx.put_edge(SECRET, "knows", SECRET)
        with graph.transaction() as tx:
            tx.put_node("always", properties={"n": flush})
            if secret and flush == 1:
                tx.delete_node(SECRET)
            if secret and flush == 2:
                tx.delete_edge(SECRET, "knows", "n20")
        graph.checkpoint()


def raw(graph: Graph) -> bytes:
    """Return the bytes of all files of the store but its locks."""
    root = Path(graph._engine.files.root)
    files = (file for file in sorted(root.rglob("*")) if file.is_file())
    return b"".join(file.read_bytes() for file in files)


def pictures(graph: Graph) -> list[object]:
    """Return the graph as of each commit."""
    found: list[object] = []
    for sequence in range(graph.sequence + 1):
        with graph.as_of(sequence) as then:
            found.append(contents_of(then))
    return found


def test_no_file_holds_what_was_purged(graph: Graph) -> None:
    fill(graph)
    assert SECRET.encode() in raw(graph)
    found = graph.purge(SECRET)

    assert (found.node_count, found.waiting) == (2, ())
    assert SECRET.encode() not in raw(graph)
    assert TEXT.encode() not in raw(graph)
    assert graph.verify(deep=True) == []


@pytest.mark.parametrize("compacted", [False, True])
def test_the_past_is_that_of_a_graph_that_never_had_it(
    graph: Graph, tmp_path: Path, compacted: bool
) -> None:
    """Counts too: `contents_of` compares them with what a view shows."""
    fill(graph)
    if compacted:
        graph.compact()
    graph.purge(SECRET)
    with open_graph(tmp_path / "other") as other:
        fill(other, secret=False)
        expected = pictures(other)
        other._engine.close()

    assert pictures(graph)[: len(expected)] == expected
    assert graph.verify(deep=True) == []


def test_compressed_files_say_nothing_of_it_either(graph: Graph) -> None:
    fill(graph)
    graph.compact()
    graph.purge(SECRET)

    store_uuid = graph._engine.journal.store_uuid
    entries = graph._engine.journal.stack.generation.manifest.segments
    assert entries[0].sealed
    for entry in entries:
        segment = graph._engine.shelf.segment(entry, store_uuid)
        assert SECRET not in {name for _, name in segment.all_names()}
        assert TEXT not in repr(list(segment.all_nodes()))
    with pytest.raises(lithograph.NodeNotFoundError):
        list(graph.history(SECRET))


def test_it_can_be_purged_again_when_it_came_again(graph: Graph) -> None:
    fill(graph)
    graph.purge(SECRET)
    graph.put_node(SECRET, observations=[TEXT])
    graph.put_edge(SECRET, "knows", "n00")
    assert graph.neighbors(SECRET) == ["n00"]

    assert graph.purge(SECRET).node_count == 1
    assert TEXT.encode() not in raw(graph)
    assert graph.purge(SECRET).node_count == 0
    assert graph.verify(deep=True) == []


def test_what_ended_long_ago_is_purged_too(graph: Graph) -> None:
    fill(graph)
    graph.put_node("long gone", observations=["its words"])
    graph.delete_node("long gone")
    graph.compact()

    assert graph.purge("long gone").node_count == 1
    assert b"long gone" not in raw(graph)
    assert graph.verify(deep=True) == []
    assert graph.node(SECRET).name == SECRET


def test_a_name_that_never_was_is_no_work(graph: Graph) -> None:
    fill(graph)
    generation = graph.stats().generation

    assert graph.purge("nobody").node_count == 0
    assert graph.stats().generation == generation


def test_a_name_that_the_index_has_forgotten_goes_all_the_same(tmp_path: Path) -> None:
    """Below the floor, the runs may not know what a segment still holds."""
    graph = open_graph(tmp_path / "store", timedelta(0))
    graph.put_node("early", observations=[TEXT])
    graph.checkpoint()
    graph.delete_node("early")
    graph.put_node("other")
    graph.checkpoint()
    engine = graph._engine
    for merge in lithograph_run_merges(graph):
        engine.caretaker._work_at(merge)
    assert TEXT.encode() in raw(graph)

    assert graph.purge("early").node_count == 1
    assert TEXT.encode() not in raw(graph)
    assert graph.verify(deep=True) == []
    engine.close()


def lithograph_run_merges(graph: Graph) -> list[Any]:
    """Return the merge of all runs, without that of the segments."""
    from lithograph.maintenance.compaction import merge_of_runs
    from lithograph.maintenance.compaction_plan import RunMerge

    store = graph._engine.store
    generation = store.journal.stack.generation
    plan = RunMerge(0, len(generation.manifest.runs), "major")
    return [merge_of_runs(store, generation, plan).steps]


def test_a_reader_keeps_the_files_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store"
    graph = open_graph(path)
    fill(graph)
    graph.checkpoint()
    # As another process would: an engine of its own.
    options = Options(mode="r", tuning=Tuning(background=False))
    reader = Graph(open_engine(OsFiles(str(path)), Environment(), options), writable=False)
    with reader.snapshot() as then:
        seen = then.node(SECRET).observations
        found = graph.purge(SECRET)

        assert found.waiting
        assert found.readers
        assert TEXT in seen[0]
        assert SECRET.encode() in raw(graph)
    reader._engine.close()
    graph.put_node("one more")
    graph.checkpoint()

    assert SECRET.encode() not in raw(graph)
    graph._engine.close()


def test_verify_counts_the_ids_that_were_purged(graph: Graph) -> None:
    """More holes than were purged are told: seen by taking one away."""
    fill(graph)
    graph.purge(SECRET)
    manifest = graph._engine.journal.stack.generation.manifest
    assert manifest.purged_count == 2
    found: list[str] = []
    parts = parts_of(graph)
    list(NodeLives(parts, 0, 1).walk(lambda path, message: found.append(message)))

    assert len(found) == 1
    assert "nothing is there" in found[0]


def parts_of(graph: Graph) -> list[Any]:
    from lithograph.maintenance.node_lives import Part
    from lithograph.segments.stored_slice import StoredSlice

    engine = graph._engine
    store_uuid = engine.journal.store_uuid
    return [
        Part(
            "",
            StoredSlice(
                engine.shelf.segment(entry, store_uuid), engine.shelf.history(entry, store_uuid)
            ),
            9,
        )
        for entry in engine.journal.stack.generation.manifest.segments
    ]


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_are_sound_after_a_purge(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    graph = open_graph(tmp_path / "store")
    for _ in range(60):
        name, other = (f"node {rng.randrange(8)}" for _ in range(2))
        match rng.randrange(7):
            case 0 | 1:
                graph.put_node(name, observations=[f"{rng.random()}"])
            case 2 | 3:
                graph.put_edge(name, "to", other, properties={"n": 1}, create_missing=True)
            case 4:
                graph.delete_node(name)
            case 5:
                graph.delete_edge(name, "to", other)
            case _:
                graph.compact() if rng.random() < 0.2 else graph.checkpoint()
    before = pictures(graph)
    graph.purge("node 3")

    assert graph.verify(deep=True) == []
    for old, new in zip(before, pictures(graph), strict=False):
        assert without(old) == new
    # Merges leave the holes as they are.
    after = pictures(graph)
    graph.compact()
    assert graph.verify(deep=True) == []
    assert pictures(graph) == after
    graph._engine.close()


def without(picture: Any) -> object:
    nodes, edges = picture
    return (
        tuple(node for node in nodes if node[0] != "node 3"),
        tuple(edge for edge in edges if "node 3" not in (edge[0], edge[2])),
    )
