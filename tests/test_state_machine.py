"""The public API against `ModelGraph`, over whatever histories Hypothesis can think of.

Two engines on one directory stand for two processes, each with its own locks, maps and memtable; a
third one only reads. Logs are 512 bytes long and memtables hold a few commits, so that they switch,
flush and merge all the time, between any two steps of another process; the clock jumps by up to
years. The model keeps its past. LITHOGRAPH_FUZZ=1 runs many more examples.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lithograph import (
    Edge,
    EdgeChange,
    Graph,
    LithographError,
    Node,
    NodeChange,
    Snapshot,
    Transaction,
)
from lithograph.environment import Environment
from lithograph.errors import ClosedError, InvalidArgumentError, NodeNotFoundError
from lithograph.files import OsFiles
from lithograph.formats.moment import decode_moment
from lithograph.graph.engine import Engine
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.tools.testing.model import ModelGraph, ModelTransaction
from lithograph.tools.testing.model_view import ModelChange, ModelEdge, ModelNode, ModelView

START = 1_700_000_000_000_000
WRITERS = ("first", "second")
NAMES = ("a", "ab", "é", "e\u0301")
TYPES = ("S", "T", "U")
TEXTS = ("x", "y", "z")
DAY = 86_400 * 10**6
JUMPS = (1, 1, 10**6, DAY, 40 * DAY, 400 * DAY, 3_000 * DAY, -3_600 * 10**6, -(10**15))

names = st.sampled_from(NAMES[:2]) | st.sampled_from(NAMES)
texts = st.lists(st.sampled_from(TEXTS), max_size=3)
maps = st.dictionaries(st.sampled_from(("k", "l")), st.sampled_from((0, None, [1.5], {"m": "é"})))
moments = st.sampled_from((START, START + 10, START + 20))
edge_names = st.sampled_from(
    (("a", "S", "ab", ""), ("a", "T", "ab", "1"), ("ab", "S", "a", ""), ("a", "S", "a", ""))
) | st.tuples(names, st.sampled_from(TYPES), names, st.sampled_from(("", "1")))
node_fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.none() | st.sampled_from(TYPES),
        "observations": st.none() | texts,
        "properties": st.none() | maps,
        "created_at": st.none() | moments,
    },
)
edge_fields = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.none() | maps,
        "valid_from": st.none() | moments,
        "valid_to": st.none() | moments,
        "created_at": st.none() | moments,
    },
)
calls = st.one_of(
    st.tuples(st.just("put_node"), names, node_fields),
    st.tuples(st.just("add_observations"), names, texts, st.booleans()),
    st.tuples(st.just("remove_observations"), names, texts),
    st.tuples(st.just("update_properties"), names, maps, st.lists(st.sampled_from("kl"))),
    st.tuples(st.just("delete_node"), names),
    st.tuples(st.just("put_edge"), edge_names, edge_fields, st.booleans()),
    st.tuples(st.just("delete_edge"), edge_names),
)
reads = st.one_of(
    st.tuples(st.just("get_node"), names),
    st.tuples(st.just("contains"), names),
    st.tuples(st.just("get_edge"), edge_names),
)
lives = st.lists(st.tuples(st.sampled_from(JUMPS), calls), min_size=5, max_size=10)
"""Jumps of the clock, and a write after each."""
MOMENTS = frozenset(("created_at", "valid_from", "valid_to"))


def for_graph(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a model's fields as the arguments that the graph takes."""
    return {
        key: decode_moment(value) if key in MOMENTS and value is not None else value
        for key, value in fields.items()
    }


def call_graph(graph: Graph | Transaction, call: tuple[Any, ...]) -> object:
    """Do one call of `calls` or `reads` on the real thing."""
    method, subject, *rest = call
    match method:
        case "put_node":
            return graph.put_node(subject, **for_graph(rest[0]))
        case "put_edge":
            source, type_name, target, key = subject
            fields = for_graph(rest[0])
            return graph.put_edge(
                source, type_name, target, key=key, create_missing=rest[1], **fields
            )
        case "contains":
            return subject in graph
        case "get_edge" | "delete_edge":
            source, type_name, target, key = subject
            return getattr(graph, method)(source, type_name, target, key=key)
    return getattr(graph, method)(subject, *rest)


def outcome(action: Callable[[], object]) -> object:
    """Return what an action returns, or the class of the error it raises."""
    try:
        return action()
    except LithographError as error:
        return type(error)


def moment(time: int | None) -> datetime | None:
    return None if time is None else decode_moment(time)


def comparable(found: object) -> object:
    """Return a record of the engine or of the model as one plain value; ids of edges left out."""
    match found:
        case Node():
            fields = (found.id, found.name, found.type, found.observations, found.properties)
            return (*fields, found.created_at, found.updated_at)
        case ModelNode():
            created_at = found.born if found.created_at is None else found.created_at
            observations = tuple(found.observations)
            fields = (found.id, found.name, found.type, observations, found.properties)
            return (*fields, moment(created_at), moment(found.updated_at))
        case Edge():
            name = (found.source, found.type, found.target, found.key)
            return (name, found.properties, found.created_at, found.valid_from, found.valid_to)
        case ModelEdge():
            created_at = found.born if found.created_at is None else found.created_at
            times = (created_at, found.valid_from, found.valid_to)
            return (found.name, found.properties, *map(moment, times))
        case NodeChange():
            return (found.sequence, found.time, found.name, comparable(found.node))
        case EdgeChange():
            name = (found.source, found.type, found.target, found.key)
            return (found.sequence, found.time, name, comparable(found.edge))
        case ModelChange():
            time = decode_moment(found.time)
            return (found.sequence, time, found.subject, comparable(found.state))
    return found


def compare(graph: Graph | Snapshot, model: ModelView) -> None:
    """Assert that every read of the graph says what the model says."""
    assert graph.sequence == model.sequence
    assert (graph.node_count, graph.edge_count) == (len(model.nodes), len(model.edges))
    assert len(graph) == len(model.nodes)
    ids = {name: model.nodes[name].id if name in model.nodes else None for name in NAMES}
    assert [graph.node_id(name) for name in NAMES] == list(ids.values())
    assert graph.node_ids(NAMES).tolist() == [-1 if i is None else i for i in ids.values()]
    ordered = model.names_in_order()
    assert graph.names(model.nodes[name].id for name in ordered) == ordered
    assert list(map(comparable, graph.nodes())) == [comparable(model.node(n)) for n in ordered]
    for name in NAMES:
        assert (name in graph) == (name in model.nodes)
        assert comparable(graph.get_node(name)) == comparable(model.nodes.get(name))
        assert [n.name for n in graph.nodes(after=name)] == model.names_in_order(after=name)
        assert [n.name for n in graph.nodes(prefix=name)] == model.names_in_order(name)
    for wanted in TYPES:
        of_type = [name for name in ordered if model.nodes[name].type == wanted]
        assert [node.name for node in graph.nodes(type=wanted)] == of_type
    compare_edges(graph, model, None, "out", None)
    for name in NAMES:
        for direction in ("out", "in", "both"):
            for types in (None, ["U", "S", "unknown"]):
                if name in model.nodes:
                    compare_edges(graph, model, name, direction, types)
                else:
                    missing = outcome(lambda n=name: graph.neighbors(n))  # type: ignore[misc]
                    assert missing is NodeNotFoundError
    assert graph.neighbor_ids(model.next_id).tolist() == []


def compare_edges(
    graph: Graph | Snapshot,
    model: ModelView,
    name: str | None,
    direction: str,
    types: list[str] | None,
) -> None:
    """Assert the same of everything about edges at one node, or everywhere."""
    expected = model.edges_of(name, direction, types)
    found = list(graph.edges(name, direction, types))
    assert list(map(comparable, found)) == list(map(comparable, expected))
    for edge in found:
        ends = (model.nodes[edge.source].id, model.nodes[edge.target].id)
        assert (edge.source_id, edge.target_id) == ends
        read = graph.get_edge(edge.source, edge.type, edge.target, key=edge.key)
        assert comparable(read) == comparable(edge)
    for time in (START - 1, START, START + 10, START + 20) if types is None else ():
        holding = [comparable(edge) for edge in expected if edge.holds(time)]
        at = decode_moment(time)
        assert [comparable(e) for e in graph.edges(name, direction, types, valid_at=at)] == holding
    if name is not None:
        neighbors = model.neighbors(name, direction, types)
        node_id = model.nodes[name].id
        assert graph.neighbors(name, direction, types) == neighbors
        assert graph.degree(name, direction, types) == len(neighbors)
        ids = [model.nodes[neighbor].id for neighbor in neighbors]
        assert graph.neighbor_ids(node_id, direction, types).tolist() == ids
        hops = [ids.tolist() for ids in graph.k_hop(name, 3, direction, types)]
        assert hops == model.k_hop(name, 3, direction, types)


@pytest.fixture(scope="module", autouse=True)
def _unsynced() -> Iterator[None]:
    """Nothing loses power here, and syncs would be most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "fdatasync", lambda _: None)
        yield


class GraphMachine(RuleBasedStateMachine):
    """One store; two writing processes with two handles on the first one; one reading process."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="lithograph-"))
        self.now = START
        self.model = ModelGraph(lambda: self.now)
        self.engines: dict[str, Engine] = {}
        self.graphs: dict[str, Graph] = {}
        self.open: dict[str, tuple[Transaction, ModelTransaction]] = {}
        self.snapshots: list[tuple[str, Snapshot, ModelView]] = []
        self.used = "first"
        self.compared: WeakKeyDictionary[Graph | Snapshot, tuple[int, ...]] = WeakKeyDictionary()

    @initialize(
        durability=st.sampled_from(("full", "normal", "off")),
        partition=st.sampled_from(("day", "month", "year")),
        memtable=st.sampled_from((1, 1, 5_000, 2**20)),
        cache=st.sampled_from((0, 2**20)),
        open_max=st.sampled_from((100, 100, 100, 2)),
        history=st.sampled_from((None, timedelta(0), timedelta(days=60))),
        life=lives,
    )
    def create(
        self,
        durability: str,
        partition: str,
        memtable: int,
        cache: int,
        open_max: int,
        history: timedelta | None,
        life: list[tuple[int, tuple[Any, ...]]],
    ) -> None:
        self.options = Options(
            durability=durability,
            partition=partition,
            cache_size_bytes=cache,
            history=history,
            tuning=Tuning(
                wal_size_bytes_max=512,
                memtable_size_bytes_max=memtable,
                open_file_count_max=open_max,
                background=False,
            ),
        )
        for process in (*WRITERS, "reader"):
            self.start(process)
        # Something to begin with, so that most calls find what they name.
        for name in NAMES[:3]:
            self.write("first", ("put_node", name, {"observations": ["x", "y", "x"]}))
        for edge in (("a", "S", "ab", ""), ("ab", "S", "a", ""), ("a", "S", "a", "")):
            self.write("second", ("put_edge", edge, {"created_at": START}, False))
        self.live_on("first", life)

    def start(self, process: str) -> None:
        mode = "r" if process == "reader" else "c"
        files = OsFiles.create_root(str(self.path / "store"))
        if mode == "c":
            prepare_locks(files)
        environment = Environment(clock_us=lambda: self.now)
        options = replace(self.options, mode=mode)
        self.engines[process] = engine = Engine(files, environment, options)
        for handle in self.handles_of(process):
            self.graphs[handle] = Graph(engine, writable=options.writable)

    @staticmethod
    def handles_of(process: str) -> tuple[str, ...]:
        return ("first", "third") if process == "first" else (process,)

    def engine_of(self, handle: str) -> Engine:
        return self.engines["first" if handle == "third" else handle]

    def end(self, process: str) -> None:
        """Forget what ends with a process, after seeing that it did."""
        for handle in self.handles_of(process):
            assert outcome(lambda h=handle: self.graphs[h].node_count) is ClosedError  # type: ignore[misc]
            if handle in self.open:
                transaction, _ = self.open.pop(handle)
                assert outcome(transaction.commit) is ClosedError
        for owner, snapshot, _ in self.snapshots:
            if owner in self.handles_of(process):
                assert outcome(lambda s=snapshot: s.node_count) is ClosedError  # type: ignore[misc]
        kept = [item for item in self.snapshots if item[0] not in self.handles_of(process)]
        self.snapshots = kept

    # Single writes -----------------------------------------------------------------------------

    @rule(
        handle=st.sampled_from(("first", "second", "third")),
        batch=st.lists(calls, min_size=1, max_size=5),
    )
    def write_some(self, handle: str, batch: list[tuple[Any, ...]]) -> None:
        for call in batch:
            self.write(handle, call)

    @rule(handle=st.sampled_from(("first", "second", "third")), life=lives)
    def live_on(self, handle: str, life: list[tuple[int, tuple[Any, ...]]]) -> None:
        """Write as time goes by, so that there is a past."""
        for jump, call in life:
            self.turn_clock(jump)
            self.write(handle, call)

    def write(self, handle: str, call: tuple[Any, ...]) -> None:
        self.used = handle
        found = outcome(lambda: call_graph(self.graphs[handle], call))
        if handle in self.open:
            assert found is InvalidArgumentError
            return

        def expected() -> object:
            transaction = self.model.transaction()
            method, *arguments = call
            result = getattr(transaction, method)(*arguments)
            transaction.commit()
            return result

        assert found == outcome(expected)

    # Transactions ------------------------------------------------------------------------------

    @rule(handle=st.sampled_from(("first", "second", "third")))
    def begin(self, handle: str) -> None:
        found = outcome(self.graphs[handle].transaction)
        if handle in self.open:
            assert found is InvalidArgumentError
        else:
            assert isinstance(found, Transaction)
            self.open[handle] = (found, self.model.transaction())

    @rule(
        handle=st.sampled_from(("first", "second", "third")),
        batch=st.lists(calls | reads, min_size=1, max_size=6),
    )
    def go_on(self, handle: str, batch: list[tuple[Any, ...]]) -> None:
        """Read and write in the handle's transaction, begun here if none is open."""
        if handle not in self.open:
            self.begin(handle)
        transaction, model = self.open[handle]
        for call in batch:
            method, *arguments = call
            found = outcome(lambda c=call: call_graph(transaction, c))  # type: ignore[misc]
            expected = outcome(lambda m=method, a=arguments: getattr(model, m)(*a))  # type: ignore[misc]
            assert comparable(found) == comparable(expected)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        handle = data.draw(st.sampled_from(sorted(self.open)))
        transaction, model = self.open.pop(handle)
        self.used = handle
        assert outcome(transaction.commit) == outcome(model.commit)
        assert outcome(transaction.commit) is ClosedError

    @rule(read=reads | calls, changes=st.lists(calls, min_size=1, max_size=2))
    def race(self, read: tuple[Any, ...], changes: list[tuple[Any, ...]]) -> None:
        """One process reads, another one writes, the first one commits: a conflict, or none."""
        if "first" in self.open or "second" in self.open:
            return
        self.go_on("first", [read, ("put_node", "e\u0301", {"type": "S"})])
        for change in changes:
            self.write("second", change)
        transaction, model = self.open.pop("first")
        assert outcome(transaction.commit) == outcome(model.commit)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        transaction, _ = self.open.pop(data.draw(st.sampled_from(sorted(self.open))))
        transaction.rollback()
        assert outcome(transaction.rollback) is ClosedError

    @rule(call=calls, ago=st.integers(-1, 30))
    def replay(self, call: tuple[Any, ...], ago: int) -> None:
        """Commit one write at a time of its own: refused before the last commit and after now."""
        if "third" in self.open:
            return
        at = max(self.now, self.model.time) - ago
        method, *arguments = call

        def real() -> object:
            with self.graphs["third"].transaction(at=decode_moment(at)) as transaction:
                call_graph(transaction, call)
            return transaction.sequence

        def expected() -> object:
            transaction = self.model.transaction()
            getattr(transaction, method)(*arguments)
            return transaction.commit(at)

        assert outcome(real) == outcome(expected)

    # Everything around -------------------------------------------------------------------------

    @rule(handle=st.sampled_from(("first", "second", "third", "reader")))
    def take_snapshot(self, handle: str) -> None:
        self.keep(handle, self.graphs[handle].snapshot(), self.model.snapshot())

    def keep(self, handle: str, snapshot: Snapshot, then: ModelView) -> None:
        """Keep a snapshot; the oldest one is dropped, not closed."""
        self.snapshots = [*self.snapshots, (handle, snapshot, then)][-3:]

    @precondition(lambda self: self.snapshots)
    @rule()
    def close_snapshots(self) -> None:
        for _, snapshot, _ in self.snapshots:
            snapshot.close()
            assert outcome(lambda s=snapshot: s.node_count) is ClosedError  # type: ignore[misc]
        self.snapshots = []

    @rule(jump=st.sampled_from(JUMPS))
    def turn_clock(self, jump: int) -> None:
        self.now = max(self.now + jump, 1)

    @rule(handle=st.sampled_from(WRITERS))
    def checkpoint(self, handle: str) -> None:
        """Flush everything."""
        if handle not in self.open:
            self.graphs[handle].checkpoint()
            assert self.graphs[handle].stats().wal_synced_bytes > 0

    @rule(process=st.sampled_from(WRITERS))
    def freeze(self, process: str) -> None:
        """Freeze the memtable; it is flushed by steps, or when the next one is full."""
        engine = self.engines[process]
        journal = engine.journal

        def act() -> None:
            if not journal.memtable.is_empty and not journal.stack.frozen:
                journal.freeze()

        engine.committer.exclusively(act)

    @rule(process=st.sampled_from(WRITERS), count=st.integers(1, 20))
    def step(self, process: str, count: int) -> None:
        """Go on with the flush or the merge that is under way or due."""
        for _ in range(count):
            self.engines[process].caretaker.step()

    @rule(process=st.sampled_from(WRITERS))
    def finish_flush(self, process: str) -> None:
        self.engines[process].caretaker.finish_flush()

    @rule(handle=st.sampled_from(WRITERS))
    def compact(self, handle: str) -> None:
        if handle not in self.open:
            self.graphs[handle].compact()
            assert len(self.engines[handle].journal.stack.generation.graph) <= 1

    # The past ----------------------------------------------------------------------------------

    def floor_of(self, handle: str) -> int:
        """Return the oldest commit that the handle can be read as of."""
        self.graphs[handle].sequence  # noqa: B018  # Takes in what other processes published.
        return self.engine_of(handle).journal.stack.generation.manifest.floor_sequence

    @rule(handle=st.sampled_from((*WRITERS, "reader")), data=st.data())
    def travel(self, handle: str, data: st.DataObject) -> None:
        """Read the graph as of an old commit, and sometimes keep it."""
        graph, past = self.graphs[handle], self.model.past
        floor = self.floor_of(handle)
        sequence = data.draw(st.integers(0, len(past) - 1))
        when: int | datetime = sequence
        if data.draw(st.booleans()):
            time = past[sequence].time + data.draw(st.integers(-1, 1))
            when, sequence = decode_moment(time), self.model.sequence_at(time)
        if sequence < floor:
            assert outcome(lambda: graph.as_of(when)) is InvalidArgumentError
            return
        snapshot = graph.as_of(when)
        compare(snapshot, past[sequence])
        if data.draw(st.booleans()):
            self.keep(handle, snapshot, past[sequence])
        else:
            snapshot.close()

    @rule(handle=st.sampled_from((*WRITERS, "reader")), data=st.data())
    def look_back(self, handle: str, data: st.DataObject) -> None:
        """Read what became of every name, and what a range of commits changed."""
        graph, newest = self.graphs[handle], self.model.sequence
        floor = self.floor_of(handle)
        for name in NAMES:
            expected = self.model.history(name, newest, floor)
            if expected:
                assert list(map(comparable, graph.history(name))) == list(map(comparable, expected))
            else:
                missing = outcome(lambda n=name: graph.history(n))  # type: ignore[misc]
                assert missing is NodeNotFoundError
        since = data.draw(st.none() | st.integers(0, newest + 2))
        until = data.draw(st.none() | st.integers(0, newest + 2))
        first = floor + 1 if since is None else max(since, 1)
        if first <= floor:
            assert outcome(lambda: graph.changes(since, until)) is InvalidArgumentError
            return
        end = newest + 1 if until is None else min(until, newest + 1)
        expected = self.model.changes(first, end)
        assert list(map(comparable, graph.changes(since, until))) == list(map(comparable, expected))

    @rule(process=st.sampled_from((*WRITERS, "reader")), killed=st.booleans())
    def reopen(self, process: str, killed: bool) -> None:
        """End a process, as by close() or as by SIGKILL, and start it again."""
        engine = self.engines[process]
        if killed:
            engine.abandon()
        else:
            engine.close()
        self.end(process)
        self.start(process)
        self.used = self.handles_of(process)[0]

    @rule(first=st.permutations((*WRITERS, "reader")), back=st.permutations(WRITERS))
    def restart_all(self, first: list[str], back: list[str]) -> None:
        """End every process; the last one to leave tidies up, the first one back recovers."""
        for process in first:
            self.engines[process].close()
            self.end(process)
        for process in (*back, "reader"):
            self.start(process)

    @invariant()
    def everything_read_is_as_the_model_says(self) -> None:
        if not self.graphs:
            return
        for handle, graph in self.graphs.items():
            assert graph.sequence == self.model.sequence
            if handle in (self.used, "reader"):
                self.compare_once(handle, graph, self.model)
        for handle, snapshot, then in self.snapshots:
            self.compare_once(handle, snapshot, then)

    def compare_once(self, handle: str, reads: Graph | Snapshot, model: ModelView) -> None:
        """Compare everything, unless that was done when the same layers said the same."""
        stack = self.engine_of(handle).journal.stack
        frozen = len(stack.frozen)
        state = (model.sequence, stack.first_sequence, frozen, stack.generation.number)
        if self.compared.get(reads) != state:
            compare(reads, model)
            self.compared[reads] = state

    @invariant()
    def the_store_is_sound(self) -> None:
        if self.graphs:
            assert self.graphs[self.used].verify() == []

    def teardown(self) -> None:
        for engine in self.engines.values():
            engine.close()
        shutil.rmtree(self.path)


FUZZ = os.environ.get("LITHOGRAPH_FUZZ") == "1"

TestGraphMachine = GraphMachine.TestCase
TestGraphMachine.settings = settings(
    max_examples=600 if FUZZ else 70,
    stateful_step_count=60 if FUZZ else 30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
