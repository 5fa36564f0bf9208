"""Processes that join, leave and die beside each other, on the simulated disk."""

from __future__ import annotations

from typing import Any

import pytest

from lithograph.catalog.manifest_file import read_manifest
from lithograph.tools.testing.machine import Machine, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk


def _two_machines() -> tuple[Machine, Machine]:
    disk = SimulatedDisk()
    return Machine(disk, 1), Machine(disk, 2)


def test_a_commit_between_reading_the_map_and_joining_is_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who joined took the counter after the state it belongs to, and missed what came between:
    it then took a published commit for the tail of a dead writer."""
    first, second = _two_machines()
    graph = first.open()
    graph.put_node("before")

    def read_late(*arguments: Any) -> Any:
        graph.put_node("between")
        return read_manifest(*arguments)

    monkeypatch.setattr("lithograph.maintenance.session.read_manifest", read_late)
    other = second.open()

    assert "between" in other
    logs = other.stats().wal_file_count
    other.put_node("after")
    assert other.stats().wal_file_count == logs
    assert contents_of(graph) == contents_of(other)
    assert graph.verify() == other.verify() == []


def test_a_dead_writers_whole_commit_is_adopted_by_the_next_one() -> None:
    """It died between appending and publishing: the next writer keeps the commit, in a new log."""
    first, second = _two_machines()
    graph, other = first.open(), second.open()
    graph.put_node("a")

    def die(kind: str, name: str) -> None:
        if (kind, name) == ("write", "shared.map"):
            first.kill()

    first.disk.on_operation = die
    with pytest.raises(BaseException, match="was killed"):
        graph.put_node("whole")
    first.disk.on_operation = None

    assert "whole" not in other
    logs = other.stats().wal_file_count
    other.put_node("next")
    assert [node.name for node in other.nodes()] == ["a", "next", "whole"]
    assert other.stats().wal_file_count == logs + 1
    assert other.verify() == []
