"""The simulated disk against the whole engine: nothing acknowledged is lost, and every sync
counts."""

from __future__ import annotations

import logging
import random
import re
import sys
from collections.abc import Iterator

import pytest

from lithograph.kernel import quick
from lithograph.tools.testing.crash_harness import Tally, run_history
from lithograph.tools.testing.crash_histories import Step, histories
from lithograph.tools.testing.fault_harness import READING, WRITING, FaultTally, run_faults
from lithograph.tools.testing.machine import Machine, Setup
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
    for seed, setup, steps in histories(500):
        run_history(steps, seed, tally, setup, states_per_operation=2)
        if tally.states > 1000:
            break

    assert tally.violations == []
    assert tally.nested > tally.states // 2
    assert tally.deaths > 10
    assert tally.resumed > 10


@pytest.mark.parametrize(("kinds", "share"), [(WRITING, 0.2), (READING, 0.08)])
def test_no_io_error_takes_back_what_was_acknowledged(kinds: tuple[str, ...], share: float) -> None:
    tally = FaultTally()
    for seed, setup, steps in histories(600):
        run_faults(steps, seed, tally, setup, share=share, kinds=kinds)
        if tally.faults > 80:
            break

    assert tally.violations == []
    assert tally.resumed > 10
    assert tally.poisoned > 10 or kinds == READING


# What is synced: its kind, file or directory; the functions that ask for it, innermost first; the
# durability with which the history tells.
SYNCS = [
    ("sync", "wal/.*", "Journal._sync < Journal.append", "full"),
    # The plain kernel has no way of its own for a single put.
    *[("sync", "wal/.*", "Journal._sync < Journal.append_record", "full")] * (quick is not None),
    ("sync", "wal/.*", "Journal._sync < Journal.sync < Journal.switch < Journal.prepare", "normal"),
    ("sync", "wal/.*", "Journal._sync < Journal.sync < Journal.switch < Journal.freeze", "normal"),
    ("sync", "wal/.*", "WalFile.create < create_store", "full"),
    ("sync", "wal/.*", "WalFile.create < .* < Journal.switch < Journal.prepare", "full"),
    ("sync", "wal/.*", "WalFile.create < .* < Journal.switch < Journal.freeze", "full"),
    ("sync", "wal/.*", "WalFile.create < switch_wal < recover", "full"),
    ("sync", "wal/.*", "leave_store", "normal"),
    # A creation is followed by a recovery, which writes CURRENT once more: both are left out.
    ("sync", "CURRENT", "create_current < create_store|write_current < recover", "full"),
    ("sync", "CURRENT", "write_current < switch_wal < .* < Journal.prepare", "normal"),
    ("sync", "CURRENT", "write_current < switch_wal < .* < Journal.freeze", "full"),
    ("sync", "CURRENT", "write_current < switch_wal < recover", "normal"),
    ("sync", "CURRENT", "write_current < _mark_clean < leave_store", "normal"),
    ("sync", "CURRENT", "publish < _publish", "full"),
    ("sync", "CURRENT", "publish < install", "full"),
    ("sync", "manifest/.*", "write_manifest < create_store", "full"),
    ("sync", "manifest/.*", "publish < _publish", "full"),
    ("sync", "manifest/.*", "publish < install", "full"),
    ("sync", "names/.*", "_write_run < flush", "full"),
    ("sync", "names/.*", "_merge_runs", "full"),
    ("sync", "partitions/.*[.]seg", "make_segment < flush", "full"),
    ("sync", "partitions/.*[.]seg", "make_segment < _merge_segments", "full"),
    ("sync", "partitions/.*[.]his", "make_segment < flush", "full"),
    ("sync", "partitions/.*[.]his", "make_segment < _merge_segments", "full"),
    ("sync_directory", "wal", "WalFile.create < create_store", "full"),
    ("sync_directory", "wal", "WalFile.create < .* < Journal.switch < Journal.prepare", "full"),
    ("sync_directory", "wal", "WalFile.create < .* < Journal.switch < Journal.freeze", "full"),
    ("sync_directory", "wal", "WalFile.create < switch_wal < recover", "full"),
    ("sync_directory", "manifest", "write_manifest < create_store", "full"),
    ("sync_directory", "manifest", "publish < _publish", "full"),
    ("sync_directory", "manifest", "publish < install", "full"),
    ("sync_directory", "names", "sync_directories < flush", "full"),
    ("sync_directory", "names", "sync_directories < install", "full"),
    ("sync_directory", "partitions/.*", "sync_directories < flush", "full"),
    ("sync_directory", "partitions/.*", "sync_directories < install", "full"),
    ("sync_directory", "partitions", "sync_directories < flush", "full"),
    ("sync_directory", "partitions", "sync_directories < install", "full"),
    # That of a merge would not tell: `names` and `partitions` were synced by the flush before it.
    ("sync_directory", "", "sync_directories < flush", "full"),
    ("sync_directory", "", "create_store", "full"),
    ("sync_directory", "", "recover", "full"),
    ("sync_directory", "..", "recover", "full"),
]


def put(name: str, type: str = "") -> Step:
    return lambda machine: machine.commit(lambda graph: graph.put_node(name, type=type))


def reopen(machine: Machine) -> None:
    machine.open()


LEAVING: list[Step] = [reopen, put("a"), Machine.close, reopen, put("b"), Machine.close]
EVERYTHING: list[Step] = [
    reopen,
    put("a"),
    put("a", type="T"),
    Machine.checkpoint,
    # Two months: their merge makes the partition of a quarter.
    lambda machine: machine.jump(days=30),
    put("b"),
    Machine.kill,
    reopen,
    put("a", type="U"),
    put("c"),
    Machine.checkpoint,
    Machine.compact,
    put("d"),
    Machine.close,
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


@pytest.mark.parametrize(("kind", "name", "callers", "durability"), SYNCS)
def test_a_sync_that_is_left_out_is_noticed(
    kind: str, name: str, callers: str, durability: str
) -> None:
    """The disk says yes to this one sync and does nothing; the harness must find what that
    breaks."""
    asked = 0

    def ignores(found_kind: str, found_name: str) -> bool:
        nonlocal asked
        ignored = (
            found_kind == kind
            and re.fullmatch(name, found_name) is not None
            and re.search(rf"\b(?:{callers})\b", _callers()) is not None
        )
        asked += ignored
        return ignored

    tally = Tally()
    steps = LEAVING if "leave_store" in callers else EVERYTHING
    setup = Setup(durability, wal_size_max=250)
    run_history(steps, 1, tally, setup, ignores_sync=ignores)

    assert asked > 0
    assert tally.violations != []


@pytest.mark.parametrize("lies", [False, True], ids=["sound", "lying"])
def test_what_is_served_hangs_on_no_slot_that_was_never_synced(lies: bool) -> None:
    """A recovery dies after writing its slot of CURRENT and before syncing it; a second process
    serves what that slot names; then the power goes. Found by cutting the power after recovery."""
    machine = Machine(SimulatedDisk(), 7, Setup("off"))
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
