"""Transactions of DESIGN, section 8: own writes, rollback, threads, replay times."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import (
    ClosedError,
    ConflictError,
    Graph,
    InvalidArgumentError,
    NodeNotFoundError,
)
from lithograph.tools.testing.threads import in_thread

LONG_AGO = datetime(1815, 12, 10, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "transactions.graph"


@pytest.fixture
def g(path: Path) -> Iterator[Graph]:
    with lithograph.open(path, durability="off") as graph:
        graph.put_node("Ada", type="Person", observations=["x"], properties={"k": 1})
        graph.put_node("Bob")
        graph.put_edge("Ada", "knows", "Bob", properties={"k": 1})
        yield graph


@pytest.fixture
def other(path: Path, g: Graph) -> Iterator[Graph]:
    """A second handle on the same store, as another thread or part of the program would have."""
    with lithograph.open(path, durability="off") as graph:
        yield graph


# Commit and rollback ---------------------------------------------------------------------------


def test_a_transaction_is_one_commit_that_others_see_at_its_end(g: Graph, other: Graph) -> None:
    tx = g.transaction()
    with tx:
        tx.put_node("new")
        tx.put_edge("new", "knows", "Ada")
        unfinished = tx.sequence
        assert "new" not in g
        assert other.node_count == 2

    assert unfinished is None
    assert tx.sequence == g.sequence == other.sequence == 4
    assert other.neighbors("new") == ["Ada"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_any_exception_rolls_everything_back(g: Graph, error: type[BaseException]) -> None:
    tx = g.transaction()

    def fail() -> None:
        with tx:
            tx.put_node("new")
            tx.delete_node("Ada")
            raise error

    with pytest.raises(error):
        fail()
    assert (g.sequence, g.node_count, g.edge_count) == (3, 2, 1)
    with pytest.raises(ClosedError):
        tx.commit()
    g.put_node("new")


def test_commit_and_rollback_end_it_once(g: Graph) -> None:
    tx = g.transaction()
    tx.put_node("new")
    assert tx.commit() == tx.sequence == 4
    uses: list[Callable[[], Any]] = [
        tx.commit,
        tx.rollback,
        tx.__enter__,
        lambda: tx.put_node("x"),
        lambda: tx.add_observations("Ada", ["x"]),
        lambda: tx.remove_observations("Ada", ["x"]),
        lambda: tx.update_properties("Ada", {}),
        lambda: tx.delete_node("Ada"),
        lambda: tx.put_edge("Ada", "T", "Ada"),
        lambda: tx.delete_edge("Ada", "knows", "Bob"),
        lambda: tx.get_node("Ada"),
        lambda: tx.node("Ada"),
        lambda: tx.get_edge("Ada", "knows", "Bob"),
        lambda: "Ada" in tx,
    ]
    for use in uses:
        with pytest.raises(ClosedError):
            use()
    with g.transaction() as tx:
        tx.put_node("other")
        tx.rollback()
    assert tx.sequence is None
    assert g.sequence == 4


def test_a_transaction_that_changes_nothing_is_no_commit(g: Graph) -> None:
    with g.transaction() as tx:
        tx.put_node("Ada")
        tx.put_edge("Ada", "knows", "Bob")
        tx.put_node("new")
        assert tx.delete_node("new")
        tx.put_edge("Ada", "T", "Bob")
        assert tx.delete_edge("Ada", "T", "Bob")

    assert (tx.sequence, g.sequence, g.edge_count) == (None, 3, 1)


def test_a_commit_is_whole_or_not_at_all(g: Graph) -> None:
    """The last write fails at the commit, when its edge turns out to end before it starts."""
    now = datetime.now(UTC)
    tx = g.transaction()
    tx.put_node("new")
    tx.put_edge("Ada", "knows", "Bob", valid_from=now)
    tx.put_edge("Ada", "knows", "Bob", valid_to=now - TICK)
    with pytest.raises(InvalidArgumentError, match="valid_to"):
        tx.commit()

    assert (g.sequence, g.node_count) == (3, 2)


# Reading inside --------------------------------------------------------------------------------


def test_reads_see_the_beginning_plus_own_writes(g: Graph, other: Graph) -> None:
    with g.transaction() as tx:
        other.put_node("Bob", type="changed")
        other.put_node("late")
        assert "late" not in tx
        assert tx.get_node("late") is None
        tx.add_observations("Ada", ["y"])
        tx.update_properties("Ada", {"l": 2}, remove=["k"])
        ada = tx.node("Ada")
        assert (ada.type, ada.observations, ada.properties) == ("Person", ("x", "y"), {"l": 2})
        tx.put_node("new", type="T")
        assert (tx.node("new").type, tx.node("new").id) == ("T", -1)
        tx.put_edge("new", "knows", "Ada", valid_from=LONG_AGO)
        edge = tx.get_edge("new", "knows", "Ada")
        assert edge is not None
        assert (edge.source, edge.target, edge.source_id, edge.target_id) == ("new", "Ada", -1, 0)
        assert (edge.valid_from, edge.valid_to, edge.properties) == (LONG_AGO, None, {})
        assert tx.delete_node("Ada") is True
        assert tx.delete_node("Ada") is False
        assert "Ada" not in tx
        assert tx.get_edge("new", "knows", "Ada") is None
        assert tx.get_edge("Ada", "knows", "Bob") is None
        with pytest.raises(NodeNotFoundError):
            tx.node("Ada")
        tx.rollback()


def test_changes_of_one_node_add_up_in_one_commit(g: Graph) -> None:
    g.put_node("Ada", observations=["a", "b", "a"], properties={"k": 1, "l": 2, "m": 3})
    with g.transaction() as tx:
        tx.update_properties("Ada", {"n": 4}, remove=["k"])
        tx.update_properties("Ada", {"l": 5}, remove=["m", "n"])
        tx.add_observations("Ada", ["c", "a"])
        tx.remove_observations("Ada", ["a"])
        tx.add_observations("Ada", ["a"])
        tx.put_node("Ada", type="T")
        inside = tx.node("Ada")

    for ada in (inside, g.node("Ada")):
        assert ada.properties == {"l": 5}
        assert ada.observations == ("b", "c", "a")
        assert ada.type == "T"
    assert g.sequence == 5


def test_a_cleared_creation_time_reads_as_it_will_be(g: Graph) -> None:
    born = g.node("Ada").created_at
    edge = g.get_edge("Ada", "knows", "Bob")
    assert edge is not None
    g.put_node("Ada", created_at=LONG_AGO)
    g.put_edge("Ada", "knows", "Bob", created_at=LONG_AGO)
    with g.transaction() as tx:
        tx.put_node("Ada", created_at=None)
        tx.put_edge("Ada", "knows", "Bob", created_at=None)
        node_inside, edge_inside = tx.node("Ada"), tx.get_edge("Ada", "knows", "Bob")

    assert g.node("Ada").created_at == born
    assert node_inside.created_at == born
    assert edge_inside is not None
    assert edge_inside.created_at == edge.created_at


def test_a_write_that_changes_nothing_leaves_the_node_as_it_reads(g: Graph) -> None:
    before = g.node("Ada")
    with g.transaction() as tx:
        tx.put_node("Ada")
        tx.put_edge("Ada", "knows", "Bob", create_missing=True)
        assert tx.node("Ada") == before
    assert g.node("Ada") == before


def test_a_refused_call_leaves_the_transaction_as_it_was(g: Graph) -> None:
    with g.transaction() as tx:
        with pytest.raises(InvalidArgumentError):
            tx.put_node("new", type="T", properties={"k": {1}})
        with pytest.raises(InvalidArgumentError):
            tx.put_edge("new", "T", "newer", key="\ud800", create_missing=True)
        with pytest.raises(NodeNotFoundError):
            tx.put_edge("Ada", "T", "nobody")
        with pytest.raises(NodeNotFoundError):
            tx.add_observations("nobody", ["x"])
        assert "new" not in tx
        tx.put_node("good")

    assert [node.name for node in g.nodes()] == ["Ada", "Bob", "good"]


def test_deleted_and_put_again_in_one_transaction_is_a_new_node(g: Graph) -> None:
    with g.transaction() as tx:
        tx.delete_node("Ada")
        tx.put_node("Ada", observations=["new"])
        assert tx.node("Ada").observations == ("new",)

    assert (g.node_id("Ada"), g.degree("Ada"), g.node_count) == (2, 0, 2)
    assert (g.node("Ada").type, g.node("Ada").properties) == ("", {})
    assert g.node("Ada").created_at == g.node("Ada").updated_at


# Threads and replay ----------------------------------------------------------------------------


def test_one_transaction_per_thread_and_handle(g: Graph, other: Graph) -> None:
    with g.transaction() as tx:
        for write in (
            g.transaction,
            lambda: g.put_node("x"),
            lambda: g.add_observations("Ada", ["x"]),
            lambda: g.delete_node("Ada"),
            lambda: g.put_edge("Ada", "T", "Bob"),
            lambda: g.delete_edge("Ada", "knows", "Bob"),
        ):
            with pytest.raises(InvalidArgumentError, match="transaction"):
                write()
        assert g.node("Ada").type == "Person"
        assert in_thread(lambda: g.put_node("from a thread")) is None
        assert in_thread(lambda: g.transaction().rollback()) is None
        tx.put_node("mine")
        other.put_node("by the other handle")
    g.put_node("afterwards")
    assert g.node_count == 6


def test_a_transaction_belongs_to_its_thread(g: Graph) -> None:
    with g.transaction() as tx:
        for use in (tx.commit, tx.rollback, lambda: tx.put_node("x"), lambda: tx.node("Ada")):
            assert isinstance(in_thread(use), InvalidArgumentError)
        tx.put_node("mine")
    assert tx.sequence == 4


def test_a_dropped_transaction_blocks_nobody(g: Graph) -> None:
    g.transaction().put_node("lost")
    g.put_node("kept")

    assert "lost" not in g


def test_many_threads_commit_and_none_is_lost(g: Graph) -> None:
    def add() -> None:
        for _ in range(25):
            while True:
                try:
                    with g.transaction() as tx:
                        count = tx.node("Ada").properties["k"]
                        tx.update_properties("Ada", {"k": count + 1})
                        tx.put_node(f"{threading.get_ident()} {count}")
                    break
                except ConflictError:
                    pass

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert g.node("Ada").properties == {"k": 201}
    assert (g.node_count, g.sequence) == (202, 203)
    assert g.verify() == []


def test_single_writes_of_many_threads_never_conflict(g: Graph) -> None:
    def add(thread: int) -> None:
        for number in range(30):
            g.add_observations("Ada", [str(number)], unique=True)
            g.put_edge("Ada", str(thread), "Bob", key=str(number))

    threads = [threading.Thread(target=add, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(g.node("Ada").observations) == sorted(["x", *map(str, range(30))])
    assert g.edge_count == 1 + 8 * 30


def test_a_replay_sets_the_commit_time(g: Graph) -> None:
    g.put_node("Bob", type="x")
    last = g.node("Bob").updated_at
    now = datetime.now(UTC)
    for at in (last, now):
        with g.transaction(at=at) as tx:
            tx.put_node("old")
            tx.put_node("Ada", type=f"{at}")
        assert g.node("Ada").updated_at == at
    assert g.node("old").created_at == last
    g.put_node("afterwards")
    assert g.node("afterwards").created_at > now


def test_a_replay_is_not_before_the_last_commit_nor_after_now(g: Graph) -> None:
    g.put_node("last")
    for at in (
        g.node("last").created_at - TICK,
        LONG_AGO,
        datetime.now(UTC) + timedelta(hours=1),
        datetime.max.replace(tzinfo=UTC),
    ):
        with pytest.raises(InvalidArgumentError, match="at="), g.transaction(at=at) as tx:
            tx.put_node("new")
    assert "new" not in g
    assert g.sequence == 4


def test_a_group_that_is_full_leaves_nobody_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader used to lead one group and return, even when its own request was not in it."""
    monkeypatch.setattr("lithograph.transaction.committer._GROUP_MAX", 1)
    sequences: list[int | None] = []

    def work(graph: Graph, number: int) -> None:
        for count in range(30):
            with graph.transaction() as tx:
                tx.put_node(f"{number}-{count}")
            sequences.append(tx.sequence)

    with lithograph.open(path, durability="off") as graph:
        threads = [threading.Thread(target=work, args=(graph, n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(sequence or 0 for sequence in sequences) == list(range(1, 241))
        assert graph.node_count == 240


def test_an_interrupted_end_leaves_its_thread_free_to_write(g: Graph) -> None:
    tx = g.transaction()
    tx.put_node("x")
    tx._ended = "committed"
    g.put_node("y")

    assert "y" in g
