"""What `Graph.stats()` says of memory, files and pins, as they come and go."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import lithograph
from lithograph.environment import Environment
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning
from lithograph.tools.testing.simulated_disk import SimulatedDisk


def open_by_hand(history: timedelta | None = None) -> Graph:
    """Return a graph whose flushes and merges are stepped by the test."""
    options = Options(
        history=history,
        cache_size_bytes=50_000,
        tuning=Tuning(background=False, compaction=False, memtable_size_bytes_max=20_000),
    )
    files = SimulatedDisk().process(create=True)
    return Graph(open_engine(files, Environment(), options), writable=True)


def write_until_frozen(graph: Graph) -> int:
    """Write nodes until a memtable is frozen; return how many."""
    count = 0
    while not graph.stats().frozen_version_count:
        graph.put_node(f"n{count}", observations=["x" * 100])
        count += 1
    return count


def test_memory_grows_is_frozen_and_given_back() -> None:
    graph = open_by_hand()
    empty = graph.stats()
    count = write_until_frozen(graph)
    frozen = graph.stats()
    graph._engine.caretaker.finish_flush()
    flushed = graph.stats()

    assert (empty.memtable_size_bytes, empty.memtable_version_count) == (0, 0)
    assert frozen.frozen_version_count + frozen.memtable_version_count == count
    assert frozen.frozen_size_bytes >= frozen.memtable_size_bytes_max == 20_000
    assert frozen.segment_count == 0
    assert (flushed.frozen_size_bytes, flushed.frozen_version_count) == (0, 0)
    assert flushed.memtable_version_count == frozen.memtable_version_count
    assert (flushed.segment_count, flushed.run_count) == (1, 1)
    assert flushed.segment_entry_count == flushed.run_name_count == frozen.frozen_version_count
    assert flushed.generation == empty.generation + 1
    assert flushed.wal_total_size_bytes < frozen.wal_total_size_bytes


def test_reading_fills_cache_and_opens_files(tmp_path: Path) -> None:
    path = tmp_path / "read.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(200):
                tx.put_node(f"n{number}", observations=["x" * 100])
        graph.compact()
    with lithograph.open(path, mode="r") as graph:
        before = graph.stats()
        for _ in range(2):
            assert graph.node("n7").observations == ("x" * 100,)
        after = graph.stats()

    assert (before.open_file_count, before.cache_size_bytes, before.cache_miss_count) == (0, 0, 0)
    assert after.open_file_count == 2 <= after.open_file_count_max
    assert 0 < after.cache_size_bytes <= after.cache_size_bytes_max == 64 * 2**20
    assert after.cache_miss_count > 0
    assert after.cache_hit_count > 0


def test_a_snapshot_pins_its_commit(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "pinned.graph") as graph:
        graph.put_node("a")
        assert graph.stats().pinned_sequence is None
        with graph.snapshot():
            graph.put_node("b")
            held = graph.stats()
        released = graph.stats()

    assert (held.pin_count, held.pinned_sequence, held.pinned_generation) == (1, 1, 1)
    assert released.pinned_sequence is None


def test_the_floor_is_told() -> None:
    graph = open_by_hand(timedelta(0))
    graph.put_node("a", type="old")
    graph.put_node("a", type="new")
    graph.checkpoint()
    past = graph.stats()
    graph.put_node("b")
    graph.compact()
    after = graph.stats()

    assert (past.floor_sequence, past.floor_time) == (0, None)
    assert past.history_count == 1
    assert past.history_size_bytes > 0
    assert past.history_version_count == 1
    assert after.floor_sequence > 0
    assert after.floor_time is not None
    assert (after.history_count, after.history_size_bytes, after.history_version_count) == (0, 0, 0)
