"""The caretaker's thread: flushes and merges behind commits and reads, waits, failures, closing."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lithograph
from lithograph import Graph, StorageError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import Engine
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning

OpenGraph = Callable[..., Graph]


@pytest.fixture
def open_graph(tmp_path: Path) -> Iterator[OpenGraph]:
    """Return a function that opens the store in an engine of its own, as another process would."""
    opened: list[Graph] = []

    def open_one(**tuning: object) -> Graph:
        files = OsFiles.create_root(str(tmp_path / "store"))
        prepare_locks(files)
        sizes = {"memtable_size_bytes_max": 20_000, **tuning}
        options = Options(durability="normal", tuning=Tuning(**sizes))  # type: ignore[arg-type]
        graph = Graph(Engine(files, Environment(), options), writable=True)
        opened.append(graph)
        return graph

    yield open_one
    for graph in opened:
        graph._engine.close()


def write(graph: Graph, start: int, count: int) -> None:
    for number in range(start, start + count):
        with graph.transaction() as tx:
            tx.put_node(f"n{number}", type="T", observations=[f"number {number}"])
            tx.put_edge(f"n{number}", "to", f"n{number // 2}", create_missing=True)


def check(graph: Graph, count: int) -> None:
    assert graph.node_count == graph.edge_count == count
    for number in range(0, count, 7):
        assert graph.node(f"n{number}").observations == (f"number {number}",)
        assert graph.neighbors(f"n{number}") == [f"n{number // 2}"]
    assert len(list(graph.nodes())) == count


def test_commits_go_on_while_the_thread_flushes_and_merges(open_graph: OpenGraph) -> None:
    graph = open_graph()
    write(graph, 0, 600)

    check(graph, 600)
    manifest = graph._engine.journal.stack.generation.manifest
    assert manifest.last_sequence > 0
    assert len(manifest.segments) <= 32
    assert graph.verify() == []


def test_memory_stays_within_two_memtables_and_one_commit(open_graph: OpenGraph) -> None:
    graph = open_graph(compaction=False)
    journal = graph._engine.journal
    most = 0
    for number in range(400):
        write(graph, number, 1)
        stack = journal.stack
        most = max(most, sum(table.size_bytes for table in (stack.memtable, *stack.frozen)))

    # Of each an eighth may be taken ahead, or a table have grown: by doubling, in the kernel.
    assert 20_000 <= most <= 2 * (20_000 + 20_000 // 8 + 2_500)


def test_readers_in_other_threads_see_whole_commits_meanwhile(open_graph: OpenGraph) -> None:
    graph = open_graph()
    write(graph, 0, 50)
    wrong: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with graph.snapshot() as view:
                nodes, edges = len(list(view.nodes())), len(list(view.edges()))
                if not nodes == edges == view.node_count:
                    wrong.append(f"{nodes} nodes, {edges} edges, {view.node_count} counted")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    write(graph, 50, 150)
    done.set()
    for reader in readers:
        reader.join()

    assert wrong == []
    check(graph, 200)


def test_two_processes_flush_the_same_commits_once(open_graph: OpenGraph) -> None:
    graphs = [open_graph(), open_graph()]
    for number in range(200):
        write(graphs[number % 2], number, 1)
    for graph in graphs:
        graph.checkpoint()

    for graph in graphs:
        check(graph, 200)
        assert graph.verify() == []


def test_a_full_memtable_says_why_it_cannot_be_flushed_and_heals(
    open_graph: OpenGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = open_graph(compaction=False)
    files = graph._engine.files
    create = files.create

    def full(name: str) -> object:
        if name.startswith("partitions/"):
            cause = OSError(errno.ENOSPC, "No space left on device")
            raise StorageError(f"cannot open {name}: {cause.strerror}") from cause
        return create(name)

    monkeypatch.setattr(files, "create", full)
    with pytest.raises(StorageError, match=r"memtable is full .* No space left"):
        write(graph, 0, 300)
    kept = graph.node_count
    assert 0 < kept < 300
    check(graph, kept)
    monkeypatch.undo()
    write(graph, kept, 50)

    check(graph, kept + 50)
    assert graph._engine.journal.stack.generation.manifest.last_sequence > 0


def test_closing_in_the_middle_of_a_flush_leaves_nothing_behind(
    open_graph: OpenGraph, tmp_path: Path
) -> None:
    graph = open_graph(background=False, memtable_size_bytes_max=10**9)
    write(graph, 0, 15)
    graph._engine.committer.exclusively(graph._engine.journal.freeze)
    assert graph._engine.caretaker.step()
    graph._engine.close()
    named = {run.number for run in graph._engine.journal.stack.generation.manifest.runs}
    named |= {x.number for x in graph._engine.journal.stack.generation.manifest.segments}
    found = {
        int(path.stem)
        for path in (tmp_path / "store").rglob("*")
        if path.suffix in (".seg", ".run")
    }

    assert found == named
    check(open_graph(), 15)


def test_the_last_process_to_close_flushes_a_long_log(open_graph: OpenGraph) -> None:
    graph = open_graph(close_wal_bytes_max=1000, memtable_size_bytes_max=10**9)
    other = open_graph(close_wal_bytes_max=1000, memtable_size_bytes_max=10**9)
    write(graph, 0, 30)
    graph._engine.close()
    assert other._engine.journal.stack.generation.manifest.last_sequence == 0
    assert other.node_count == 30
    other._engine.close()

    again = open_graph()
    assert again._engine.journal.stack.generation.manifest.last_sequence == 30
    check(again, 30)


def test_an_interrupt_while_the_thread_is_started_leaves_a_store_that_closes(
    open_graph: OpenGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`close` waited for a thread that had never begun, and ended in a RuntimeError."""

    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    graph = open_graph()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(graph, 0, 2000)
    graph._engine.close()

    with lithograph.open(graph._engine.files.root, mode="r") as again:
        assert again.verify(deep=True) == []
