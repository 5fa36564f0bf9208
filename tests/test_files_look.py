"""What the files alone say is what the engine says; where they do not say it, nothing is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import lithograph
from lithograph import Graph
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.options import Options, Tuning
from lithograph.tools.files_look import figures_of_files

pytestmark = pytest.mark.skipif(
    not Path("/proc/locks").exists(),
    reason="where locks cannot be looked up, everything is the engine's business",
)

# Those of the process that opens the store are among what the engine says.
PINS: Final = ("pin_count", "pinned_generation", "pinned_sequence")


COUNTS: Final = ("sequence", "node_count", "edge_count", "type_count", "memtable_version_count")


def write_nothing(path: Path) -> None:
    lithograph.open(path).close()


def write_flushed(path: Path) -> None:
    with lithograph.open(path) as graph:
        for number in range(5):
            graph.put_node(f"node {number}", type=f"type {number % 2}", observations=["x"])
        graph.put_edge("node 1", "to", "node 2")
        graph.checkpoint()
        graph.delete_node("node 2")
        graph.checkpoint()


def write_compacted(path: Path) -> None:
    write_flushed(path)
    with lithograph.open(path, history=timedelta(0)) as graph:
        graph.compact()


@pytest.fixture(params=[write_nothing, write_flushed, write_compacted])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "a.graph"
    write: Callable[[Path], None] = request.param
    write(path)
    return path


def small_graph(path: Path) -> Graph:
    """Return a store whose logs are small; nothing is flushed."""
    tuning = Tuning(background=False, compaction=False, wal_size_bytes_max=600)
    files = OsFiles.create_root(str(path))
    return Graph(
        open_engine(files, Environment(), Options(durability="off", tuning=tuning)), writable=True
    )


def told_by_engine(path: Path) -> dict[str, Any]:
    with lithograph.open(path, mode="r") as graph:
        return asdict(graph.stats())


def test_the_files_say_what_the_engine_says(store: Path) -> None:
    found, expected = figures_of_files(str(store)), told_by_engine(store)

    assert found is not None
    assert list(found) == list(expected)
    for name in PINS:
        del found[name], expected[name]
    assert found == expected


def test_a_pin_of_another_is_counted(store: Path) -> None:
    with lithograph.open(store) as graph:
        with graph.snapshot():
            found = figures_of_files(str(store))
        sequence = graph.sequence

    assert found is not None
    assert (found["pin_count"], found["pinned_sequence"]) == (1, sequence)


def write_log(graph: Graph) -> None:
    """Leave commits of every kind behind what is flushed."""
    with graph.transaction() as tx:
        for name in ("hub", "other", "third"):
            tx.put_node(name, type="late", observations=[name * 50])
        tx.put_edge("hub", "knows", "hub")
        tx.put_edge("hub", "knows", "hub", key="again")
        tx.put_edge("hub", "knows", "other", key="é")
        tx.put_edge("other", "likes", "hub", properties={"n": 1})
        tx.put_edge("other", "likes", "third")
    graph.add_observations("other", ["more"])
    graph.put_edge("other", "likes", "hub", properties={"n": 2})
    graph.put_edge("other", "hates", "other")
    graph.delete_edge("other", "likes", "third")
    graph.delete_node("hub")
    with graph.transaction() as tx:
        tx.delete_node("other")
        tx.put_node("other", type="new")
    if "node 1" in graph:
        graph.delete_node("node 1")


def killed(graph: Graph, path: Path) -> Path:
    """Return a copy of a store as a process leaves it that is killed."""
    copy = path.with_name("killed.graph")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    for pin in (copy / "locks" / "pins").iterdir():
        pin.unlink()
    return copy


def assert_same(found: dict[str, Any] | None, path: Path) -> None:
    """Compare with the engine, which syncs the log and takes memory for it; it may be one that has
    files open already."""
    expected = told_by_engine(path)
    assert found is not None
    assert found["memtable_size_bytes"] == 0
    assert found["wal_synced_bytes"] <= expected["wal_synced_bytes"]
    for name in (*PINS, "memtable_size_bytes", "wal_synced_bytes", "open_file_count"):
        del found[name], expected[name]
    assert found == expected


def test_a_log_is_counted_whether_somebody_writes_or_not(store: Path) -> None:
    with lithograph.open(store) as graph:
        for _ in range(2):
            write_log(graph)
            assert_same(figures_of_files(str(store)), store)
        copy = killed(graph, store)

    assert_same(figures_of_files(str(copy)), copy)


def test_several_logs_are_counted(store: Path) -> None:
    with small_graph(store) as graph:
        for number in range(12):
            graph.put_node(f"late {number}", observations=["long " * 20])
        write_log(graph)
        copy = killed(graph, store)
        found = figures_of_files(str(store))
        graph._engine.close()

    assert found is not None
    assert found["wal_file_count"] > 3
    assert_same(figures_of_files(str(copy)), copy)
    newest = max((copy / "wal").iterdir())
    older = sorted((copy / "wal").iterdir())[-2]
    for log in (newest, older):
        whole = log.read_bytes()
        log.write_bytes(whole[:-8])
        assert figures_of_files(str(copy)) is None
        log.write_bytes(whole)
    older.unlink()
    assert figures_of_files(str(copy)) is None


def test_a_log_of_which_a_part_is_left_is_counted_as_far_or_the_engines_business(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.graph"
    with lithograph.open(path, durability="off") as graph:
        write_log(graph)
        copy = killed(graph, path)
    [log] = (copy / "wal").iterdir()
    whole = log.read_bytes()
    counted = 0
    for size in range(128, len(whole), 8):
        for room in (b"", bytes(20), bytes(2**16)):
            log.write_bytes(whole[:size] + room)
            found = figures_of_files(str(copy))
            if found is not None:
                counted += 1
                expected = told_by_engine(copy)
                assert [found[name] for name in COUNTS] == [expected[name] for name in COUNTS]

    assert counted > 12


def test_a_damaged_log_is_the_engines_business(tmp_path: Path) -> None:
    path = tmp_path / "a.graph"
    with lithograph.open(path) as graph:
        write_log(graph)
        copy = killed(graph, path)
    [log] = (copy / "wal").iterdir()
    whole = log.read_bytes()
    for offset in range(0, len(whole), 1 + len(whole) // 200):
        log.write_bytes(bytes(b ^ (i == offset) for i, b in enumerate(whole)))
        assert figures_of_files(str(copy)) is None


def test_only_what_is_published_is_counted(store: Path) -> None:
    """A process that writes has put more into the log than it has told anybody."""
    with lithograph.open(store) as graph:
        graph.put_node("told")
        before = figures_of_files(str(store))
        [log] = (store / "wal").iterdir()
        published = (store / "shared.map").read_bytes()
        graph.put_node("not told yet")
        longer = log.read_bytes()
        newer = (store / "shared.map").read_bytes()
        (store / "shared.map").write_bytes(published)
        found = figures_of_files(str(store))
        (store / "shared.map").write_bytes(published[:128] + bytes(256))
        unreadable = figures_of_files(str(store))
        (store / "shared.map").write_bytes(newer)

    assert unreadable is None
    assert before is not None
    assert found is not None
    assert found["wal_size_bytes"] < len(longer)
    assert found["node_count"] == before["node_count"]


def test_a_store_that_is_held_is_the_engines_business(store: Path) -> None:
    with lithograph.open(store, exclusive=True):
        assert figures_of_files(str(store)) is None


def test_what_is_damaged_is_the_engines_business(store: Path) -> None:
    names = ["CURRENT", *(f"manifest/{path.name}" for path in (store / "manifest").iterdir())]
    for name in names:
        path = store / name
        whole = path.read_bytes()
        for offset in range(0, len(whole), 1 + len(whole) // 50):
            path.write_bytes(bytes(b ^ (i == offset) for i, b in enumerate(whole)))
            found = figures_of_files(str(store))
            assert found is None or found == figures_of_whole(path, whole, store)
        path.write_bytes(whole)


def figures_of_whole(path: Path, whole: bytes, store: Path) -> dict[str, Any] | None:
    """Return what is said of the store without the damage: an old manifest is nobody's any more."""
    damaged = path.read_bytes()
    path.write_bytes(whole)
    found = figures_of_files(str(store))
    path.write_bytes(damaged)
    return found


def test_what_is_no_store_is_the_engines_business(tmp_path: Path, store: Path) -> None:
    (tmp_path / "text").write_text("mine")
    (tmp_path / "empty").mkdir()
    (store / "notes.txt").write_text("mine")

    assert figures_of_files(str(tmp_path / "none")) is None
    assert figures_of_files(str(tmp_path / "text")) is None
    assert figures_of_files(str(tmp_path / "empty")) is None
    assert figures_of_files(str(store)) is None


def test_the_floor_is_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.graph"
    write_compacted(path)
    found = figures_of_files(str(path))

    assert found is not None
    assert found["floor_sequence"] > 0
    assert datetime.now(UTC) - found["floor_time"] < timedelta(hours=1)


def test_a_kernel_that_cannot_be_is_the_engines_business(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITHOGRAPH_KERNEL", "fast")
    assert figures_of_files(str(store)) is None
