"""A power cut, a death or an interruption at any step of a purge leaves all of it or nothing."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from lithograph.graph.graph import Graph
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.leftovers import leftovers
from lithograph.tools.testing.machine import Contents, Machine, Setup, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk

SECRET = "to be erased"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def fill(machine: Machine) -> None:
    machine.open()
    for number in range(6):
        name = f"n{number}"

        def write(graph: Graph, name: str = name) -> None:
            with graph.transaction() as tx:
                tx.put_node(name, observations=["x" * 300])
                tx.put_node(SECRET, observations=[f"secret of {name}"])
                tx.put_edge(SECRET, "to", name)
                tx.put_edge(name, "of", SECRET, key=name)

        machine.commit(write)
        if number % 2:
            machine.checkpoint()


def all_bytes(disk: SimulatedDisk) -> bytes:
    files = disk.process()
    found = b""
    for directory in ("names", "partitions", "wal", "manifest"):
        found += _bytes_below(files, directory)
    return found


def _bytes_below(files: object, directory: str) -> bytes:
    found = b""
    for entry in files.entries(directory):  # type: ignore[attr-defined]
        path = f"{directory}/{entry}"
        if "." not in entry:
            found += _bytes_below(files, path)
            continue
        file = files.open(path)  # type: ignore[attr-defined]
        found += file.read_at(0, file.size())
        file.close()
    return found


def without(contents: Contents) -> Contents:
    nodes, edges = contents
    return (
        tuple(node for node in nodes if node[0] != SECRET),  # type: ignore[attr-defined]
        tuple(e for e in edges if SECRET not in (e[0], e[2])),  # type: ignore[attr-defined]
    )


def judge(state: SimulatedDisk, machine: Machine, before: Contents) -> bool:
    """Open what a crash left; return whether the node is erased. Any mixture raises."""
    survivor = Machine(state, machine.seed + 1, machine.setup)
    graph = survivor.open()
    assert graph.verify(deep=True) == []
    now = contents_of(graph)
    assert now in (before, without(before))
    with graph.as_of(6) as then:
        past = contents_of(then)
    assert past in (before, without(before))
    erased = past != before
    if erased:
        assert now == without(before)
    assert leftovers(survivor.disk.process()) == []
    # It can be done again, and leaves nothing then.
    assert graph.purge(SECRET).node_count == (0 if erased else 1)
    assert graph.verify(deep=True) == []
    survivor.close()
    assert SECRET.encode() not in all_bytes(state)
    return erased


def test_a_crash_leaves_all_of_a_node_or_nothing() -> None:
    setup = Setup(memtable_size_max=10**6, wal_size_max=10**6)
    disk = SimulatedDisk()
    machine = Machine(disk, 7, setup)
    fill(machine)
    before = contents_of(machine.live)
    rng = random.Random(3)
    seen: set[Image] = set()
    outcomes: list[bool] = []

    def cut(kind: str, name: str) -> None:
        for state in disk.crash_states(rng, 1, seen=seen):
            outcomes.append(judge(state, machine, before))
        if rng.random() < 0.05:
            outcomes.append(judge(disk.after_process_death(), machine, before))

    disk.on_operation = cut
    machine.live.purge(SECRET)
    disk.on_operation = None

    assert len(outcomes) > 40
    assert True in outcomes
    assert False in outcomes
    assert SECRET.encode() not in all_bytes(disk)


def test_an_interruption_leaves_a_sound_store() -> None:
    for step in range(1, 300, 9):
        disk = SimulatedDisk()
        machine = Machine(disk, 7, Setup(memtable_size_max=10**6, wal_size_max=10**6))
        fill(machine)
        before = contents_of(machine.live)
        start = disk.operation_count

        def interrupt(
            kind: str, name: str, disk: SimulatedDisk = disk, at: int = start + step
        ) -> None:
            if disk.operation_count == at:
                raise KeyboardInterrupt

        disk.on_operation = interrupt
        try:
            machine.live.purge(SECRET)
        except KeyboardInterrupt:
            disk.on_operation = None
            machine.kill()
            judge(disk.after_process_death(), machine, before)
        else:
            return
    raise AssertionError("no purge came to its end")
