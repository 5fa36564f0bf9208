"""I/O errors at every call of a history: a typed error, nothing acknowledged lost, and work
resumes.

A history is played once for each call that can fail. When the step in which it did has raised, the
disk works again; the same handle must then read what it served, and write, flush and merge, unless
it says that it may not: after a failed sync of the log, or where it is open which files count.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lithograph.errors import FailedStateError, StorageError
from lithograph.tools.testing.crash_harness import Tally as CrashTally
from lithograph.tools.testing.crash_harness import expect_sound, judge_state, play
from lithograph.tools.testing.crash_histories import Step
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.machine import Machine, Setup
from lithograph.tools.testing.simulated_disk import SimulatedDisk

WRITING: Final = (
    "create",
    "write",
    "truncate",
    "sync",
    "sync_directory",
    "mkdir",
    "rmdir",
    "unlink",
)
READING: Final = ("open", "map", "read", "look", "list")
_ERRORS: Final = {
    WRITING: (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    READING: (errno.EIO, errno.EMFILE),
}
_POISONS: Final = (
    ("sync", "wal/"),
    ("sync", "CURRENT"),
    ("write", "CURRENT"),
    ("write", "shared.map"),
    ("read", "shared.map"),
    ("truncate", "wal/"),
)
"""After these it is not known what the medium, or another process, holds."""
_CLEANING: Final = ("unlink", "rmdir")
"""What these leave behind harms nobody: they fail in silence."""


@dataclass
class FaultTally:
    """What a run did, and every violation it found.

    faults : calls that failed.   unnoticed : of these, how many made no step fail.
    resumed : handles that worked again.   poisoned : handles that refused to write.
    """

    faults: int = 0
    unnoticed: int = 0
    resumed: int = 0
    poisoned: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.faults:,} faults, {self.unnoticed:,} without consequence, work resumed on the "
            f"same handle after {self.resumed:,}, writing refused after {self.poisoned:,}, "
            f"{len(self.violations)} violations"
        )


def run_faults(
    steps: Sequence[Step],
    seed: int,
    tally: FaultTally,
    setup: Setup,
    *,
    share: float,
    kinds: Sequence[str] = WRITING,
) -> None:
    """Play a history once for each call of some kinds (a `share` of them), and let that call fail.

    kinds : WRITING or READING.
    """
    undisturbed = play(steps, seed, setup)
    plan = FaultPlan()
    machine = Machine(SimulatedDisk(), seed, setup, wrap=lambda f: FaultyFiles(f, plan))
    for step in steps:
        step(machine)
    calls = sum(kind in kinds for kind, _ in plan.calls)
    rng = random.Random(seed)
    for index in range(calls):
        if rng.random() < share:
            fault = Fault(
                kinds,
                rng.choice(_ERRORS[tuple(kinds)]),
                index=index,
                is_sticky=rng.random() < 0.3,
                landed=rng.choice((0, 0, 7, 64)),
            )
            tally.faults += 1
            _run_fault(steps, seed, setup, fault, undisturbed, tally)


def _run_fault(
    steps: Sequence[Step],
    seed: int,
    setup: Setup,
    fault: Fault,
    undisturbed: Machine,
    tally: FaultTally,
) -> None:
    plan = FaultPlan(fault)
    disk = SimulatedDisk()
    machine = Machine(disk, seed, setup, contents=dict(undisturbed.contents))
    machine.wrap = lambda files: FaultyFiles(files, plan)
    where = f"seed {seed}, fault {fault.index}"
    try:
        _play_until_it_fails(machine, steps)
    except StorageError as error:
        _expect_typed(error, plan, where, tally)
        plan.faults.clear()
        _resume(machine, where, tally, may_poison=any(map(_is_uncertain, plan.failed)))
    except Exception as error:
        tally.violations.append(f"{where}, {plan.failed}: {type(error).__name__}: {error}")
        return
    else:
        tally.unnoticed += 1
    plan.faults.clear()
    judged = CrashTally()
    last = max(machine.attempted, machine.published) + 1
    judge_state(disk.after_process_death(), machine, machine.published, last, where, judged)
    for state in disk.crash_states(random.Random(seed), 4):
        judge_state(state, machine, machine.acknowledged, last, f"{where}, power cut", judged)
    tally.violations += [f"{violation} {plan.failed}" for violation in judged.violations]


def _expect_typed(error: StorageError, plan: FaultPlan, where: str, tally: FaultTally) -> None:
    if error.__cause__ is None:
        tally.violations.append(f"{where}: {error!r} has no cause")
    if all(kind in _CLEANING for kind, _ in plan.failed):
        tally.violations.append(f"{where}: {error!r}, though it only cleaned up")


def _is_uncertain(call: tuple[str, str]) -> bool:
    kind, name = call
    return any(kind == known and name.startswith(start) for known, start in _POISONS)


def _play_until_it_fails(machine: Machine, steps: Sequence[Step]) -> None:
    for step in steps:
        step(machine)


def _resume(machine: Machine, where: str, tally: FaultTally, *, may_poison: bool) -> None:
    """The disk works again: the handle reads what it served, and writes, flushes and merges unless
    it says it may not."""
    graph = machine.graph
    if graph is None or graph._engine.closed:
        return
    try:
        expect_sound(machine, machine.contents.get(graph.sequence))
        machine.check_snapshots()
        before = graph.sequence
        machine.contents = {seq: held for seq, held in machine.contents.items() if seq <= before}
        machine.commit(lambda g: g.put_node("after the fault", observations=[str(before)]))
        machine.checkpoint()
        machine.commit(lambda g: g.put_edge("after the fault", "to", "n0", create_missing=True))
        machine.compact()
        expect_sound(machine, machine.contents[machine.published])
    except FailedStateError:
        tally.poisoned += 1
        if not may_poison:
            tally.violations.append(f"{where}: writing is refused, and nothing is uncertain")
    except Exception as error:
        tally.violations.append(f"{where}, then: {type(error).__name__}: {error}")
    else:
        tally.resumed += 1
