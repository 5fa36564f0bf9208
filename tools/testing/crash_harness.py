"""Power cuts and deaths at every step of a history, and what must be true of the store afterwards.

A history (`crash_histories`) is played on a simulated disk: once undisturbed, to learn what the
graph holds after each commit, and once with the disk stopped before every operation that changes
it: whatever a power cut may have left then is opened and judged.

The judgement: the store opens; it holds a prefix of the commits, each whole, with every one that
was acknowledged as durable; older commits that must be kept show what they held; `verify()` finds
nothing; nothing is left on the disk that is not named; what it served survives another power cut;
it can be written to, flushed and merged. A store whose creation nobody was told of may be missing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lithograph.errors import InvalidArgumentError
from lithograph.graph.graph import Graph
from lithograph.tools.testing.crash_histories import Step
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.leftovers import leftovers
from lithograph.tools.testing.machine import Machine, Setup, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk


@dataclass
class Tally:
    """What a run did, and every violation it found.

    states : disks that power cuts left, all opened and judged; of these `nested` by a second cut,
        in a recovery or after it.   deaths : of processes, judged likewise.
    resumed : of all of these, how many were then written to, flushed and merged.
    """

    states: int = 0
    nested: int = 0
    deaths: int = 0
    resumed: int = 0
    operations: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.states:,} power cuts ({self.nested:,} of them second ones), {self.deaths:,} "
            f"deaths at {self.operations:,} operations, {self.resumed:,} stores used further, "
            f"{len(self.violations)} violations"
        )


def run_history(
    steps: Sequence[Step],
    seed: int,
    tally: Tally,
    setup: Setup,
    *,
    states_per_operation: int = 6,
    ignores_sync: Callable[[str, str], bool] | None = None,
) -> None:
    """Play a history and judge what is left at every operation; add to `tally`.

    ignores_sync : makes the disk lie, to see that the harness notices; stops at the first
    violation.
    """
    undisturbed = play(steps, seed, setup)

    rng = random.Random(seed)
    disk = SimulatedDisk()
    disk.ignores_sync = ignores_sync
    machine = Machine(disk, seed, setup, contents=undisturbed.contents)
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
        trial = _Trial(machine, max(machine.attempted, machine.published), where, tally, rng)
        for state in disk.crash_states(rng, states_per_operation, seen=seen):
            tally.states += 1
            trial.judge(state, machine.acknowledged)
        if rng.random() < 0.25:
            tally.deaths += 1
            trial.judge(disk.after_process_death(), machine.published)

    disk.on_operation = judge
    for step in steps:
        step(machine)
    disk.on_operation = None
    if disk.log != undisturbed.disk.log and ignores_sync is None:
        tally.violations.append(f"seed {seed}: two runs did not do the same operations")


def play(steps: Sequence[Step], seed: int, setup: Setup) -> Machine:
    """Play a history undisturbed; return the machine, which knows what every commit holds."""
    machine = Machine(SimulatedDisk(), seed, setup)
    for step in steps:
        step(machine)
    return machine


@dataclass
class _Trial:
    """One moment of a history; `last` is the newest commit that was begun by then."""

    machine: Machine
    last: int
    where: str
    tally: Tally
    rng: random.Random

    def judge(self, state: SimulatedDisk, acknowledged: int) -> None:
        second: list[SimulatedDisk] = []
        if self.rng.random() < 0.2:
            # The recovery is cut short, too; and cut short again.
            index = self.rng.randrange(12)

            def cut(kind: str, name: str) -> None:
                if state.operation_count == index:
                    second.extend(state.crash_states(self.rng, 3))

            state.on_operation = cut
        survivor = self._open(state, acknowledged, self.where)
        state.on_operation = None
        if survivor is None:
            return
        # What only a process death had spared may go with the power.
        self._judge_again(second, self.machine.acknowledged, "again in recovery")
        # What was served must survive: nothing of it may have been in the cache only.
        served = list(state.crash_states(self.rng, 2))
        self._judge_again(served, max(survivor.published, 0), "after serving")
        if self.rng.random() < 0.1:
            self.tally.resumed += 1
            self._use(survivor)

    def _judge_again(self, states: list[SimulatedDisk], durable: int, when: str) -> None:
        for state in states:
            self.tally.states += 1
            self.tally.nested += 1
            self._open(state, durable, f"{self.where}, {when}")

    def _open(self, state: SimulatedDisk, acknowledged: int, where: str) -> Machine | None:
        old = self.rng.randrange(self.last + 1) if self.rng.random() < 0.2 else None
        return judge_state(state, self.machine, acknowledged, self.last, where, self.tally, old=old)

    def _use(self, survivor: Machine) -> None:
        """Write to the store, flush and merge it, and take its power."""
        try:
            survivor.commit(lambda graph: graph.put_node("after", observations=["x" * 50]))
            if self.rng.random() < 0.5:
                survivor.compact()
            else:
                survivor.checkpoint()
            survivor.commit(lambda graph: graph.put_edge("after", "to", "after"))
            expect_sound(survivor, survivor.contents[survivor.published])
        except Exception as error:
            self.tally.violations.append(f"{self.where}, used: {type(error).__name__}: {error}")
            return
        known, last = survivor.acknowledged, survivor.published
        for state in survivor.disk.crash_states(self.rng, 2):
            self.tally.states += 1
            self.tally.nested += 1
            judge_state(state, survivor, known, last, f"{self.where}, used, cut", self.tally)


def judge_state(
    state: SimulatedDisk,
    machine: Machine,
    acknowledged: int,
    last: int,
    where: str,
    tally: Tally,
    *,
    old: int | None = None,
) -> Machine | None:
    """Open the state, compare it with the history; return the machine that serves it.

    old : a commit that is looked back to, if the store holds one as new as that.
    """
    survivor = Machine(state, machine.seed + 1, machine.setup)
    try:
        graph = survivor.open()
        sequence = graph.sequence
        # Acknowledged -1: nobody was told that there is a store yet.
        if not acknowledged <= sequence <= last:
            raise AssertionError(
                f"serves commit {sequence}, {acknowledged} was acknowledged and {last} begun"
            )
        expect_sound(survivor, machine.contents.get(sequence))
        if old is not None and old in machine.contents and old <= sequence:
            _look_back(graph, old, machine)
        if wrong := leftovers(survivor.disk.process()):
            raise AssertionError("; ".join(wrong))
    except Exception as error:
        tally.violations.append(f"{where}: {type(error).__name__}: {error}")
        return None
    return survivor


def expect_sound(machine: Machine, contents: object) -> None:
    """Raise AssertionError if the open graph is not sound, or holds something else."""
    graph = machine.live
    if contents is not None and contents_of(graph) != contents:
        raise AssertionError(f"commit {graph.sequence} does not hold what it held")
    if findings := graph.verify():
        raise AssertionError(f"verify: {findings}")


def _look_back(graph: Graph, old: int, machine: Machine) -> None:
    """Compare an old commit with what it held; a store that does not keep all may have forgotten
    it."""
    try:
        with graph.as_of(old) as then:
            found = contents_of(then)
    except InvalidArgumentError:
        if machine.setup.history is None:
            raise
        return
    if found != machine.contents[old]:
        raise AssertionError(f"commit {old}, looked back to, does not hold what it held")
