"""Flushes at the level of files: what a frozen memtable becomes, and that nothing changes by it."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lithograph import Graph, StorageError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.manifest import Manifest
from lithograph.graph.engine import Engine
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.segments.slice import Mark
from lithograph.segments.stored_slice import StoredSlice
from lithograph.tools.testing.machine import contents_of

DAY_US = 86_400 * 10**6
START_US = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 10**6


class Store:
    """A store whose clock stands still until it is told to move."""

    def __init__(self, path: Path, partition: str = "day") -> None:
        self.now = START_US
        files = OsFiles.create_root(str(path))
        prepare_locks(files)
        tuning = Tuning(background=False, compaction=False, close_wal_bytes_max=2**30)
        options = Options(durability="off", partition=partition, tuning=tuning)
        self.engine = Engine(files, Environment(clock_us=lambda: self.now), options)
        self.graph = Graph(self.engine, writable=True)

    @property
    def manifest(self) -> Manifest:
        return self.engine.journal.stack.generation.manifest

    def flush(self) -> None:
        """Flush, and see that readers see the same, now and at every commit before."""
        graph = self.graph
        before = contents_of(graph)
        past = [past_of(graph, sequence) for sequence in range(graph.sequence + 1)]
        graph.checkpoint()

        assert contents_of(graph) == before
        assert [past_of(graph, sequence) for sequence in range(graph.sequence + 1)] == past
        assert self.engine.journal.memtable.is_empty
        assert graph.verify(deep=True) == []

    def slice_of(self, index: int) -> StoredSlice:
        """Return what a segment holds."""
        entry, uuid = self.manifest.segments[index], self.engine.journal.store_uuid
        shelf = self.engine.shelf
        return StoredSlice(shelf.segment(entry, uuid), shelf.history(entry, uuid))


def past_of(graph: Graph, sequence: int) -> object:
    with graph.as_of(sequence) as then:
        return contents_of(then)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.engine.close()


def fill(graph: Graph) -> None:
    with graph.transaction() as tx:
        for name in "abcd":
            tx.put_node(name, type="T", observations=[f"is {name}"], properties={"n": 1})
        for source, target in itertools.pairwise("abcda"):
            tx.put_edge(source, "to", target, properties={"weight": 1})


def test_an_empty_memtable_makes_no_files(store: Store, tmp_path: Path) -> None:
    store.flush()
    store.flush()

    assert (store.manifest.segments, store.manifest.runs) == ((), ())
    assert not list(tmp_path.glob("store/*/**/*.seg"))


def test_each_day_becomes_a_segment_and_all_names_one_run(store: Store) -> None:
    for day in (0, 0, 1, 4, 4, 4, 40):
        store.now = max(store.now, START_US + day * DAY_US)
        store.graph.put_node(f"day {day}", observations=[str(store.now)])
        store.graph.add_observations("day 0", [f"seen on {day}"])
    store.flush()

    partitions = [entry.partition for entry in store.manifest.segments]
    assert partitions == ["2026-11-21", "2026-11-22", "2026-11-25", "2026-12-31"]
    [run] = store.manifest.runs
    assert (run.first_sequence, run.last_sequence) == (1, 14)
    assert run.entry_count == 4


def test_a_commit_at_midnight_begins_the_next_day(store: Store) -> None:
    store.now = START_US + DAY_US - 1
    store.graph.put_node("last")
    store.graph.put_node("first")
    store.flush()

    first, second = store.manifest.segments
    assert (first.last_time, second.first_time) == (START_US + DAY_US - 1, START_US + DAY_US)
    assert second.partition == "2026-11-22"


def test_what_one_memtable_changed_on_later_days_is_relative_there(store: Store) -> None:
    """The memtable folds changes of what it holds into full versions; a segment must not."""
    fill(store.graph)
    for day in range(1, 13):
        store.now = START_US + day * DAY_US
        store.graph.add_observations("a", [f"day {day}"])
        store.graph.put_edge("a", "to", "b", properties={"weight": day})
        assert store.graph.node("a").observations[-1] == f"day {day}"
    store.now += DAY_US
    store.graph.delete_edge("a", "to", "b")
    store.graph.put_edge("a", "to", "b", key="", properties={})
    store.flush()

    assert len(store.manifest.segments) == 14
    for index in range(1, 13):
        part = store.slice_of(index)
        [(_, end, history)] = list(part.nodes())
        assert end is not None
        assert not end.full
        assert history == []
        [(_, [edge])] = list(part.edges())
        assert edge.mark == Mark.CHANGED
    [(_, [edge])] = list(store.slice_of(13).edges())
    assert edge.mark == Mark.CHANGED
    assert edge.version is not None
    assert edge.version.full


def test_updates_of_older_nodes_and_edges(store: Store) -> None:
    fill(store.graph)
    store.flush()
    store.graph.update_properties("a", {"n": 2, "m": None}, remove=["x"])
    store.graph.remove_observations("b", ["is b"])
    store.graph.put_node("c", type="U", observations=None)
    store.graph.put_edge("a", "to", "b", properties={"weight": 2})
    store.graph.put_edge("a", "to", "b", key="k")
    store.flush()

    older, newer = store.manifest.segments
    assert (older.superseding_count, newer.superseding_count) == (0, 4)
    assert (newer.first_id, newer.end_id) == (4, 4)
    assert len(store.manifest.runs) == 1
    node = store.graph.node("a")
    assert (node.observations, node.properties) == (("is a",), {"n": 2, "m": None})


def test_only_deletions(store: Store) -> None:
    fill(store.graph)
    store.flush()
    store.graph.delete_edge("c", "to", "d")
    store.graph.delete_node("a")
    store.flush()

    entry = store.manifest.segments[1]
    assert (entry.entry_count, entry.superseding_count, entry.version_count) == (4, 4, 0)
    edges = [edge for _, found in store.slice_of(1).edges() for edge in found]
    assert {edge.mark for edge in edges} == {Mark.DEAD}
    assert store.manifest.runs[1].entry_count == 1
    assert (store.graph.node_count, store.graph.edge_count) == (3, 1)


def test_what_came_and_went_in_one_memtable_is_only_history(store: Store) -> None:
    fill(store.graph)
    store.graph.delete_node("a")
    store.graph.delete_node("b")
    store.flush()

    [entry] = store.manifest.segments
    edges = [edge for _, found in store.slice_of(0).edges() for edge in found]
    assert [edge.mark for edge in edges].count(Mark.GONE) == 3
    assert entry.superseding_count == 0
    assert store.graph.names([2]) == ["c"]


def test_a_node_deleted_and_its_name_made_anew_in_one_commit(store: Store) -> None:
    fill(store.graph)
    store.flush()
    with store.graph.transaction() as tx:
        tx.delete_node("a")
        tx.put_node("a", observations=["another"])
        tx.put_edge("a", "to", "b")
    store.flush()

    assert store.graph.node_id("a") == 4
    assert store.graph.neighbors("a") == ["b"]
    assert store.graph.neighbors("d") == []
    with store.graph.as_of(1) as then:
        assert (then.node_id("a"), then.neighbors("d")) == (0, ["a"])


def test_an_edge_deleted_and_made_anew(store: Store) -> None:
    fill(store.graph)
    store.flush()
    store.graph.delete_edge("a", "to", "b")
    store.graph.put_edge("a", "to", "b")
    store.graph.delete_edge("b", "to", "c")
    with store.graph.transaction() as tx:
        tx.delete_edge("c", "to", "d")
        tx.put_edge("c", "to", "d", properties={"new": True})
    store.flush()

    edges = list(store.graph.edges())
    assert [(edge.source, edge.properties) for edge in edges] == [
        ("a", {}),
        ("c", {"new": True}),
        ("d", {"weight": 1}),
    ]


def test_a_flush_that_fails_leaves_no_files_and_is_done_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store.graph)
    before = contents_of(store.graph)
    sync, failures = OsFiles.sync_directory, iter([True])

    def fail_once(self: OsFiles, name: str) -> None:
        if name == "names" and next(failures, False):
            raise StorageError("the medium failed")
        sync(self, name)

    monkeypatch.setattr(OsFiles, "sync_directory", fail_once)
    with pytest.raises(StorageError, match="medium"):
        store.graph.checkpoint()

    assert store.manifest.segments == ()
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".seg", ".his", ".run")]
    assert contents_of(store.graph) == before
    store.flush()
    assert len(store.manifest.segments) == 1


def nodes(graph: Graph) -> None:
    with graph.transaction() as tx:
        for number in range(2000):
            tx.put_node(f"entity:{number:010x}", type="T", observations=["one of two", "two"])


def edges(graph: Graph) -> None:
    nodes(graph)
    with graph.transaction() as tx:
        for number in range(4000):
            source, target = number % 2000, number * 7919 % 2000
            tx.put_edge(f"entity:{source:010x}", "to", f"entity:{target:010x}")


def updates(graph: Graph) -> None:
    for number in range(300):
        graph.put_node(f"n{number % 10}", properties={"text": "x" * 200, "number": number})


def large(graph: Graph) -> None:
    with graph.transaction() as tx:
        for number in range(200):
            tx.put_node(f"n{number}", observations=["y" * 10_000])


@pytest.mark.parametrize("write", [nodes, edges, updates, large])
def test_the_memtable_knows_what_it_takes(store: Store, write: Callable[[Graph], None]) -> None:
    """Within a factor of 1.6 of what the interpreter allocated."""
    store.graph.put_node("warm")
    memtable = store.engine.journal.memtable
    said = memtable.size_bytes
    tracemalloc.start()
    write(store.graph)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    said = memtable.size_bytes - said
    assert taken / 1.6 <= said <= taken * 1.6, f"{said:,} said, {taken:,} taken"
