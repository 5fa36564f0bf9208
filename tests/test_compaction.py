"""Merges in a store: by the calendar, behind readers, beside other processes, on a full disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lithograph import Graph, StorageError
from lithograph.environment import Environment
from lithograph.files import OsFiles, os_file, os_files
from lithograph.formats.manifest import Manifest
from lithograph.graph.engine import Engine
from lithograph.maintenance import caretaker
from lithograph.maintenance.compaction import Compaction, major_compaction
from lithograph.maintenance.creation import prepare_locks
from lithograph.maintenance.open_store import OpenStore
from lithograph.options import Options, Tuning
from lithograph.tools.testing.child_process import ChildProcess
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.machine import contents_of

FUZZ = os.environ.get("LITHOGRAPH_FUZZ") == "1"
DAY = timedelta(days=1)


class Store:
    """Engines on one directory, with one clock that only tests move."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.engines: list[Engine] = []

    def open(
        self, *, plan: FaultPlan | None = None, options: dict[str, Any] | None = None, **tuning: Any
    ) -> Graph:
        """Open an engine of its own, as another process would."""
        files = OsFiles.create_root(str(self.path))
        prepare_locks(files)
        engine = Engine(
            files if plan is None else FaultyFiles(files, plan),
            Environment(clock_us=self.clock_us),
            Options(
                durability="off",
                tuning=Tuning(**{"background": False, "close_wal_bytes_max": 2**30, **tuning}),
                **(options or {}),
            ),
        )
        self.engines.append(engine)
        return Graph(engine, writable=engine.options.writable)

    def clock_us(self) -> int:
        return int(self.now.timestamp()) * 10**6

    def sealed_files(self) -> set[str]:
        """Return the names of the runs, segments and histories that are there."""
        kinds = (".run", ".seg", ".his")
        return {file.name for file in self.path.rglob("*") if file.suffix in kinds}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Return a store on a disk where syncing costs nothing: years pass in seconds."""
    for module in (os_file, os_files):
        monkeypatch.setattr(module, "sync", _no_sync)
    store = Store(tmp_path / "store")
    yield store
    for engine in store.engines:
        engine.close()


def _no_sync(fd: int, *, data_only: bool = False) -> None:
    """Nothing here is about power cuts."""


def manifest_of(graph: Graph) -> Manifest:
    return graph._engine.journal.stack.generation.manifest


def named_files(graph: Graph) -> set[str]:
    manifest = manifest_of(graph)
    names = {f"{entry.number:08}.run" for entry in manifest.runs}
    for entry in manifest.segments:
        names.add(f"{entry.number:08}.seg")
        if entry.history is not None:
            names.add(f"{entry.number:08}.his")
    return names


def work(graph: Graph) -> None:
    """Flush everything, and do every merge that is due."""
    graph.checkpoint()
    graph._engine.caretaker.work_off()


def fill(graph: Graph, count: int = 40, flushes: int = 4) -> None:
    """Write nodes and edges, change and delete some, over several flushes."""
    for flush in range(flushes):
        with graph.transaction() as tx:
            for number in range(flush, count, flushes):
                tx.put_node(f"n{number}", type="T", observations=[f"is {number}"])
        with graph.transaction() as tx:
            for number in range(flush, count, flushes):
                tx.put_edge(f"n{number}", "to", f"n{flush}", properties={"flush": flush})
                tx.add_observations("n0", [f"sees {number}"])
        graph.put_edge("n0", "to", "n0", properties={"flush": -flush})
        graph.checkpoint()
    graph.delete_node("n1")
    graph.checkpoint()


# By the calendar ------------------------------------------------------------------------------


def test_a_month_is_sealed_when_the_next_begins(store: Store) -> None:
    graph = store.open()
    for day in range(3):
        graph.put_node(f"in january {day}", observations=["x" * 50] * 20)
        work(graph)
        store.now += DAY
    assert [entry.sealed for entry in manifest_of(graph).segments] == [False] * 3
    store.now += 31 * DAY
    graph.put_node("in february")
    work(graph)

    january, february = manifest_of(graph).segments
    assert (january.partition, january.sealed) == ("2026-01", True)
    assert (february.partition, february.sealed) == ("2026-02", False)
    assert january.size < 5_000, "a sealed segment is compressed"
    assert graph.verify(deep=True) == []
    assert len(list(graph.nodes())) == 4


def test_quarters_and_years_roll_up(store: Store) -> None:
    graph = store.open()
    partitions = []
    for month in range(30):
        store.now = datetime(2026 + month // 12, month % 12 + 1, 5, tzinfo=UTC)
        graph.put_node(f"month {month}")
        work(graph)
        partitions.append([entry.partition for entry in manifest_of(graph).segments])

    assert partitions[3] == ["2026-Q1", "2026-04"]
    assert partitions[12] == ["2026", "2027-01"]
    assert partitions[23] == ["2026", "2027-Q1", "2027-Q2", "2027-Q3", *months(2027, 10, 12)]
    assert partitions[29] == ["2024-to-2027", "2028-Q1", *months(2028, 4, 6)]
    assert graph.verify(deep=True) == []


def months(year: int, first: int, last: int) -> list[str]:
    return [f"{year}-{month:02}" for month in range(first, last + 1)]


@pytest.mark.parametrize(
    ("partition", "day_count", "days_between_flushes"),
    [("month", 3652, 1 if FUZZ else 8), ("day", 365 if FUZZ else 200, 1)],
)
def test_years_of_daily_commits_stay_in_few_files_and_writes(
    store: Store, partition: str, day_count: int, days_between_flushes: int
) -> None:
    """Counted: at most 32 segments and 8 runs once merges are done, and 8 writes of each entry."""
    graph = store.open(
        options={"partition": partition}, wal_size_bytes_max=2**30, check_outputs=False
    )
    written = Written()
    for day in range(day_count):
        store.now += DAY
        with graph.transaction() as tx:
            tx.put_node(f"day {day}", observations=["new"])
            tx.put_edge(f"day {day}", "after", f"day {max(0, day - 1)}")
            if day % 3 == 2:
                tx.add_observations(f"day {day // 2}", ["seen again"])
        if day % days_between_flushes == 0:
            graph.checkpoint()
            written.look(graph)
            while graph._engine.caretaker.step():
                written.look(graph)
            assert len(manifest_of(graph).segments) <= 32
            assert len(manifest_of(graph).runs) <= 8
    graph.checkpoint()

    changes = 2 * day_count + day_count // 3
    assert written.entries / changes <= 8
    assert written.names / day_count <= 8
    assert (graph.node_count, graph.edge_count) == (day_count, day_count)
    for day in range(1, day_count, 97):
        assert graph.neighbors(f"day {day}") == [f"day {day - 1}"]
    with graph.as_of(day_count // 2) as then:
        assert then.node_count == day_count // 2
        assert f"day {day_count // 2}" not in then
    assert graph.verify(deep=True) == []


class Written:
    """Counts what a store's files hold, each file once."""

    def __init__(self) -> None:
        self.entries = self.names = 0
        self._seen: set[int] = set()

    def look(self, graph: Graph) -> None:
        manifest = manifest_of(graph)
        for segment in manifest.segments:
            if segment.number not in self._seen:
                self.entries += segment.entry_count + segment.version_count
        for run in manifest.runs:
            if run.number not in self._seen:
                self.names += run.entry_count
        self._seen |= {entry.number for entry in manifest.segments}
        self._seen |= {entry.number for entry in manifest.runs}


def test_the_past_is_let_go_with_history_zero(store: Store) -> None:
    graph = store.open(options={"history": timedelta(0)})
    fill(graph)
    graph.compact()

    [entry] = manifest_of(graph).segments
    assert entry.history is None
    assert entry.superseding_count == 0
    assert manifest_of(graph).floor_sequence == graph.sequence
    assert graph.verify(deep=True) == []


def test_a_snapshot_keeps_the_past_that_it_reads(store: Store) -> None:
    graph = store.open(options={"history": timedelta(0)})
    fill(graph)
    before = contents_of(graph)
    with graph.snapshot() as then:
        sequence = then.sequence
        for name in ("n2", "n3"):
            graph.delete_node(name)
        graph.put_edge("n4", "to", "n5")
        graph.compact()
        assert contents_of(then) == before
        assert manifest_of(graph).floor_sequence <= sequence
        assert graph.verify(deep=True) == []
    graph.put_node("one more")
    graph.compact()
    assert manifest_of(graph).floor_sequence == graph.sequence
    assert graph.verify(deep=True) == []


# Steps ----------------------------------------------------------------------------------------


def test_a_commit_comes_between_any_two_steps(store: Store) -> None:
    graph = store.open()
    fill(graph, count=1500, flushes=3)
    [segments, *runs] = major_compaction(graph._engine.store)
    for merge in runs:
        merge.steps.close()
    count = 0
    for _ in segments.steps:
        graph.put_node(f"between {count}")
        count += 1

    entries = sum(entry.entry_count for entry in manifest_of(graph).segments)
    assert count >= entries // 1024
    assert len(manifest_of(graph).segments) == 1
    assert all(f"between {number}" in graph for number in range(count))
    assert graph.verify(deep=True) == []


def test_commits_that_need_a_flush_do_not_wait_for_compact(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compaction that another thread asked for stands still: commits flush all the same."""
    graph = store.open(background=True, memtable_size_bytes_max=20_000, compaction=False)
    fill(graph)
    begun, may_end = threading.Event(), threading.Event()

    def slowly(store: OpenStore) -> list[Compaction]:
        found = major_compaction(store)
        return [Compaction(merge.inputs, merge.size_bytes, dawdle(merge)) for merge in found]

    def dawdle(merge: Compaction) -> Any:
        yield from merge.steps
        begun.set()
        while not may_end.is_set():
            may_end.wait(0.001)
            yield

    def write() -> None:
        for number in range(200):
            graph.put_node(f"w{number}")

    monkeypatch.setattr(caretaker, "major_compaction", slowly)
    thread = threading.Thread(target=graph.compact)
    thread.start()
    try:
        assert begun.wait(30)
        before = manifest_of(graph).last_sequence
        writer = threading.Thread(target=write)
        writer.start()
        writer.join(30)
        assert not writer.is_alive(), "commits wait for a compaction"
        assert manifest_of(graph).last_sequence > before
    finally:
        may_end.set()
        thread.join()
        writer.join()
    assert len(list(graph.nodes("w"))) == 200


# A full disk ----------------------------------------------------------------------------------


def test_no_room_is_said_before_anything_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = store.open(compaction=False)
    fill(graph)
    before, files = contents_of(graph), store.sealed_files()
    with monkeypatch.context() as patched:
        patched.setattr(OsFiles, "free_bytes", lambda self: 100)
        with pytest.raises(StorageError, match=r"a compaction needs [\d,]+ bytes .* 100 are free"):
            graph.compact()

    assert (contents_of(graph), store.sealed_files()) == (before, files)
    graph.compact()
    assert len(manifest_of(graph).segments) == 1
    assert contents_of(graph) == before


@pytest.mark.parametrize("names", [r".*\.seg", r".*\.his", r".*\.run", r"manifest/.*"])
def test_a_disk_that_fills_up_during_a_merge_leaves_no_debris(store: Store, names: str) -> None:
    plan = FaultPlan()
    graph = store.open(plan=plan, compaction=False)
    fill(graph)
    graph.checkpoint()
    before, files = contents_of(graph), store.sealed_files()
    plan.faults = [Fault(("write",), errno.ENOSPC, names, is_sticky=True, landed=10)]
    with pytest.raises(StorageError, match="No space left"):
        graph.compact()

    assert plan.failed
    assert contents_of(graph) == before
    assert store.sealed_files() == named_files(graph)
    assert store.sealed_files() == files or names == r".*\.run"
    graph.put_node("still writable")
    plan.faults.clear()
    graph.compact()
    assert len(manifest_of(graph).segments) == len(manifest_of(graph).runs) == 1
    assert graph.verify(deep=True) == []
    assert store.sealed_files() == named_files(graph)


# Other processes ------------------------------------------------------------------------------


def test_an_old_reader_keeps_its_files_through_compactions(store: Store) -> None:
    writer, reader = store.open(compaction=False), store.open(compaction=False)
    fill(writer)
    then = reader.snapshot()
    before, files = contents_of(then), store.sealed_files()
    for flush in range(3):
        writer.put_node(f"later {flush}")
        writer.compact()

    assert files <= store.sealed_files()
    assert contents_of(then) == before
    then.close()
    assert len(list(reader.nodes("later"))) == 3
    writer.put_node("last")
    writer.compact()
    writer.checkpoint()
    reader.sequence  # noqa: B018  # Takes in the newest generation, and lets go of its own.
    writer.put_node("very last")
    writer.compact()
    reader._engine.close()
    writer.put_node("very, very last")
    writer.compact()
    assert store.sealed_files() == named_files(writer)


def test_an_iterator_reads_on_through_compactions(store: Store) -> None:
    writer, reader = store.open(compaction=False), store.open(compaction=False)
    fill(writer)
    counts = (reader.node_count, reader.edge_count)
    nodes, edges = reader.nodes(), reader.edges()
    first = [next(nodes).name, next(edges).source]
    for _ in range(3):
        writer.delete_node(next(iter(writer.nodes())).name)
        writer.compact()

    assert first == ["n0", "n0"]
    assert (len(list(nodes)), len(list(edges))) == (counts[0] - 1, counts[1] - 1)


def test_a_killed_readers_pin_is_gone_with_it(store: Store) -> None:
    writer = store.open(compaction=False)
    fill(writer)
    with ChildProcess(store.path) as child:
        child.run("g = lithograph.open(path, durability='off')")
        child.run("s = g.snapshot()")
        files = store.sealed_files()
        writer.compact()
        assert files <= store.sealed_files()
        assert child.run("len(list(s.nodes()))") == 39
        child.kill()
    writer.put_node("after")
    writer.compact()

    assert store.sealed_files() == named_files(writer)


def test_a_forked_readers_pin_lasts_as_long_as_the_parents(store: Store) -> None:
    """The child's copy of the descriptors must not keep, or let go of, what the parent pins."""
    writer = store.open(compaction=False)
    fill(writer)
    with ChildProcess(store.path) as child:
        child.run("g = lithograph.open(path, durability='off')")
        child.run("s = g.snapshot()")
        child.run("pid = os.fork() or os._exit(0)")
        child.run("os.waitpid(pid, 0)[1]")
        files = store.sealed_files()
        writer.compact()
        assert files <= store.sealed_files()
        assert child.run("len(list(s.nodes()))") == 39


def test_of_two_compactions_at_once_one_gives_up_and_nothing_is_lost(store: Store) -> None:
    graphs = [store.open(compaction=False), store.open(compaction=False)]
    fill(graphs[0])
    before = contents_of(graphs[0])
    assert contents_of(graphs[1]) == before
    waiting = [merge for graph in graphs for merge in major_compaction(graph._engine.store)]
    waiting = [merge for merge in waiting if len(merge.inputs) == 5]
    assert len(waiting) == 4
    while waiting:
        waiting = [merge for merge in waiting if next(merge.steps, "end") != "end"]

    for graph in graphs:
        assert contents_of(graph) == before
        manifest = manifest_of(graph)
        assert len(manifest.segments) == len(manifest.runs) == 1
        assert graph.verify(deep=True) == []
    assert named_files(graphs[0]) == named_files(graphs[1])
    graphs[0].put_node("more")
    graphs[0].compact()
    graphs[1].put_node("and more")
    graphs[1].compact()
    assert named_files(graphs[1]) <= store.sealed_files()


def test_compactions_in_two_threads_of_two_processes(store: Store) -> None:
    graphs = [store.open(compaction=False), store.open(compaction=False)]
    fill(graphs[0])
    before = contents_of(graphs[0])
    failed: list[BaseException] = []

    def compact(graph: Graph) -> None:
        try:
            graph.compact()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=compact, args=(graph,)) for graph in graphs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert all(contents_of(graph) == before for graph in graphs)
    assert len(manifest_of(graphs[0]).segments) == 1
