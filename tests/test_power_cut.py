"""The simulated disk against the whole engine: nothing acknowledged is lost, and every sync
counts."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator

import pytest

from lithograph.tools.testing.crash_harness import Machine, Tally, histories, run_history
from lithograph.tools.testing.fault_harness import FaultTally, run_faults
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import ProcessKilled


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Recovery reports each torn tail; here that is thousands of lines."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_no_power_cut_or_death_takes_back_what_was_acknowledged() -> None:
    tally = Tally()
    for seed, durability, steps in histories(500):
        run_history(steps, seed, tally, durability=durability)
        if tally.states > 400:
            break

    assert tally.violations == []
    assert tally.nested > tally.states
    assert tally.deaths > 10


def test_no_io_error_takes_back_what_was_acknowledged() -> None:
    tally = FaultTally()
    for seed, durability, steps in histories(600):
        run_faults(steps, seed, tally, durability=durability, share=0.5)
        if tally.faults > 100:
            break

    assert tally.violations == []
    assert tally.resumed > 10
    assert tally.poisoned > 10


SYNCS = [
    # kind, file or directory, the function that asks for it, its callers; seed of a history that
    # tells, and its durability.
    ("sync", "wal/", "Journal._sync < Journal.append < Committer._lead", 100, "full"),
    ("sync", "wal/", "Journal._sync < Journal.sync < Journal.switch", 101, "normal"),
    ("sync", "wal/", "WalFile.create < create_store", 100, "full"),
    ("sync", "wal/", "WalFile.create < switch_wal < Journal._switch", 100, "full"),
    ("sync", "wal/", "WalFile.create < switch_wal < recover", 100, "full"),
    ("sync", "wal/", "leave_store", 101, "normal"),
    # A creation is followed by a recovery, which writes CURRENT once more: both are left out.
    ("sync", "CURRENT", "create_current < create_store|write_current < recover", 100, "full"),
    ("sync", "CURRENT", "write_current < switch_wal < Journal._switch", 100, "full"),
    ("sync", "CURRENT", "write_current < switch_wal < recover", 100, "full"),
    ("sync", "manifest/", "write_manifest < create_store", 100, "full"),
    ("sync_directory", "wal", "WalFile.create < create_store", 100, "full"),
    ("sync_directory", "wal", "WalFile.create < switch_wal < Journal._switch", 100, "full"),
    ("sync_directory", "wal", "WalFile.create < switch_wal < recover", 100, "full"),
    ("sync_directory", "manifest", "write_manifest < create_store", 100, "full"),
    ("sync_directory", "", "create_store", 100, "full"),
    ("sync_directory", "..", "create_store", 100, "full"),
]


_NO_ENGINE = ("lithograph.tools.", "lithograph.files.")


def _callers() -> str:
    """Return the engine's functions that led to a sync, innermost first."""
    names = []
    frame = sys._getframe(2)
    while frame.f_back is not None:
        module = frame.f_globals["__name__"]
        if module.startswith("lithograph.") and not module.startswith(_NO_ENGINE):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return " < ".join(names)


@pytest.mark.parametrize(("kind", "name", "callers", "seed", "durability"), SYNCS)
def test_a_sync_that_is_left_out_is_noticed(
    kind: str, name: str, callers: str, seed: int, durability: str
) -> None:
    """The disk says yes to this one sync and does nothing; the harness must find what that
    breaks."""
    asked = 0

    def ignores(found_kind: str, found_name: str) -> bool:
        nonlocal asked
        same_name = found_name.startswith(name) if kind == "sync" else found_name == name
        found = _callers()
        ignored = found_kind == kind and same_name and any(x in found for x in callers.split("|"))
        asked += ignored
        return ignored

    tally = Tally()
    for number, _, steps in histories(seed):
        run_history(steps, number, tally, durability=durability, ignores_sync=ignores)
        if tally.violations or number > seed + 4:
            break

    assert asked > 0
    assert tally.violations != []


@pytest.mark.parametrize("lies", [False, True], ids=["sound", "lying"])
def test_what_is_served_hangs_on_no_slot_that_was_never_synced(lies: bool) -> None:
    """A recovery dies after writing its slot of CURRENT and before syncing it; a second process
    serves what that slot names; then the power goes. Found by cutting the power after recovery."""
    machine = Machine(SimulatedDisk(), 7, "off")
    machine.open()
    machine.commit(lambda graph: graph.put_node("Ada"))
    machine.kill()

    def die(kind: str, name: str) -> None:
        if (kind, name) == ("sync", "CURRENT"):
            machine.kill()

    machine.disk.on_operation = die
    with pytest.raises(ProcessKilled):
        machine.open()
    survivor = machine.disk.after_process_death()
    if lies:
        survivor.ignores_sync = lambda kind, name: "write_current < recover" in _callers()
    second = Machine(survivor, 8)
    served = second.open().sequence
    sequences = {
        Machine(state, 9).open().sequence for state in survivor.crash_states(random.Random(1), 50)
    }

    assert served == 1
    assert sequences == ({0, 1} if lies else {1})
