"""Reading the past: `as_of`, `history`, `changes`, and snapshots that outlive what they began with.

Memtables hold a few commits and the clock is a variable, so that each test flushes into several
partitions; nothing runs in a thread.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lithograph import (
    ClosedError,
    EdgeChange,
    Graph,
    InvalidArgumentError,
    NodeChange,
    NodeNotFoundError,
    Snapshot,
)
from lithograph.catalog.pins import read_pins
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.moment import decode_moment
from lithograph.formats.pin import NO_SEQUENCE
from lithograph.graph.engine import Engine
from lithograph.kernel import memory
from lithograph.maintenance.compaction import merge_of_runs
from lithograph.maintenance.compaction_plan import RunMerge
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)

MEMTABLE_SIZE = 3_000 if memory is None else 1_500
"""Bytes; so few that every few commits are flushed, whichever memtable it is."""


class Machine:
    """Opens engines on one directory, on a clock that stands still until it is told to move."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = START
        self.engines: list[Engine] = []

    def open(self, *, mode: str = "c", memtable: int = MEMTABLE_SIZE, **options: Any) -> Graph:
        """Return a graph of a new engine, as another process would open it."""
        files = OsFiles.create_root(str(self.path))
        if mode != "r":
            prepare_locks(files)
        environment = Environment(
            clock_us=lambda: (self.now - datetime.fromtimestamp(0, UTC)) // MICROSECOND
        )
        tuning = Tuning(background=False, memtable_size_bytes_max=memtable)
        chosen = Options(mode=mode, durability="off", tuning=tuning, **options)
        engine = Engine(files, environment, chosen)
        self.engines.append(engine)
        return Graph(engine, writable=mode != "r")

    def engine_of(self, graph: Graph) -> Engine:
        return next(engine for engine in self.engines if engine.files is graph._engine.files)

    def close(self) -> None:
        while self.engines:
            self.engines.pop().close()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    # Nothing loses power here, and syncs would be most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    machine = Machine(tmp_path / "time.graph")
    yield machine
    machine.close()


def write_years(machine: Machine, g: Graph) -> list[tuple[datetime, tuple[object, ...]]]:
    """Commit 40 times within three years; return time and state as of each, [0] the empty graph."""
    past = [(START - DAY, picture(g))]
    for number in range(40):
        machine.now += timedelta(days=27)
        with g.transaction() as tx:
            tx.put_node("hub", properties={"number": number})
            tx.put_node(f"n{number % 5}", type="even" if number % 2 == 0 else "odd")
            tx.put_edge("hub", "T", f"n{number % 5}", properties={"number": number})
            if number % 7 == 6:
                tx.delete_node(f"n{(number + 2) % 5}")
            if number % 11 == 10:
                tx.delete_edge("hub", "T", f"n{number % 5}")
        past.append((machine.now, picture(g)))
    return past


def picture(graph: Graph | Snapshot) -> tuple[object, ...]:
    """Return everything that a graph says of itself."""
    nodes, edges = list(graph.nodes()), list(graph.edges())
    assert (graph.node_count, graph.edge_count) == (len(nodes), len(edges))
    names = [node.name for node in nodes]
    neighbors = [(graph.neighbors(name, "both"), graph.degree(name, "both")) for name in names]
    return nodes, edges, neighbors, graph.sequence


def layer_count(graph: Graph) -> int:
    return len(graph._engine.journal.stack.generation.graph)


def assert_all_past(g: Graph, past: list[tuple[datetime, tuple[object, ...]]]) -> None:
    """Assert that the graph can be read as of every commit, and every time in between."""
    for sequence, (time, state) in enumerate(past):
        with g.as_of(sequence) as then:
            assert picture(then) == state
        for moment in (time, time + DAY):
            with g.as_of(moment) as then:
                assert then.sequence == sequence


def flat(changes: Iterator[NodeChange | EdgeChange]) -> list[tuple[object, ...]]:
    """Return changes as (sequence, name or (source, target), alive)."""
    return [
        (change.sequence, change.name, change.node is not None)
        if isinstance(change, NodeChange)
        else (change.sequence, (change.source, change.target), change.edge is not None)
        for change in changes
    ]


# as_of --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partition", ["day", "month", "year"])
def test_every_commit_can_be_read_from_memory_files_and_merges(
    machine: Machine, partition: str
) -> None:
    g = machine.open(partition=partition, cache_size_bytes=0)
    past = write_years(machine, g)

    assert layer_count(g) > 1
    assert_all_past(g, past)
    g.checkpoint()
    assert g._engine.journal.memtable.is_empty
    assert_all_past(g, past)
    g.compact()
    assert layer_count(g) == 1
    assert_all_past(g, past)
    machine.close()
    assert_all_past(machine.open(partition=partition), past)
    machine.close()
    assert_all_past(machine.open(partition=partition, mode="r"), past)


def test_a_time_means_the_newest_commit_not_after_it(machine: Machine) -> None:
    g = machine.open()
    for _ in range(3):
        machine.now += DAY
        g.put_node("a", properties={"at": machine.now.day})

    assert [g.as_of(START + DAY * days).sequence for days in range(5)] == [0, 1, 2, 3, 3]
    assert g.as_of(START + 2 * DAY - MICROSECOND).sequence == 1
    assert g.as_of(datetime.max.replace(tzinfo=UTC)).sequence == 3
    assert g.as_of(datetime.min.replace(tzinfo=UTC)).sequence == 0


def test_before_the_first_commit_the_graph_is_empty(machine: Machine) -> None:
    g = machine.open()
    empty = [g.as_of(0), g.as_of(START)]
    write_years(machine, g)

    for then in (*empty, g.as_of(0), g.as_of(START - DAY)):
        assert picture(then) == ([], [], [], 0)
        assert "hub" not in then
        assert then.neighbor_ids(0).tolist() == []
        assert list(then.changes()) == []


@pytest.mark.parametrize(
    "when", [True, -1, 41, 2**70, 1.0, "2026-01-01", None, datetime(2026, 1, 1), START.date()]
)
def test_what_is_no_commit_and_no_time_is_an_invalid_argument(machine: Machine, when: Any) -> None:
    g = machine.open()
    write_years(machine, g)

    with pytest.raises(InvalidArgumentError, match="as_of") as caught:
        g.as_of(when)
    assert "floor" not in str(caught.value)
    assert g._engine.journal.hold.oldest_sequence() == NO_SEQUENCE


def test_the_floor_rises_with_history_and_bounds_the_past(machine: Machine) -> None:
    g = machine.open(history=timedelta(days=200))
    past = write_years(machine, g)
    g.compact()
    floor = g._engine.journal.stack.generation.manifest.floor_sequence

    assert 20 < floor < 40
    for sequence, (time, state) in enumerate(past):
        if sequence >= floor:
            assert picture(g.as_of(sequence)) == picture(g.as_of(time)) == state
            continue
        for when in (sequence, time):
            with pytest.raises(InvalidArgumentError, match="history=") as caught:
                g.as_of(when)
            assert f"commit {floor} of {past[floor][0].isoformat()}" in str(caught.value)
    with pytest.raises(InvalidArgumentError):
        g.as_of(past[floor][0] - MICROSECOND)
    machine.close()
    assert picture(machine.open(mode="r").as_of(floor)) == past[floor][1]


# Snapshots ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("history", [None, timedelta(0)])
def test_a_snapshot_says_the_same_across_flushes_and_merges(
    machine: Machine, history: timedelta | None
) -> None:
    g = machine.open(history=history)
    write_years(machine, g)
    with g.snapshot() as snapshot:
        before = picture(snapshot)
        write_years(machine, g)
        assert picture(snapshot) == before
        g.compact()
        assert layer_count(g) == 1
        assert picture(snapshot) == before
        g.delete_node("hub")
        g.compact()

        assert picture(snapshot) == before


def test_a_snapshot_holds_the_floor_until_it_is_closed(machine: Machine) -> None:
    g = machine.open(history=timedelta(0))
    write_years(machine, g)
    snapshot = g.snapshot()
    write_years(machine, g)
    g.compact()

    assert g._engine.journal.stack.generation.manifest.floor_sequence <= 40
    assert g.as_of(40).sequence == 40
    snapshot.close()
    write_years(machine, g)
    g.compact()
    with pytest.raises(InvalidArgumentError, match="floor"):
        g.as_of(40)


def test_other_processes_keep_what_a_snapshot_sees(machine: Machine) -> None:
    ours = machine.open(history=timedelta(0))
    theirs = machine.open(history=timedelta(0))
    write_years(machine, ours)
    with theirs.snapshot() as snapshot, theirs.as_of(ours.sequence - 3) as older:
        before, long_before = picture(snapshot), picture(older)
        for _ in range(2):
            write_years(machine, ours)
            ours.compact()
            assert picture(theirs) == picture(ours)
            manifest = ours._engine.journal.stack.generation.manifest

            assert manifest.floor_sequence <= older.sequence
            assert picture(snapshot) == before
            assert picture(older) == long_before
    assert min(pin.sequence for pin in read_pins(theirs._engine.files)) == NO_SEQUENCE


def test_an_idle_snapshot_keeps_no_old_layers(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    snapshot = g.snapshot()
    write_years(machine, g)
    g.compact()
    hold, stack = g._engine.journal.hold, g._engine.journal.stack

    assert hold.oldest_generation() == stack.generation.number
    assert snapshot._fixed.layers.owner is stack.generation


def test_a_dropped_snapshot_lets_go(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    hold = g._engine.journal.hold
    kept, dropped = g.as_of(10), g.as_of(5)
    assert hold.oldest_sequence() == 5
    del dropped
    gc.collect()

    assert hold.oldest_sequence() == 10
    kept.close()
    kept.close()
    assert hold.oldest_sequence() == NO_SEQUENCE


def test_a_snapshot_closed_after_its_graph_lets_go_of_what_others_have_open(
    machine: Machine,
) -> None:
    g = machine.open()
    other = Graph(g._engine, writable=True)
    write_years(machine, g)
    snapshot = other.as_of(5)
    other.close()
    snapshot.close()

    assert g._engine.journal.hold.oldest_sequence() == NO_SEQUENCE


def test_a_floor_that_rises_above_a_snapshot_leaves_it_its_layers(machine: Machine) -> None:
    """A merge may have looked for snapshots just before this one was taken."""
    g = machine.open(history=timedelta(0), memtable=2**20)
    past = write_years(machine, g)
    g.checkpoint()
    hold = g._engine.journal.hold
    snapshot = g.as_of(20)
    hold.let_go(20)
    g.compact()

    assert g._engine.journal.stack.generation.manifest.floor_sequence > 20
    for _ in range(2):
        assert picture(snapshot) == past[20][1]
        write_years(machine, g)
        g.compact()
    hold.keep(20)
    snapshot.close()


def test_iterators_of_the_past_end_with_their_snapshot(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    with g.as_of(30) as then:
        iterators: list[Iterator[object]] = [then.nodes(), then.changes(), then.history("hub")]
        assert [next(iterator) is not None for iterator in iterators] == [True] * 3

    for iterator in iterators:
        with pytest.raises(ClosedError):
            next(iterator)
    g.close()
    late: tuple[Callable[[], object], ...] = (
        lambda: g.as_of(1),
        lambda: g.history("hub"),
        g.changes,
    )
    for read in late:
        with pytest.raises(ClosedError):
            read()


# history ------------------------------------------------------------------------------------------


def test_history_tells_all_that_a_name_was(machine: Machine) -> None:
    g = machine.open()
    times = []
    for step in (
        lambda: g.put_node("a", type="T"),
        lambda: g.add_observations("a", ["x"]),
        lambda: g.put_node("b"),
        lambda: g.delete_node("a"),
        lambda: g.put_node("a", type="U"),
    ):
        machine.now += 40 * DAY
        step()
        times.append(machine.now)

    def told(graph: Graph | Snapshot) -> list[object]:
        return [
            (change.sequence, change.time, change.node and (change.node.type, change.node.id))
            for change in graph.history("a")
        ]

    expected = [
        (1, times[0], ("T", 0)),
        (2, times[1], ("T", 0)),
        (4, times[3], None),
        (5, times[4], ("U", 2)),
    ]
    assert told(g) == expected
    assert told(g.as_of(4)) == expected[:3]
    assert told(g.as_of(3)) == expected[:2]
    g.checkpoint()
    assert told(g) == expected
    g.compact()
    assert told(g) == expected
    assert [change.node and change.node.observations for change in g.history("a")][1] == ("x",)
    assert {change.name for change in g.history("a")} == {"a"}


def test_one_commit_that_deletes_and_makes_a_node_is_two_changes(machine: Machine) -> None:
    g = machine.open()
    g.put_node("a")
    g.put_edge("a", "T", "a")
    with g.transaction() as tx:
        tx.delete_node("a")
        tx.put_node("a", type="new")
        tx.put_edge("a", "T", "a")

    for _ in range(2):
        assert [c.node and c.node.type for c in g.history("a")] == ["", None, "new"]
        assert flat(g.changes(since=3)) == [
            (3, "a", False),
            (3, "a", True),
            (3, ("a", "a"), False),
            (3, ("a", "a"), True),
        ]
        g.checkpoint()


def test_a_name_never_used_has_no_history(machine: Machine) -> None:
    g = machine.open()
    g.put_node("late")

    for name in ("never", "lat", "later"):
        with pytest.raises(NodeNotFoundError):
            g.history(name)
    with pytest.raises(NodeNotFoundError):
        g.as_of(0).history("late")
    for odd in ("", None, b"late", 1):
        with pytest.raises(InvalidArgumentError):
            g.history(odd)  # type: ignore[arg-type]


def test_history_begins_with_what_was_at_the_floor(machine: Machine) -> None:
    g = machine.open(history=timedelta(days=200))
    g.put_node("still", type="T")
    g.put_node("gone")
    g.put_node("still", type="U")
    g.delete_node("gone")
    write_years(machine, g)
    g.compact()
    floor = g._engine.journal.stack.generation.manifest.floor_sequence

    assert [(c.sequence, c.node and c.node.type) for c in g.history("still")] == [(3, "U")]
    with pytest.raises(NodeNotFoundError):
        g.history("gone")
    numbers = [(c.sequence, c.node and c.node.properties["number"]) for c in g.history("hub")]
    assert numbers == [(sequence, sequence - 5) for sequence in range(floor, 45)]


def test_history_is_cut_at_the_floor_where_older_versions_are_still_there(
    machine: Machine,
) -> None:
    g = machine.open(history=timedelta(0), memtable=2**20)
    g.put_node("gone")
    g.put_node("still")
    g.delete_node("gone")
    g.put_node("still", type="T")
    g.put_node("still", type="U")
    for name in ("b", "c", "d"):
        g.checkpoint()
        g.put_node(name)
    g.checkpoint()
    store = g._engine.store
    generation = store.journal.stack.generation
    merge = merge_of_runs(store, generation, RunMerge(1, len(generation.manifest.runs), "major"))
    del generation
    assert [node.type for change in g.history("still") if (node := change.node)] == ["", "T", "U"]
    assert flat(g.history("gone")) == [(1, "gone", True), (3, "gone", False)]
    for _ in merge.steps:
        """Only names are merged: what segments hold is as it was."""

    assert store.journal.stack.generation.manifest.floor_sequence == 8
    assert [(c.sequence, c.node and c.node.type) for c in g.history("still")] == [(5, "U")]
    with pytest.raises(NodeNotFoundError):
        g.history("gone")


# changes ------------------------------------------------------------------------------------------


def test_changes_tell_every_commit_in_order(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    told = list(g.changes())

    assert [c.sequence for c in told] == sorted(c.sequence for c in told)
    assert flat(iter(told))[:6] == [
        (1, "hub", True),
        (1, "n0", True),
        (1, ("hub", "n0"), True),
        (2, "hub", True),
        (2, "n1", True),
        (2, ("hub", "n1"), True),
    ]
    # Commit 7 deletes n3, which takes its edge along.
    assert flat(g.changes(7, 8)) == [
        (7, "hub", True),
        (7, "n1", True),
        (7, "n3", False),
        (7, ("hub", "n1"), True),
        (7, ("hub", "n3"), False),
    ]
    for change in told:
        then = g.as_of(change.sequence)
        assert change.time == START + 27 * DAY * change.sequence
        if isinstance(change, NodeChange):
            assert then.get_node(change.name) == change.node
        else:
            assert then.get_edge(change.source, change.type, change.target) == change.edge
    for rewrite in (g.checkpoint, g.compact):
        rewrite()
        assert list(g.changes()) == told


def test_ranges_of_changes_are_half_open(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    told = list(g.changes())

    def sequences(since: Any = None, until: Any = None) -> list[int]:
        return sorted({change.sequence for change in g.changes(since, until)})

    assert sequences(3, 6) == [3, 4, 5]
    assert sequences(0, 2) == sequences(until=2) == [1]
    assert sequences(39, 100) == sequences(39) == [39, 40]
    assert sequences(5, 5) == sequences(6, 5) == sequences(41) == sequences(100, 200) == []
    assert sequences(since=told[-1].time) == [40]
    assert sequences(until=told[-1].time)[-1] == 39
    assert sequences(START + 27 * DAY * 3, START + 27 * DAY * 5) == [3, 4]
    assert sequences(START + 27 * DAY * 3 + MICROSECOND, 6) == [4, 5]
    assert sequences(START - 1000 * DAY, START) == []
    then = g.as_of(10)
    assert list(then.changes()) == [change for change in told if change.sequence <= 10]
    for odd in (True, -1, 1.5, "1", datetime(2026, 1, 1)):
        with pytest.raises(InvalidArgumentError, match="since"):
            g.changes(since=odd)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match="until"):
            g.changes(until=odd)  # type: ignore[arg-type]


def test_changes_at_or_below_the_floor_are_refused(machine: Machine) -> None:
    g = machine.open(history=timedelta(days=200))
    past = write_years(machine, g)
    whole = list(g.changes(until=41))
    g.compact()
    floor = g._engine.journal.stack.generation.manifest.floor_sequence

    assert list(g.changes()) == [change for change in whole if change.sequence > floor]
    assert list(g.changes(since=floor + 1)) == list(g.changes())
    assert next(g.changes(since=past[floor][0] + MICROSECOND)).sequence == floor + 1
    for since in (0, floor, past[floor][0], START):
        with pytest.raises(InvalidArgumentError, match="history="):
            g.changes(since=since)


def test_changes_keep_the_view_they_began_with(machine: Machine) -> None:
    g = machine.open()
    write_years(machine, g)
    told = list(g.changes())
    half_read = g.changes()
    first = next(half_read)
    write_years(machine, g)
    g.delete_node("hub")
    g.compact()

    assert [first, *half_read] == told


def test_every_change_says_when_its_commit_was(machine: Machine) -> None:
    g = machine.open()
    g.put_node("a")
    g.delete_node("a")

    change = list(g.history("a"))[-1]
    assert (change.time, change.time.tzinfo) == (decode_moment(_us(START) + 1), UTC)


def _us(time: datetime) -> int:
    return (time - datetime.fromtimestamp(0, UTC)) // MICROSECOND
