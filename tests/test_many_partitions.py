"""Thousands of partitions and few descriptors: files are opened when touched, closed when idle."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lithograph.environment import Environment
from lithograph.files import OsFiles, os_file, os_files
from lithograph.graph.engine import Engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.tools.testing.child_process import ChildProcess

DAYS = 2000
EVERY = 250
DESCRIPTORS = 64
START = datetime(2020, 1, 1, tzinfo=UTC)


def no_sync(fd: int, *, data_only: bool = False) -> None:
    """Nothing here is about power cuts."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of a segment for each of 2,000 days, flushed in one go, never merged.

    Every 250th day a node comes, linked to the one before; each day the first node is changed.
    Without merges, a node is looked for in every newer segment: few nodes keep this short.
    """
    path = tmp_path_factory.mktemp("days") / "store"
    days = (int((START + timedelta(days=day)).timestamp()) * 10**6 for day in itertools.count())
    files = OsFiles.create_root(str(path))
    prepare_locks(files)
    tuning = Tuning(background=False, compaction=False, check_outputs=False)
    options = Options(durability="off", partition="day", tuning=tuning)
    with pytest.MonkeyPatch.context() as patched:
        for module in (os_file, os_files):
            patched.setattr(module, "sync", no_sync)
        engine = Engine(files, Environment(clock_us=lambda: next(days)), options)
        graph = Graph(engine, writable=True)
        for day in range(DAYS):
            with graph.transaction() as tx:
                if day % EVERY == 0:
                    tx.put_node(f"day {day:04}", observations=[f"was {day}"])
                    tx.put_edge(f"day {day:04}", "after", f"day {max(0, day - EVERY):04}")
                tx.add_observations("day 0000", [f"day {day}"])
        graph.checkpoint()
        assert len(engine.journal.stack.generation.manifest.segments) == DAYS
        engine.close()
    return path


def test_two_thousand_partitions_with_sixty_four_descriptors(path: Path) -> None:
    with ChildProcess(path) as child:
        child.run(f"resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))")
        child.run("g = lithograph.open(path, mode='r', partition='day')")

        count = DAYS // EVERY
        assert child.run("len(g), g.edge_count") == (count, count)
        for day in (0, EVERY, DAYS // 2, DAYS - EVERY):
            before = max(0, day - EVERY)
            assert child.run(f"g.neighbors('day {day:04}')") == [f"day {before:04}"]
            assert child.run(f"g.names([{day // EVERY}])") == [f"day {day:04}"]
        assert child.run("g.node('day 1500').observations") == ("was 1500",)
        first = child.run("g.node('day 0000').observations")
        assert first == ("was 0", *(f"day {day}" for day in range(DAYS)))
        assert child.run("[node.name for node in g.nodes()]") == [
            f"day {day:04}" for day in range(0, DAYS, EVERY)
        ]
        assert child.run("sum(1 for edge in g.edges())") == count
        assert child.run("g.degree('day 0000', 'in')") == 2
        assert child.run("len(g.as_of(751))") == 4
        assert child.run("len(os.listdir('/proc/self/fd'))") < DESCRIPTORS
        assert child.run("g.verify()") == []
