"""A transaction that only puts is encoded by the kernel: as the plain way would have."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph import Graph, kernel
from lithograph.errors import InvalidArgumentError, LithographError, NodeNotFoundError
from lithograph.formats.wal_record import WalRecord
from lithograph.graph import graph as graph_module
from lithograph.transaction import transaction as transaction_module
from lithograph.transaction.transaction import UNSET
from lithograph.write.commit import Commit
from lithograph.write.journal import Journal

if kernel.memory is None:
    pytest.skip("the kernel is the reference", allow_module_level=True)

Call = Callable[[Any], Any]

NAMES = st.sampled_from(["a", "b", "c", "Ä", "日本", "x" * 300, "", "\ud800", 7, None])
TYPES = st.sampled_from([UNSET, None, "", "T", "U", "Ü", 3, "\ud800"])
TIMES = st.sampled_from(
    [
        UNSET,
        None,
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
        datetime(2024, 3, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2024, 1, 1),
        5,
    ]
)
TEXTS = st.sampled_from([UNSET, None, [], ["one"], ("one", "zwei", "三"), ["\ud800"], [1], "no"])
MAPS = st.sampled_from([UNSET, None, {}, {"k": 1}, {"k": [1, {"z": None}]}, {1: 2}, {"k": ...}])


@st.composite
def puts(draw: st.DrawFn) -> Call:
    if draw(st.booleans()):
        name: Any = draw(NAMES)
        type_: Any = draw(TYPES)
        texts: Any = draw(TEXTS)
        properties: Any = draw(MAPS)
        created: Any = draw(TIMES)
        return lambda tx: tx.put_node(
            name, type=type_, observations=texts, properties=properties, created_at=created
        )
    source: Any = draw(NAMES)
    target: Any = draw(NAMES)
    kind: Any = draw(st.sampled_from(["T", "U", "", "Ü", None, 3]))
    key: Any = draw(st.sampled_from(["", "", "k", "ü", 5]))
    fields: dict[str, Any] = {}
    if draw(st.booleans()):
        fields = {
            "properties": draw(MAPS),
            "valid_from": draw(TIMES),
            "valid_to": draw(TIMES),
            "created_at": draw(TIMES),
        }
    missing = draw(st.booleans())
    return lambda tx: tx.put_edge(source, kind, target, key=key, create_missing=missing, **fields)


OTHERS: list[Call] = [
    lambda tx: tx.get_node("a"),
    lambda tx: "b" in tx,
    lambda tx: tx.add_observations("a", ["more"]),
    lambda tx: tx.update_properties("b", {"k": 2}),
    lambda tx: tx.delete_node("a"),
    lambda tx: tx.delete_edge("a", "T", "b"),
    lambda tx: tx.get_edge("a", "T", "b"),
]
CALLS = st.one_of(puts(), puts(), puts(), puts(), st.sampled_from(OTHERS))
SCRIPTS = st.lists(st.lists(CALLS, max_size=8), min_size=1, max_size=6)


@contextlib.contextmanager
def _recorded(*, drafts: bool) -> Iterator[tuple[Graph, list[tuple[bytes, int]]]]:
    """Open an empty graph; yield it and the list of what its commits say in the log."""
    payloads: list[tuple[bytes, int]] = []
    append, append_record = Journal.append, Journal.append_record

    def note(self: Journal, commits: list[Commit], *, sync: bool) -> None:
        payloads.extend((commit.payload, commit.operation_count) for commit in commits)
        append(self, commits, sync=sync)

    def note_record(self: Journal, record: bytes, commit_time: int, *, sync: bool) -> None:
        logged, _, end = WalRecord.decode(record)
        payloads.append((logged.payload, logged.operation_count))
        assert (end, logged.commit_time, logged.encode()) == (len(record), commit_time, record)
        assert (logged.chain, logged.epoch) == (self.position.chain, self.log.header.epoch)
        append_record(self, record, commit_time, sync=sync)

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        patch.setattr(Journal, "append", note)
        patch.setattr(Journal, "append_record", note_record)
        if not drafts:
            patch.setattr(transaction_module, "memory", None)
            patch.setattr(graph_module, "memory", None)
        with lithograph.open(Path(directory) / "g", durability="off") as graph:
            yield graph, payloads


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except LithographError as error:
        return type(error), str(error)


def _played(script: list[list[Call]], *, drafts: bool, flush: bool) -> tuple[list[Any], list[Any]]:
    with _recorded(drafts=drafts) as (graph, payloads):
        outcomes: list[Any] = []
        for calls in script:
            with graph.transaction() as tx:
                for call in calls:
                    found = _outcome(lambda call=call: call(tx))  # type: ignore[misc]
                    # Times of nodes that are read are those of the clock.
                    outcomes.append(found if not hasattr(found, "created_at") else True)
            if flush:
                graph.checkpoint()
        return outcomes, payloads


@given(SCRIPTS, st.booleans())
def test_drafts_are_logged_as_the_plain_way_logs_them(
    script: list[list[Call]], flush: bool
) -> None:
    plain = _played(script, drafts=False, flush=flush)
    quick = _played(script, drafts=True, flush=flush)

    assert quick == plain


def test_a_put_of_its_own_is_logged_as_in_a_transaction() -> None:
    found = []
    for drafts in (False, True):
        with _recorded(drafts=drafts) as (graph, payloads):
            graph.put_node("a", type="T", observations=["one"])
            graph.put_node("a", properties={"k": 1})
            graph.put_node("b")
            graph.put_node("b")
            assert (graph.node_count, graph.sequence) == (2, 3)
            assert graph.node("a").observations == ("one",)
        found.append(payloads)

    assert found[0] == found[1]


@given(st.lists(CALLS, min_size=1, max_size=8), st.sets(st.integers(0, 8), max_size=2))
def test_writes_of_their_own_are_logged_as_the_plain_way_logs_them(
    calls: list[Call], flushes: set[int]
) -> None:
    """flushes : before which calls everything goes into files."""
    found = []
    for drafts in (False, True):
        with _recorded(drafts=drafts) as (graph, payloads):
            outcomes = []
            for place, call in enumerate(calls):
                if place in flushes:
                    graph.checkpoint()
                outcome = _outcome(lambda: call(graph))  # noqa: B023
                outcomes.append(outcome if not hasattr(outcome, "created_at") else True)
            nodes = [(node.id, node.name, node.type, node.observations) for node in graph.nodes()]
        found.append((outcomes, payloads, nodes))

    assert found[0] == found[1]


def test_changes_of_their_own_go_into_the_log_at_once() -> None:
    """Not by way of a transaction: those would be as right, and slower."""
    with _recorded(drafts=True) as (graph, _), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Graph, "_alone", None)
        patch.setattr(Journal, "append", None)
        graph.put_node("a", observations=["one"])
        graph.add_observations("a", ["two", "one"])
        graph.remove_observations("a", ["one"])
        graph.update_properties("a", {"k": 1, "m": 2})
        graph.update_properties("a", {}, remove=["k"])
        graph.put_edge("a", "T", "b", create_missing=True)
        graph.put_edge("b", "T", "a", key="k", properties={"k": 1})
        with pytest.raises(NodeNotFoundError, match="absent"):
            graph.add_observations("absent", ["one"])

        assert graph.sequence == 7
        assert graph.node("a").observations == ("two",)
        assert graph.node("a").properties == {"m": 2}
        assert graph.edge_count == 2
        patch.undo()


def test_a_put_of_its_own_that_takes_too_much_is_refused_as_in_a_transaction(
    tmp_path: Path,
) -> None:
    """Characters are counted when it is put, bytes when it is encoded."""
    messages = []
    for drafts in (False, True):
        with _recorded(drafts=drafts) as (graph, payloads):
            size_max = graph._engine.options.tuning.transaction_bytes_max
            with pytest.raises(InvalidArgumentError, match="bulk_load") as raised:
                graph.put_node("a", observations=["Ä" * (size_max - 100)])
            messages.append(str(raised.value))
            assert payloads == []
            graph.put_node("a")
            assert graph.sequence == 1

    assert messages[0] == messages[1]


def test_a_process_that_only_reads_on_keeps_no_files_that_it_put_above(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "g") as graph:
        graph.put_node("a")
        graph.checkpoint()
        graph.put_node("b")
        graph.compact()
        assert graph.node_count == 2

        assert len(list((tmp_path / "g").glob("partitions/*/*.seg"))) == 1


def test_a_large_draft_grows_its_tables() -> None:
    found = []
    for drafts in (False, True):
        with _recorded(drafts=drafts) as (graph, payloads):
            with graph.transaction() as tx:
                for number in range(500):
                    tx.put_node(f"n{number}", type=f"t{number % 40}", observations=["x" * number])
                for number in range(3000):
                    tx.put_edge(f"n{number % 500}", f"e{number % 7}", f"n{number * 31 % 500}")
            assert graph.edge_count > 500
        found.append(payloads)

    assert found[0] == found[1]


def test_an_edge_that_another_commit_made_meanwhile_is_no_second_one(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "g") as graph:
        graph.put_node("a")
        graph.put_node("b")
        with graph.transaction() as tx:
            tx.put_edge("a", "T", "b")
            other = lithograph.open(tmp_path / "g")
            thread = threading.Thread(target=lambda: other.put_edge("a", "T", "b"))
            thread.start()
            thread.join()
            other.close()
        assert graph.edge_count == 1
        assert graph.verify(deep=True) == []


def test_a_node_that_another_commit_deleted_meanwhile_is_a_conflict(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "g") as graph:
        graph.put_node("a")
        graph.put_node("b")
        tx = graph.transaction()
        tx.put_edge("a", "T", "b")
        other = lithograph.open(tmp_path / "g")
        thread = threading.Thread(target=lambda: other.delete_node("b"))
        thread.start()
        thread.join()
        other.close()
        with pytest.raises(lithograph.ConflictError, match="'b'"):
            tx.commit()
        assert graph.edge_count == 0
