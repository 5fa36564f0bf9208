"""A simulated machine with one process that has a store open, and what that process was told."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from lithograph.environment import Environment
from lithograph.files import Files
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.caretaker import Caretaker
from lithograph.options import Options, Tuning
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import ProcessKilled, SimulatedFiles
from lithograph.view.reads import Reads
from lithograph.view.snapshot import Snapshot

Contents = tuple[object, ...]

_START_US = 1_795_219_200_000_000
_TICK_US = 1000
_DAY_US = 86_400_000_000


def contents_of(graph: Reads) -> Contents:
    """Return everything a reader can see of a small graph, times left out."""
    nodes = tuple((n.name, n.type, n.observations, repr(n.properties)) for n in graph.nodes())
    edges = tuple((e.source, e.type, e.target, e.key, repr(e.properties)) for e in graph.edges())
    backward = sum(graph.degree(node[0], "in") for node in nodes)
    assert (graph.node_count, graph.edge_count, backward) == (len(nodes), len(edges), len(edges))
    return nodes, edges


@dataclass(frozen=True, slots=True)
class Setup:
    """How a store is opened: so small that a few commits flush, seal and merge.

    durability, partition, history : as of `Options`.   open_file_count_max : sealed files mapped.
    memtable_size_max, wal_size_max, close_wal_max : bytes; see `Tuning`.
    """

    durability: str = "full"
    partition: str = "month"
    history: timedelta | None = None
    memtable_size_max: int = 2500
    wal_size_max: int = 600
    close_wal_max: int = 2**20
    open_file_count_max: int = 128

    def options(self) -> Options:
        """Return the options. Without a thread: a simulated machine does one thing at a time."""
        tuning = Tuning(
            wal_size_bytes_max=self.wal_size_max,
            memtable_size_bytes_max=self.memtable_size_max,
            close_wal_bytes_max=self.close_wal_max,
            open_file_count_max=self.open_file_count_max,
            background=False,
        )
        return Options(
            durability=self.durability,
            partition=self.partition,
            history=self.history,
            tuning=tuning,
        )


@dataclass
class _Clock:
    """Not part of the machine: what the clock is given to must not keep the machine alive."""

    now: int = _START_US

    def __call__(self) -> int:
        self.now += _TICK_US
        return self.now


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
    setup: Setup = Setup()
    acknowledged: int = -1
    published: int = -1
    attempted: int = 0
    contents: dict[int, Contents] = field(default_factory=dict)
    graph: Graph | None = None
    files: SimulatedFiles | None = None
    wrap: Callable[[Files], Files] = lambda files: files

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        self._clock = _Clock()
        self._snapshots: list[Snapshot] = []
        self.environment = Environment(
            clock_us=self._clock,
            random_u64=lambda: rng.getrandbits(64),
            new_uuid=lambda: rng.randbytes(16),
            process_id=lambda: 4242,
        )

    @property
    def live(self) -> Graph:
        """The graph, which is open."""
        assert self.graph is not None
        return self.graph

    def open(self) -> Graph:
        """Open the store in a new process, creating it if it is not there."""
        self.files = self.disk.process(create=True)
        engine = open_engine(self.wrap(self.files), self.environment, self.setup.options())
        self.graph = Graph(engine, writable=True)
        self._note(synced=True)
        return self.graph

    def commit(self, write: Callable[[Graph], object]) -> None:
        """Do one write and note that it was acknowledged."""
        graph = self.live
        self.attempted = max(self.attempted, graph.sequence) + 1
        write(graph)
        self._note()

    def jump(self, days: float) -> None:
        """Let the clock jump, back too; commit times never do."""
        self._clock.now += int(days * _DAY_US)

    def checkpoint(self) -> None:
        self.live.checkpoint()
        self._note(synced=True)

    def compact(self) -> None:
        self.live.compact()
        self._note(synced=True)

    def work(self, steps: int) -> None:
        """Do some steps of what is due behind the commits."""
        caretaker = self.live._engine.caretaker
        for _ in range(steps):
            if not caretaker.step():
                break
        self._note()

    def take_snapshot(self) -> None:
        """Keep the graph as it is now, across whatever is merged meanwhile."""
        self._snapshots.append(self.live.snapshot())

    def check_snapshots(self) -> None:
        """Compare what the snapshots show with what the graph held then, and close them."""
        while self._snapshots:
            with self._snapshots.pop() as snapshot:
                assert contents_of(snapshot) == self.contents[snapshot.sequence]

    def close(self) -> None:
        self._snapshots.clear()
        graph = self.live
        graph._engine.close()
        self._acknowledge(self.setup.durability != "off")
        self.graph = None

    def kill(self) -> None:
        """End the process without a word."""
        assert self.files is not None
        self._snapshots.clear()
        self.files.kill()
        if self.graph is not None:
            _stop(self.graph._engine.caretaker)
        self.graph = None

    def _note(self, *, synced: bool = False) -> None:
        """Note what the graph holds, which others may have seen by now."""
        graph = self.live
        self.published = graph.sequence
        if self.published not in self.contents:
            self.contents[self.published] = contents_of(graph)
        self._acknowledge(synced)

    def _acknowledge(self, synced: bool) -> None:
        if synced or self.setup.durability == "full":
            self.acknowledged = max(self.acknowledged, self.published)


def _stop(caretaker: Caretaker) -> None:
    """End work that a dead process has begun: it can clean up nothing any more."""
    compaction = caretaker._compaction
    for steps in (caretaker._flush, None if compaction is None else compaction.steps):
        if steps is not None:
            with contextlib.suppress(ProcessKilled):
                steps.close()
