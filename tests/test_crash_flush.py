"""Flushes and merges that meet another process, or the end of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from lithograph import CorruptionError
from lithograph.maintenance.compaction import major_compaction
from lithograph.tools.testing.leftovers import leftovers
from lithograph.tools.testing.machine import Machine, Setup, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import ProcessKilled


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def two_machines() -> tuple[Machine, Machine]:
    """Return two processes on one store, which holds two segments and two runs."""
    disk, setup = SimulatedDisk(), Setup(open_file_count_max=1)
    first, second = Machine(disk, 1, setup), Machine(disk, 2, setup)
    first.open()
    for name in ("a", "b"):
        first.commit(lambda graph, name=name: graph.put_node(name))  # type: ignore[misc]
        first.checkpoint()
    second.open()
    return first, second


@pytest.mark.parametrize("which", [0, 1], ids=["segments", "runs"])
def test_a_merge_keeps_its_inputs_until_it_has_opened_them(which: int) -> None:
    """Between plan and first step another process may have merged them, and removes what no pin
    holds; found by killing processes that merge."""
    first, second = two_machines()
    merge = major_compaction(first.live._engine.store)[which]
    second.compact()
    # A commit takes in what the other published, and with that lets go of what it read before.
    first.commit(lambda graph: graph.put_node("c"))
    first.live._engine.journal.hold.update()
    second.commit(lambda graph: graph.put_node("d"))
    second.compact()
    for _ in merge.steps:
        """Its inputs are gone from the newest manifest: the output is given up."""

    assert [node.name for node in first.live.nodes()] == ["a", "b", "c", "d"]
    assert first.live.verify(deep=True) == []
    second.close()
    first.close()
    third = Machine(first.disk, 3)
    assert third.open().node_count == 4
    assert leftovers(third.disk.process()) == []


def test_a_process_that_dies_while_another_lives_leaves_its_files_to_who_is_alone() -> None:
    """They may be work in progress, as far as anybody else can tell."""
    first, second = two_machines()
    first.commit(lambda graph: graph.put_node("c"))

    def die(kind: str, name: str) -> None:
        if (kind, name) == ("sync_directory", "names"):
            first.kill()

    first.disk.on_operation = die
    with pytest.raises(ProcessKilled):
        first.checkpoint()
    first.disk.on_operation = None
    second.commit(lambda graph: graph.put_node("d"))
    second.compact()
    assert [wrong.split()[-1] for wrong in leftovers(second.disk.process())] == ["behind"] * 2

    held = contents_of(second.live)
    second.kill()
    third = Machine(second.disk, 3)
    assert contents_of(third.open()) == held
    assert leftovers(third.disk.process()) == []


def test_one_process_publishes_and_dies_before_the_map_says_so() -> None:
    """The next writer finds the generation in CURRENT, and nobody's commits are lost."""
    first, second = two_machines()
    first.commit(lambda graph: graph.put_node("c"))
    synced = False

    def die(kind: str, name: str) -> None:
        nonlocal synced
        if synced and (kind, name) == ("write", "shared.map"):
            first.kill()
        synced = (kind, name) == ("sync", "CURRENT")

    first.disk.on_operation = die
    # The first such moment is the switch to a new log, which the second process adopts.
    with pytest.raises(ProcessKilled):
        first.checkpoint()
    first.disk.on_operation = None
    second.commit(lambda graph: graph.put_node("d"))
    second.checkpoint()
    second.compact()

    assert [node.name for node in second.live.nodes()] == ["a", "b", "c", "d"]
    assert second.live.verify(deep=True) == []
    second.kill()
    third = Machine(second.disk, 3)
    assert third.open().node_count == 4
    assert leftovers(third.disk.process()) == []


def test_a_missing_file_keeps_what_is_not_named_from_being_removed() -> None:
    """It may stand under another name, for who repairs the store."""
    first, second = two_machines()
    second.close()
    first.close()
    files = first.disk.process()
    [first_segment, _] = [
        f"partitions/{partition}/{name}"
        for partition in files.entries("partitions")
        for name in files.entries(f"partitions/{partition}")
    ]
    data = files.open(first_segment).read_at(0, 2**20)
    astray = first_segment.rpartition("/")[0] + "/00009999.seg"
    files.create(astray).write_at(0, data)
    files.unlink(first_segment)
    third = Machine(first.disk, 3)
    with pytest.raises(CorruptionError):
        third.open()

    assert files.exists(astray)
