"""A power cut, a death or an interruption at any step of dropping the past: sound, nothing live
lost, and the past there as a whole or gone up to the floor."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lithograph.errors import InvalidArgumentError
from lithograph.graph.graph import Graph
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.leftovers import leftovers
from lithograph.tools.testing.machine import Contents, Machine, Setup, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk

SETUP = Setup(memtable_size_max=10**6, wal_size_max=10**6)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def fill(machine: Machine) -> datetime:
    """Write eight commits over four flushes; return when the sixth was."""
    machine.open()
    times = []
    for number in range(8):

        def write(graph: Graph, number: int = number) -> None:
            with graph.transaction() as tx:
                tx.put_node(f"n{number % 3}", observations=[str(number)])
                tx.put_edge("n0", "to", f"n{number % 3}", properties={"n": number})

        machine.commit(write)
        times.append(datetime.fromtimestamp(machine._clock.now / 10**6, UTC))
        if number % 2:
            machine.checkpoint()
    return times[5]


def judge(state: SimulatedDisk, machine: Machine) -> bool:
    """Open what is left; return whether the past is dropped."""
    survivor = Machine(state, machine.seed + 1, machine.setup)
    graph = survivor.open()
    assert graph.verify(deep=True) == []
    assert contents_of(graph) == machine.contents[machine.published]
    floor = graph.stats().floor_sequence
    for sequence in range(1, machine.published + 1):
        try:
            with graph.as_of(sequence) as then:
                found: Contents = contents_of(then)
        except InvalidArgumentError:
            assert sequence < floor
        else:
            assert found == machine.contents[sequence]
    assert leftovers(survivor.disk.process()) == []
    survivor.close()
    return floor > 0


def test_a_crash_leaves_the_past_whole_or_drops_it() -> None:
    disk = SimulatedDisk()
    machine = Machine(disk, 7, SETUP)
    when = fill(machine)
    rng = random.Random(3)
    seen: set[Image] = set()
    outcomes: list[bool] = []

    def cut(kind: str, name: str) -> None:
        outcomes.extend(judge(state, machine) for state in disk.crash_states(rng, 1, seen=seen))

    disk.on_operation = cut
    machine.live.compact(drop_history_before=when)
    disk.on_operation = None

    assert True in outcomes
    assert False in outcomes


def test_an_interruption_leaves_a_sound_store() -> None:
    for step in range(1, 300, 9):
        disk = SimulatedDisk()
        machine = Machine(disk, 7, SETUP)
        when = fill(machine)
        start = disk.operation_count

        def interrupt(
            kind: str, name: str, disk: SimulatedDisk = disk, at: int = start + step
        ) -> None:
            if disk.operation_count == at:
                raise KeyboardInterrupt

        disk.on_operation = interrupt
        try:
            machine.live.compact(drop_history_before=when)
        except KeyboardInterrupt:
            disk.on_operation = None
            machine.kill()
            judge(disk.after_process_death(), machine)
        else:
            return
    raise AssertionError("it never came to its end")
