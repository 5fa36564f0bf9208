"""The name index made again from the segments: equal in content, whatever became of the runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.environment import Environment
from lithograph.errors import ChecksumError, CorruptionError, StorageError
from lithograph.formats.file_names import run_name
from lithograph.formats.manifest import Manifest
from lithograph.graph.engine import Engine, open_engine
from lithograph.graph.graph import Graph
from lithograph.ids import ABSENT
from lithograph.maintenance import rebuild
from lithograph.maintenance.rebuild import rebuild_index
from lithograph.options import Options, Tuning
from lithograph.segments.name_sorter import NameSorter
from lithograph.segments.run_merge import versions_above
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import ProcessKilled

Versions = list[tuple[int, int]]
Names = dict[bytes, Versions]

NAMES = ["a", "b", "é", "nul\0nul", "x" * 1500, "x" * 1500 + "y"]
START_US = 1_795_219_200_000_000
HALF_MONTH_US = 15 * 86_400 * 1_000_000


class Store:
    """A store on a simulated disk, in a process that keeps everybody else out."""

    def __init__(self, disk: SimulatedDisk, history: timedelta | None = None) -> None:
        self.disk = disk
        self.history = history
        self.now = START_US
        self.open()

    def open(self, **tuning: Any) -> None:
        options = Options(
            mode="c",
            exclusive=True,
            history=self.history,
            tuning=Tuning(
                **(
                    {"background": False, "compaction": False, "close_wal_bytes_max": 2**30}
                    | tuning
                )
            ),
        )
        files = self.disk.process(create=True)
        self.engine: Engine = open_engine(files, Environment(clock_us=self._clock), options)
        self.graph = Graph(self.engine, writable=True)

    def close(self) -> None:
        self.engine.close()

    def _clock(self) -> int:
        self.now += 1
        return self.now

    @property
    def manifest(self) -> Manifest:
        return self.engine.journal.stack.generation.manifest

    def names(self) -> Names:
        """Return every version of every name in the runs."""
        merged: Names = {}
        for entry in reversed(self.manifest.runs):
            reader = self.engine.shelf.run(entry, self.engine.journal.store_uuid)
            assert list(reader.check()) == []
            for name, versions in reader.scan():
                merged.setdefault(name, []).extend(versions)
        return merged

    def above_floor(self) -> Names:
        """Return what a merge of all runs would leave of these."""
        floor = self.manifest.floor_sequence
        kept = {
            name: versions_above(found, floor, oldest=True) for name, found in self.names().items()
        }
        return {name: versions for name, versions in kept.items() if versions}

    def rebuild(self, chunk_size_max: int = 600) -> None:
        """Rebuild with chunks of two or three names, two of which become one spool."""
        sorter = NameSorter(self.engine.files, chunk_size_max, fan_in=2, spool_memory_max=99)
        for _ in rebuild_index(self.engine.store, sorter):
            pass

    def entries(self, directory: str) -> list[str]:
        return self.engine.files.entries(directory)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(SimulatedDisk())
    yield store
    if not store.engine.closed:
        store.close()


def write(graph: Graph, steps: list[tuple[str, str]]) -> None:
    """Do writes in one commit."""
    with graph.transaction() as tx:
        for verb, name in steps:
            if verb == "delete":
                tx.delete_node(name)
            else:
                tx.put_node(name, type=verb)


def fill(store: Store) -> None:
    """Make, delete and make names again over two flushes, in one commit and in several."""
    write(store.graph, [("put", "a"), ("put", "b"), ("put", "c")])
    write(store.graph, [("delete", "a"), ("put", "a"), ("delete", "b")])
    store.graph.checkpoint()
    write(store.graph, [("delete", "c"), ("put", "b"), ("delete", "a")])
    store.graph.checkpoint()
    write(store.graph, [("put", "only in the log")])


FILLED: Names = {
    b"a": [(3, ABSENT), (2, 3), (2, ABSENT), (1, 0)],
    b"b": [(3, 4), (2, ABSENT), (1, 1)],
    b"c": [(3, ABSENT), (1, 2)],
}

STEPS = st.lists(
    st.one_of(
        st.lists(
            st.tuples(st.sampled_from(["put", "again", "delete"]), st.sampled_from(NAMES)),
            min_size=1,
            max_size=4,
        ),
        st.sampled_from(["flush", "compact", "half a month"]),
    ),
    max_size=25,
)


def play(store: Store, steps: list[Any]) -> None:
    actions: dict[str, Callable[[], None]] = {
        "flush": store.graph.checkpoint,
        "compact": store.graph.compact,
    }
    for step in steps:
        if isinstance(step, list):
            write(store.graph, step)
        elif step in actions:
            actions[step]()
        else:
            store.now += HALF_MONTH_US


@given(STEPS, st.sampled_from([None, timedelta(0), timedelta(days=20)]))
def test_the_index_is_made_again_with_equal_content(
    steps: list[Any], history: timedelta | None
) -> None:
    store = Store(SimulatedDisk(), history)
    play(store, [*steps, "flush"])
    before, segments, counts = store.above_floor(), store.manifest.segments, _counts(store)
    store.rebuild()

    assert store.names() == before
    assert len(store.manifest.runs) == bool(before)
    assert store.manifest.segments == segments
    assert _counts(store) == counts
    # What was replaced is gone, and nothing else is left behind.
    assert store.entries("names") == _named(store.manifest)
    store.close()


def _counts(store: Store) -> tuple[int, list[str]]:
    view = store.engine.view()
    return view.node_count, [node.name for node in store.graph.nodes()]


def _named(manifest: Manifest) -> list[str]:
    return sorted(run_name(run.number).removeprefix("names/") for run in manifest.runs)


def test_deletions_and_names_made_again_have_all_their_versions(store: Store) -> None:
    fill(store)
    assert store.names() == FILLED
    store.rebuild()

    assert store.names() == FILLED
    (run,) = store.manifest.runs
    assert (run.first_sequence, run.last_sequence, run.entry_count) == (1, 3, 3)
    # The log went on behind it.
    assert "only in the log" in store.graph
    assert [node.name for node in store.graph.nodes()] == ["b", "only in the log"]


@pytest.mark.parametrize("what", ["damaged", "missing", "truncated"])
def test_runs_that_cannot_be_read_are_not_needed(store: Store, what: str) -> None:
    fill(store)
    names = [run_name(run.number) for run in store.manifest.runs]
    store.close()
    files = store.disk.process()
    for name in names:
        if what == "missing":
            files.unlink(name)
            continue
        file = files.open(name, writable=True)
        if what == "truncated":
            file.truncate(100)
        else:
            file.write_at(4096 + 20, bytes([file.read_at(4096 + 20, 1)[0] ^ 1]))
    store.open()
    with pytest.raises(CorruptionError):
        store.graph.node("b")
    store.rebuild()

    assert store.names() == FILLED
    assert store.graph.verify() == []
    assert store.entries("names") == _named(store.manifest)
    assert store.graph.node("b").id == 4
    store.graph.put_node("a")
    assert store.graph.node("a").id == 6


def test_a_damaged_segment_stops_it_and_changes_nothing(store: Store) -> None:
    fill(store)
    segment = store.manifest.segments[0]
    store.close()
    name = f"partitions/{segment.partition}/{segment.number:08}.seg"
    file = store.disk.process().open(name, writable=True)
    file.write_at(70, bytes([file.read_at(70, 1)[0] ^ 1]))
    store.open()
    before, manifest = store.entries("names"), store.manifest
    with pytest.raises(ChecksumError, match=name):
        store.rebuild()

    assert store.entries("names") == before
    assert store.manifest == manifest


def test_a_store_without_segments_stays_as_it_is(store: Store) -> None:
    write(store.graph, [("put", "a")])
    generation = store.manifest.generation
    store.rebuild()

    assert store.manifest.generation == generation
    assert store.entries("names") == []
    assert "a" in store.graph


@pytest.mark.parametrize("death", range(0, 33, 3))
def test_dying_on_the_way_leaves_the_old_index_or_the_new(death: int) -> None:
    """At every third operation of it; and what it had made is removed by the next process."""
    store = Store(SimulatedDisk())
    fill(store)
    files, end = store.engine.files, store.disk.operation_count + death

    def die(kind: str, name: str) -> None:
        if store.disk.operation_count >= end:
            files.kill()  # type: ignore[attr-defined]
            raise ProcessKilled

    store.disk.on_operation = die
    try:
        store.rebuild()
    except ProcessKilled:
        pass
    else:
        assert death == 30
    for disk in [
        store.disk.after_process_death(),
        *store.disk.crash_states(random.Random(death), 6),
    ]:
        survivor = Store(disk)
        assert survivor.names() == FILLED
        assert "only in the log" in survivor.graph
        assert survivor.entries("names") == _named(survivor.manifest)
        survivor.close()


def test_a_merge_in_between_is_not_undone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that were merged with newer ones meanwhile stay; the work is given up."""
    fill(store)
    steps = rebuild_index(store.engine.store)
    monkeypatch.setattr(rebuild, "_STEP", 1)
    next(steps)
    store.graph.compact()
    before, manifest = store.names(), store.manifest
    with pytest.raises(StorageError, match="merged while it was made again"):
        list(steps)

    assert store.names() == before
    assert store.manifest == manifest
    assert store.entries("names") == _named(store.manifest)


def test_segments_that_contradict_each_other_are_corruption(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    monkeypatch.setattr(rebuild, "_sequences", lambda slices: ((n, 1, 0) for n in range(5)))
    with pytest.raises(CorruptionError, match="two nodes are named 'a' at commit 1"):
        store.rebuild()
    monkeypatch.setattr(rebuild, "_sequences", lambda slices: iter([(0, 1, 0)]))
    with pytest.raises(CorruptionError, match="node 1 has a name, and no commit made it"):
        store.rebuild()


@given(
    st.lists(
        st.tuples(st.text(max_size=3), st.integers(1, 2**63 - 1), st.integers(ABSENT, 2**48 - 1))
    ),
    st.integers(1, 3_000),
    st.integers(2, 4),
)
def test_a_sorter_gives_back_what_it_took(
    added: list[tuple[str, int, int]], chunk_size_max: int, fan_in: int
) -> None:
    files = SimulatedDisk().process(create=True)
    sorter = NameSorter(files, chunk_size_max, fan_in, spool_memory_max=50)
    expected: dict[bytes, Versions] = {}
    for name, sequence, node_id in added:
        sorter.add(name.encode(), sequence, node_id)
        expected.setdefault(name.encode(), []).append((sequence, node_id))
    found = list(sorter.sorted())
    sorter.close()

    assert [name for name, _ in found] == sorted(expected)
    for key, versions in found:
        assert versions == sorted(expected[key], reverse=True)
    assert files.entries("names") == []
