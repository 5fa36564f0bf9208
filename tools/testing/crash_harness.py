"""Power cuts and deaths at every step of a history, and what must be true of the store afterwards.

A history is a list of steps (commits, checkpoints, reopenings) played on a simulated disk. It is
played once undisturbed, to learn what the graph holds after each commit, and once with the disk
stopped before every operation that changes it: whatever a power cut may have left then is opened
and judged.

The judgement: the store opens; it holds a prefix of the commits, each whole, with every one that
was acknowledged as durable; `verify()` finds nothing; what it served survives another power cut;
the next commit succeeds. A store whose creation nobody was told of may be missing.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lithograph.environment import Environment
from lithograph.files import Files
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import SimulatedFiles

Contents = tuple[object, ...]
Step = Callable[["Machine"], None]


def contents_of(graph: Graph) -> Contents:
    """Return everything a reader can see of a small graph, times left out."""
    nodes = tuple((n.name, n.type, n.observations, repr(n.properties)) for n in graph.nodes())
    edges = tuple((e.source, e.type, e.target, e.key, repr(e.properties)) for e in graph.edges())
    backward = sum(graph.degree(node[0], "in") for node in nodes)
    assert (graph.node_count, graph.edge_count, backward) == (len(nodes), len(edges), len(edges))
    return nodes, edges


@dataclass
class Machine:
    """A disk, a process on it that has the store open, and what it was told.

    acknowledged : the newest commit that is durable by what its writer was told.
    published : the newest commit that other processes may have seen.
    attempted : the newest commit that was begun.
    contents : sequence -> what the graph holds then, filled by the undisturbed run.
    """

    disk: SimulatedDisk
    seed: int
    durability: str = "full"
    wal_size_max: int = 600
    acknowledged: int = -1
    published: int = -1
    attempted: int = 0
    contents: dict[int, Contents] = field(default_factory=dict)
    graph: Graph | None = None
    files: SimulatedFiles | None = None
    wrap: Callable[[Files], Files] = lambda files: files

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        clock = itertools.count(1_795_219_200_000_000, 1000)
        self.environment = Environment(
            clock_us=lambda: next(clock),
            random_u64=lambda: rng.getrandbits(64),
            new_uuid=lambda: rng.randbytes(16),
            process_id=lambda: 4242,
        )

    def open(self) -> Graph:
        """Open the store in a new process, creating it if it is not there."""
        self.files = self.disk.process(create=True)
        options = Options(
            durability=self.durability, tuning=Tuning(wal_size_bytes_max=self.wal_size_max)
        )
        engine = open_engine(self.wrap(self.files), self.environment, options)
        self.graph = Graph(engine, writable=True)
        self.acknowledged = max(self.acknowledged, self.graph.sequence)
        self.published = max(self.published, self.graph.sequence)
        self.contents.setdefault(self.graph.sequence, contents_of(self.graph))
        return self.graph

    def commit(self, write: Callable[[Graph], object]) -> None:
        """Do one write and note that it was acknowledged."""
        assert self.graph is not None
        self.attempted = max(self.attempted, self.graph.sequence) + 1
        write(self.graph)
        self._note()

    def checkpoint(self) -> None:
        assert self.graph is not None
        self.graph.checkpoint()
        self._note(synced=True)

    def close(self) -> None:
        assert self.graph is not None
        engine = self.graph._engine
        engine.close()
        self._note(synced=self.durability != "off", closed=True)
        self.graph = None

    def kill(self) -> None:
        """End the process without a word."""
        assert self.files is not None
        self.files.kill()
        self.graph = None

    def _note(self, *, synced: bool = False, closed: bool = False) -> None:
        assert self.graph is not None
        if not closed:
            self.published = self.graph.sequence
            self.contents.setdefault(self.published, contents_of(self.graph))
        if synced or self.durability == "full":
            self.acknowledged = self.published


def random_history(rng: random.Random, length: int) -> list[Step]:
    """Return steps over a handful of names: every kind of write, checkpoints, ends of processes."""
    steps: list[Step] = [lambda machine: void(machine.open())]
    for number in range(length):
        steps += _random_steps(rng, number)
    steps.append(lambda machine: machine.close())
    return steps


def void(_: object) -> None:
    """Drop a result."""


def _random_steps(rng: random.Random, number: int) -> list[Step]:
    a, b = (f"n{rng.randrange(5)}" for _ in range(2))
    text = "x" * rng.choice((1, 20, 300, 900))
    kind = rng.choice(("node", "node", "edge", "batch", "add", "delete", "checkpoint", "end"))

    def batch(graph: Graph) -> None:
        with graph.transaction() as tx:
            tx.put_node(f"batch{number}", type="Batch", observations=[text])
            tx.put_edge(f"batch{number}", "of", a, key=str(number), create_missing=True)
            tx.put_edge(a, "in", f"batch{number}", create_missing=True)

    def add(graph: Graph) -> None:
        with graph.transaction() as tx:
            tx.put_node(b)
            tx.add_observations(b, [str(number)])

    writes: dict[str, Callable[[Graph], object]] = {
        "node": lambda g: g.put_node(a, type=b, observations=[text, str(number)]),
        "edge": lambda g: g.put_edge(a, "to", b, properties={"n": number}, create_missing=True),
        "batch": batch,
        "add": add,
        "delete": lambda g: g.delete_node(a),
    }
    if kind == "checkpoint":
        return [lambda machine: machine.checkpoint()]
    if kind == "end":
        end: Step = Machine.close if rng.random() < 0.5 else Machine.kill
        return [end, lambda machine: void(machine.open())]
    return [lambda machine: machine.commit(writes[kind])]


@dataclass
class Tally:
    """What a run did, and every violation it found."""

    states: int = 0
    nested: int = 0
    deaths: int = 0
    operations: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.states:,} power cuts, {self.nested:,} second ones, {self.deaths:,} deaths "
            f"at {self.operations:,} operations, {len(self.violations)} violations"
        )


def run_history(
    steps: Sequence[Step],
    seed: int,
    tally: Tally,
    *,
    durability: str = "full",
    states_per_operation: int = 6,
    ignores_sync: Callable[[str, str], bool] | None = None,
) -> None:
    """Play a history and judge what is left at every operation; add to `tally`.

    ignores_sync : makes the disk lie, to see that the harness notices; stops at the first
    violation.
    """
    undisturbed = play(steps, seed, durability)

    rng = random.Random(seed)
    disk = SimulatedDisk()
    disk.ignores_sync = ignores_sync
    machine = Machine(disk, seed, durability, contents=undisturbed.contents)
    seen: set[Image] = set()
    seen_for = -2

    def judge(kind: str, name: str) -> None:
        nonlocal seen_for
        if ignores_sync is not None and tally.violations:
            return
        if seen_for != machine.acknowledged:
            # An image that was fine before an acknowledgement may be a loss after it.
            seen.clear()
            seen_for = machine.acknowledged
        tally.operations += 1
        where = f"seed {seed}, before operation {disk.operation_count} ({kind} {name})"
        last = max(machine.attempted, machine.published)
        for state in disk.crash_states(rng, states_per_operation, seen=seen):
            tally.states += 1
            _judge_state(state, machine, machine.acknowledged, last, where, tally, rng)
        if rng.random() < 0.25:
            tally.deaths += 1
            survivor = disk.after_process_death()
            _judge_state(survivor, machine, machine.published, last, where, tally, rng)

    disk.on_operation = judge
    for step in steps:
        step(machine)
    disk.on_operation = None
    if disk.log != undisturbed.disk.log and ignores_sync is None:
        tally.violations.append(f"seed {seed}: two runs did not do the same operations")


def play(steps: Sequence[Step], seed: int, durability: str) -> Machine:
    """Play a history undisturbed; return the machine, which knows what every commit holds."""
    machine = Machine(SimulatedDisk(), seed, durability)
    for step in steps:
        step(machine)
    return machine


def _judge_state(
    state: SimulatedDisk,
    machine: Machine,
    acknowledged: int,
    last: int,
    where: str,
    tally: Tally,
    rng: random.Random,
) -> None:
    second: list[SimulatedDisk] = []
    if rng.random() < 0.2:
        # The recovery is cut short, too; and cut short again.
        index = rng.randrange(12)

        def cut(kind: str, name: str) -> None:
            if state.operation_count == index:
                second.extend(state.crash_states(rng, 3))

        state.on_operation = cut
    sequence = judge_state(state, machine, acknowledged, last, where, tally)
    state.on_operation = None
    if sequence is None:
        return
    for again in second:
        # What only a process death had spared may go with the power.
        tally.nested += 1
        durable = machine.acknowledged
        judge_state(again, machine, durable, last, f"{where}, again in recovery", tally)
    for again in state.crash_states(rng, 2):
        # What was served must survive: nothing of it may have been in the cache only.
        tally.nested += 1
        judge_state(again, machine, max(sequence, 0), last, f"{where}, after serving", tally)


def judge_state(
    state: SimulatedDisk, machine: Machine, acknowledged: int, last: int, where: str, tally: Tally
) -> int | None:
    """Open the state, compare it with the history; return the sequence it serves."""
    survivor = Machine(state, machine.seed + 1)
    try:
        graph = survivor.open()
        sequence = graph.sequence
        # Acknowledged -1: nobody was told that there is a store yet.
        if not acknowledged <= sequence <= last:
            raise AssertionError(
                f"serves commit {sequence}, {acknowledged} was acknowledged and {last} begun"
            )
        if sequence in machine.contents and contents_of(graph) != machine.contents[sequence]:
            raise AssertionError(f"commit {sequence} does not hold what it held")
        if findings := graph.verify():
            raise AssertionError(f"verify: {findings}")
    except Exception as error:
        tally.violations.append(f"{where}: {type(error).__name__}: {error}")
        return None
    return sequence


def histories(seed: int, length: int = 8) -> Iterator[tuple[int, str, list[Step]]]:
    """Yield (seed, durability, steps) without end."""
    for number in itertools.count(seed):
        rng = random.Random(number)
        yield number, rng.choice(("full", "full", "normal", "off")), random_history(rng, length)
