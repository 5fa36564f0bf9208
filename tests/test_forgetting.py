"""Dropping the past: what was superseded before a moment is in no file any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lithograph
from lithograph import Graph, InvalidArgumentError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import Engine
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning
from lithograph.tools.testing.machine import contents_of

HOUR = timedelta(hours=1)


class Store:
    """A store whose clock only the test moves."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self.graph = self.open()

    def open(self) -> Graph:
        files = OsFiles.create_root(str(self.path))
        prepare_locks(files)
        tuning = Tuning(background=False, compaction=False, close_wal_bytes_max=2**30)
        options = Options(durability="off", tuning=tuning)
        self.engine = Engine(files, Environment(clock_us=self._clock), options)
        return Graph(self.engine, writable=True)

    def _clock(self) -> int:
        return int(self.now.timestamp()) * 10**6

    def raw(self) -> bytes:
        """Return the bytes of every file of the store, one after the other."""
        return b"".join(file.read_bytes() for file in sorted(self.path.rglob("*.*")))

    def contents_at(self, time: datetime) -> object:
        with self.graph.as_of(time) as then:
            return contents_of(then)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.engine.close()


def fill(store: Store) -> list[datetime]:
    """Do one commit an hour; return when each was done."""
    graph = store.graph
    times = []
    for write in (
        lambda: graph.put_node("stays", observations=["first words"]),
        lambda: graph.put_node("goes early", type="T"),
        lambda: graph.put_edge("stays", "to", "goes early", properties={"n": 1}),
        lambda: graph.put_node("stays", observations=["second words"]),
        lambda: graph.delete_node("goes early"),
        graph.checkpoint,
        lambda: graph.put_node("goes late"),
        lambda: graph.put_node("stays", observations=["third words"]),
        graph.checkpoint,
        lambda: graph.delete_node("goes late"),
    ):
        store.now += HOUR
        write()
        times.append(store.now)
    return times


def test_the_past_before_a_moment_is_gone_and_the_rest_is_as_it_was(store: Store) -> None:
    times = fill(store)
    kept = {time: store.contents_at(time) for time in times[6:]}
    assert b"goes early" in store.raw()

    store.graph.compact(drop_history_before=times[6])

    with pytest.raises(InvalidArgumentError, match="the floor"):
        store.graph.as_of(times[4])
    assert {time: store.contents_at(time) for time in times[6:]} == kept
    assert store.graph.stats().floor_time == times[6]
    assert store.graph.verify(deep=True) == []
    assert b"goes early" not in store.raw()
    assert len(list(store.graph.history("stays"))) == 2


def test_one_file_that_holds_all_gives_up_its_past_too(store: Store) -> None:
    times = fill(store)
    store.graph.compact()
    assert store.graph.stats().history_version_count > 0

    store.graph.compact(drop_history_before=store.now)

    assert store.graph.stats().history_version_count == 0
    assert store.graph.stats().run_name_count == 1
    assert store.graph.stats().floor_time == times[-1]
    assert store.graph.verify(deep=True) == []


def test_a_snapshot_keeps_what_it_sees(store: Store) -> None:
    times = fill(store)
    with store.graph.as_of(times[3]) as then:
        seen = contents_of(then)
        store.graph.compact(drop_history_before=store.now)
        assert contents_of(then) == seen
        assert store.graph.stats().floor_time == times[3]
    store.graph.compact(drop_history_before=store.now)

    assert store.graph.stats().floor_time == times[-1]


def test_dropping_twice_writes_nothing_the_second_time(store: Store) -> None:
    times = fill(store)
    store.graph.compact(drop_history_before=times[7])
    generation = store.graph.stats().generation
    moved: list[tuple[int, int]] = []
    store.graph.compact(
        lambda done, total: moved.append((done, total)), drop_history_before=times[6]
    )

    assert store.graph.stats().generation == generation
    assert moved == []


def test_progress_is_told_of_what_was_dropped(store: Store) -> None:
    fill(store)
    moved: list[tuple[int, int]] = []
    store.graph.compact(
        lambda done, total: moved.append((done, total)), drop_history_before=store.now
    )

    assert moved
    assert moved[-1][0] == moved[-1][1] > 0


def test_an_empty_store_has_no_past(store: Store) -> None:
    store.graph.compact(drop_history_before=store.now)

    assert store.graph.stats().floor_time is None


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (datetime(2030, 1, 1, tzinfo=UTC), "in the future"),
        (datetime(2025, 1, 1), "without a time zone"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(
    store: Store, moment: datetime, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        store.graph.compact(drop_history_before=moment)


def test_a_store_opened_anew_keeps_its_floor(store: Store) -> None:
    times = fill(store)
    store.graph.compact(drop_history_before=times[6])
    store.engine.close()

    with lithograph.open(store.path) as graph:
        assert graph.stats().floor_time == times[6]
        with pytest.raises(InvalidArgumentError):
            graph.as_of(times[0])
