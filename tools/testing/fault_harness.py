"""I/O errors at every call of a history: a typed error, nothing acknowledged lost, and work
resumes."""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lithograph.errors import FailedStateError, StorageError
from lithograph.tools.testing.crash_harness import Machine, Step, contents_of, judge_state, play
from lithograph.tools.testing.crash_harness import Tally as CrashTally
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.simulated_disk import SimulatedDisk

WRITING: Final = ("create", "write", "truncate", "sync", "sync_directory", "mkdir", "unlink")
_ERRORS: Final = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass
class FaultTally:
    """What a run did, and every violation it found."""

    faults: int = 0
    resumed: int = 0
    poisoned: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.faults:,} faults, work resumed on the same handle after {self.resumed:,}, "
            f"writing refused after {self.poisoned:,}, {len(self.violations)} violations"
        )


def run_faults(
    steps: Sequence[Step], seed: int, tally: FaultTally, *, durability: str, share: float
) -> None:
    """Play a history once for each call that writes (a `share` of them), and let that call fail."""
    undisturbed = play(steps, seed, durability)
    plan = FaultPlan()
    machine = Machine(SimulatedDisk(), seed, durability, wrap=lambda f: FaultyFiles(f, plan))
    for step in steps:
        step(machine)
    calls = sum(kind in WRITING for kind, _ in plan.calls)
    rng = random.Random(seed)
    for index in range(calls):
        if rng.random() < share:
            landed = rng.choice((0, 0, 7, 64))
            fault = Fault(
                WRITING,
                rng.choice(_ERRORS),
                index=index,
                is_sticky=rng.random() < 0.3,
                landed=landed,
            )
            tally.faults += 1
            _run_fault(steps, seed, durability, fault, undisturbed, tally)


def _run_fault(
    steps: Sequence[Step],
    seed: int,
    durability: str,
    fault: Fault,
    undisturbed: Machine,
    tally: FaultTally,
) -> None:
    plan = FaultPlan(fault)
    disk = SimulatedDisk()
    machine = Machine(disk, seed, durability, contents=undisturbed.contents)
    machine.wrap = lambda files: FaultyFiles(files, plan)
    where = f"seed {seed}, {durability}, call {fault.index} fails with {fault.error}"
    for step in steps:
        try:
            step(machine)
        except StorageError as error:
            if error.__cause__ is None:
                tally.violations.append(f"{where}: {error!r} has no cause")
            break
        except Exception as error:
            tally.violations.append(f"{where}: {type(error).__name__}: {error}")
            return
    else:
        return  # The call that failed did not matter: an orphan that stays, a hint not written.
    plan.faults.clear()
    _resume(machine, where, tally)
    judged = CrashTally()
    last = machine.attempted + 1
    judge_state(disk.after_process_death(), machine, machine.published, last, where, judged)
    for state in disk.crash_states(random.Random(seed), 4):
        judge_state(state, machine, machine.acknowledged, last, f"{where}, power cut", judged)
    tally.violations += judged.violations


def _resume(machine: Machine, where: str, tally: FaultTally) -> None:
    """The disk works again: the handle reads what it served, and writes unless it says it may
    not."""
    graph = machine.graph
    if graph is None or graph._engine._closed:
        return
    try:
        if graph.sequence in machine.contents:
            assert contents_of(graph) == machine.contents[graph.sequence]
        before = graph.sequence
        graph.put_node("after the fault", observations=[str(before)])
    except FailedStateError:
        tally.poisoned += 1
    except Exception as error:
        tally.violations.append(f"{where}, then: {type(error).__name__}: {error}")
    else:
        tally.resumed += 1
        machine.attempted = graph.sequence
        machine.published = graph.sequence
        machine.contents = {**machine.contents, graph.sequence: contents_of(graph)}
