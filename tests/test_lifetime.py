"""What ends when (DESIGN, section 8): close, shared engines, forks, dropped handles."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import ClosedError, Graph, InvalidArgumentError, StoreExistsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lifetime.graph"


@pytest.fixture
def g(path: Path) -> Iterator[Graph]:
    with lithograph.open(path) as graph:
        for name in "abc":
            graph.put_edge("hub", "T", name, create_missing=True)
        yield graph


def reads(view: Any) -> list[Callable[[], object]]:
    """Every reading method of a graph or a snapshot."""
    return [
        lambda: view.sequence,
        lambda: view.node_count,
        lambda: view.edge_count,
        lambda: len(view),
        lambda: "hub" in view,
        lambda: view.get_node("hub"),
        lambda: view.node("hub"),
        lambda: view.node_id("hub"),
        lambda: view.node_ids(["hub"]),
        lambda: view.names([0]),
        lambda: view.edges(),
        lambda: view.edges("hub"),
        lambda: view.get_edge("hub", "T", "a"),
        lambda: view.degree("hub"),
        lambda: view.neighbors("hub"),
        lambda: view.neighbor_ids(0),
        lambda: view.k_hop("hub", 1),
        lambda: view.nodes(),
    ]


def assert_closed(uses: list[Callable[[], object]]) -> None:
    for use in uses:
        with pytest.raises(ClosedError, match=r"open|new"):
            use()


def test_everything_of_a_closed_graph_raises(g: Graph) -> None:
    g.close()
    g.close()

    assert_closed(reads(g))
    assert_closed(
        [
            g.snapshot,
            g.transaction,
            g.checkpoint,
            g.verify,
            g.stats,
            g.__enter__,
            lambda: g.put_node("x"),
            lambda: g.add_observations("hub", ["x"]),
            lambda: g.remove_observations("hub", ["x"]),
            lambda: g.update_properties("hub", {}),
            lambda: g.delete_node("hub"),
            lambda: g.put_edge("hub", "T", "a"),
            lambda: g.delete_edge("hub", "T", "a"),
        ]
    )
    assert bool(g) is True
    assert "closed" in repr(g)


def test_iterators_snapshots_and_transactions_end_with_their_graph(g: Graph) -> None:
    nodes, edges, unused = g.nodes(), g.edges("hub"), g.edges()
    snapshot, tx = g.snapshot(), g.transaction()
    of_snapshot = snapshot.nodes()
    for iterator in (nodes, edges, of_snapshot):
        next(iterator)
    tx.put_node("lost")
    g.close()

    for iterator in (nodes, edges, unused, of_snapshot):
        assert_closed([lambda i=iterator: next(i)])  # type: ignore[misc]
    assert_closed(reads(snapshot))
    assert_closed([lambda: tx.node("hub"), lambda: tx.put_node("x"), tx.commit])


def test_an_ended_snapshot_raises_and_its_graph_goes_on(g: Graph) -> None:
    with g.snapshot() as snapshot:
        iterator = snapshot.nodes()
        next(iterator)
    snapshot.close()

    assert_closed(reads(snapshot))
    assert_closed([lambda: next(iterator)])
    assert g.node_count == 4


def test_leaving_the_with_block_closes_even_after_an_error(path: Path) -> None:
    graph = lithograph.open(path)

    def fail() -> None:
        with graph:
            graph.put_node("kept")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert_closed([lambda: graph.node_count])
    with lithograph.open(path, mode="r") as again:
        assert "kept" in again


def test_close_does_not_wait_for_readers_in_threads(g: Graph) -> None:
    iterator, closed = g.nodes(), threading.Event()
    next(iterator)
    outcomes: list[object] = []

    def read() -> None:
        closed.wait()
        try:
            outcomes.append(list(iterator))
        except ClosedError as error:
            outcomes.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    g.close()
    closed.set()
    thread.join()

    assert [type(outcome) for outcome in outcomes] == [ClosedError]


# Opening twice ---------------------------------------------------------------------------------


def test_two_handles_share_the_engine_and_end_one_by_one(g: Graph, path: Path) -> None:
    other = lithograph.open(str(path), mode="w")
    snapshot = other.snapshot()
    other.put_node("seen at once")
    assert "seen at once" in g
    g.close()

    assert "seen at once" in other
    assert snapshot.node_count == 4
    assert_closed(reads(g))
    other.put_node("still open")
    other.close()
    assert_closed([lambda: snapshot.node_count, lambda: other.node_count])


def test_a_store_is_the_same_by_whatever_path_it_was_opened(g: Graph, path: Path) -> None:
    link = path.parent / "link"
    link.symlink_to(path)
    for name in (link, path / ".." / path.name, os.path.relpath(path)):
        with lithograph.open(name, exclusive=False) as other:
            other.put_node(str(name))
            assert str(name) in g


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("durability", "normal"),
        ("cache_size", "1MiB"),
        ("partition", "day"),
        ("history", timedelta(days=1)),
        ("lock_timeout", 1.0),
        ("exclusive", True),
    ],
)
def test_conflicting_options_are_an_error_and_the_open_handle_goes_on(
    g: Graph, path: Path, option: str, value: Any
) -> None:
    options: dict[str, Any] = {option: value}
    with pytest.raises(InvalidArgumentError, match=option):
        lithograph.open(path, **options)
    with pytest.raises(StoreExistsError):
        lithograph.open(path, mode="x")

    g.put_node("goes on")
    g.close()
    with lithograph.open(path, **options) as other:
        assert "goes on" in other


def test_a_reading_handle_on_a_writing_engine_cannot_write(g: Graph, path: Path) -> None:
    with lithograph.open(path, mode="r") as reader:
        g.put_node("new")
        assert "new" in reader
        for write in (
            lambda: reader.put_node("x"),
            lambda: reader.delete_node("new"),
            reader.transaction,
            reader.checkpoint,
        ):
            with pytest.raises(lithograph.ReadOnlyError, match="mode"):
                write()
    g.put_node("more")


def test_a_dropped_handle_gives_the_store_back(path: Path) -> None:
    lithograph.open(path, exclusive=True).put_node("kept")
    gc.collect()

    # Other options are no conflict any more, and nobody holds the lock.
    with lithograph.open(path, durability="off", lock_timeout=0) as graph:
        assert "kept" in graph


# Fork ------------------------------------------------------------------------------------------


def in_child(check: Callable[[], None]) -> int:
    """Fork, run `check` in the child, and return its exit code: 0 when nothing was raised."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            check()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_after_a_fork_the_child_is_closed_out_and_the_parent_goes_on(g: Graph) -> None:
    iterator, snapshot, tx = g.nodes(), g.snapshot(), g.transaction()
    next(iterator)
    tx.put_node("by the parent")

    def check() -> None:
        assert_closed(reads(g))
        assert_closed(reads(snapshot))
        assert_closed([lambda: next(iterator), tx.commit, lambda: tx.node("hub"), g.transaction])
        assert_closed([lambda: g.put_node("by the child"), g.checkpoint, g.verify, g.stats])
        g.close()
        gc.collect()

    assert in_child(check) == 0
    assert tx.commit() == 4
    g.put_node("afterwards")
    assert len(list(iterator)) == 3
    assert snapshot.node_count == 4
    assert g.verify() == []


def test_a_forked_child_can_open_the_store_itself(g: Graph, path: Path) -> None:
    def check() -> None:
        with lithograph.open(path) as own:
            own.put_node("by the child")
            assert own.neighbors("hub") == ["a", "b", "c"]

    assert in_child(check) == 0
    assert "by the child" in g
    g.put_node("by the parent")
    assert (g.node_count, g.sequence) == (6, 5)
    assert g.verify() == []


def test_a_child_that_ends_keeps_the_parents_locks(path: Path) -> None:
    """The child's copies of the descriptors go away with it; the locks must not."""
    with lithograph.open(path, exclusive=True) as g:
        g.put_node("a")
        assert in_child(lambda: None) == 0

        def check() -> None:
            with pytest.raises(lithograph.LockedError) as caught:
                lithograph.open(path, lock_timeout=0)
            assert caught.value.pid == os.getppid()

        assert in_child(check) == 0
        g.put_node("b")


# Logging ---------------------------------------------------------------------------------------


def test_a_clean_life_says_nothing_and_a_torn_tail_is_logged(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="lithograph"):
        with lithograph.open(path) as g:
            g.put_node("a")
            g.checkpoint()
        with lithograph.open(path) as g:
            assert g.node_count == 1
        assert caplog.records == []
        newest = sorted((path / "wal").iterdir())[-1]
        with newest.open("ab") as file:
            file.write(b"\x07" * 11)
        with lithograph.open(path) as g:
            assert g.node_count == 1

    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("lithograph", "WARNING")
    ]
    assert "torn bytes cut: 11" in caplog.text


def test_closing_beside_commits_and_reads_gives_closed_errors_and_loses_nothing(
    path: Path,
) -> None:
    """Descriptors given back under a running commit would be written to after their reuse."""
    acknowledged: list[str] = []
    odd: list[BaseException] = []

    def work(graph: lithograph.Graph, number: int) -> None:
        try:
            for count in range(10_000):
                graph.put_node(f"{number}-{count}")
                acknowledged.append(f"{number}-{count}")
                assert graph.node_count >= count
        except ClosedError:
            return
        except BaseException as error:
            odd.append(error)

    for _ in range(5):
        graph = lithograph.open(path, durability="normal")
        threads = [threading.Thread(target=work, args=(graph, n)) for n in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        graph.close()
        for thread in threads:
            thread.join()

    assert odd == []
    with lithograph.open(path) as graph:
        assert [name for name in acknowledged if name not in graph] == []
        assert graph.verify() == []
