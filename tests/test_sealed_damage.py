"""Damaged runs, segments and histories: what needs them fails, all else goes on, none is touched.

The store has two partitions, each with a segment and a history, and two runs. `old…` stands in the
older one only, `new…` in the newer one.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lithograph import CorruptionError, StorageError
from lithograph.environment import Environment
from lithograph.files import Files, OsFiles
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning
from lithograph.tools.testing.child_process import ChildError, ChildProcess
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles

DAY_US = 86_400_000_000
BEGIN_US = 1_795_219_200_000_000  # 2026-11-21 00:00 UTC
OLDER = "2026-11-21"
SOUND = bytes(range(16))


def _as_it_is(files: Files) -> Files:
    return files


class Store:
    """A store with a clock of its own, opened without a thread unless told otherwise."""

    def __init__(self, path: Path, now_us: int = BEGIN_US + 2 * DAY_US) -> None:
        self.path = path
        self.now_us = now_us
        self.uuid: bytes | None = None

    def _environment(self) -> Environment:
        if self.uuid is None:
            return Environment(clock_us=self._clock)
        uuid = self.uuid
        return Environment(clock_us=self._clock, new_uuid=lambda: uuid)

    def _clock(self) -> int:
        self.now_us += 1000
        return self.now_us

    def open(self, wrap: Callable[[Files], Files] = _as_it_is, **tuning: object) -> Graph:
        options = Options(
            partition="day",
            tuning=Tuning(**{"background": False, "compaction": False, **tuning}),  # type: ignore[arg-type]
        )
        files = wrap(OsFiles.create_root(str(self.path)))
        engine = open_engine(files, self._environment(), options)
        return Graph(engine, writable=True)

    def file(self, pattern: str) -> Path:
        """Return the oldest file that a pattern stands for."""
        return min(self.path.glob(pattern))


def fill(path: Path, uuid: bytes = SOUND, text: str = "x") -> None:
    """Make the store of the module's docstring."""
    store = Store(path, BEGIN_US)
    store.uuid = uuid
    graph = store.open()
    for part in ("old", "new"):
        for number in range(20) if text == "x" else reversed(range(20)):
            graph.put_node(f"{part}{number}", type=part, observations=[text * 100])
            graph.put_edge(f"{part}{number}", "to", f"{part}0", create_missing=True)
        graph.put_node(f"{part}1", type="changed")
        graph.checkpoint()
        store.now_us += 2 * DAY_US
    graph._engine.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "store"
    fill(path)
    return path


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another store of the same history; beside it "stale": the same store, of another history.

    Numbers and sizes of the files are the same in both, and as in the sound one.
    """
    path = tmp_path_factory.mktemp("foreign") / "store"
    fill(path, bytes(range(100, 116)))
    fill(path.with_name("stale"), text="y")
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Store:
    shutil.copytree(sound, tmp_path / "store")
    return Store(tmp_path / "store")


KINDS = {
    "run": "names/*.run",
    "segment": f"partitions/{OLDER}/*.seg",
    "history": f"partitions/{OLDER}/*.his",
}
"""The older file of each kind; the newer partition and run stay healthy."""


def truncate(file: Path, foreign: Path) -> None:
    os.truncate(file, file.stat().st_size - 100)


def cut_to_nothing(file: Path, foreign: Path) -> None:
    os.truncate(file, 0)


def extend(file: Path, foreign: Path) -> None:
    with file.open("ab") as end:
        end.write(b"\0" * 512)


def remove(file: Path, foreign: Path) -> None:
    file.unlink()


def swap(file: Path, foreign: Path) -> None:
    """Exchange it with the newer one of its kind."""
    other = sorted(file.parents[2 if file.suffix != ".run" else 1].rglob(f"*{file.suffix}"))[-1]
    assert other != file
    kept = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def replace_by_foreign(file: Path, foreign: Path) -> None:
    root = file.parents[1 if file.suffix == ".run" else 2]
    other = foreign / file.relative_to(root)
    assert other.stat().st_size == file.stat().st_size
    shutil.copy(other, file)


def rename(file: Path, foreign: Path) -> None:
    file.rename(file.with_name("00009999" + file.suffix))


def put_link(file: Path, foreign: Path) -> None:
    kept = file.with_name("kept")
    file.rename(kept)
    file.symlink_to(kept)


def put_pipe(file: Path, foreign: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def put_directory(file: Path, foreign: Path) -> None:
    file.unlink()
    file.mkdir()


def zero_sectors(file: Path, foreign: Path) -> None:
    """Every sector behind the header's, up to the footer's: what is needed lies among them."""
    size = file.stat().st_size
    with file.open("r+b") as data:
        data.seek(512 if size > 1024 else 64)
        data.write(b"\0" * (size - data.tell() - 400))


def replace_by_stale(file: Path, foreign: Path) -> None:
    """Put in its place what the same store would hold had it gone another way from a backup on."""
    root = file.parents[1 if file.suffix == ".run" else 2]
    other = foreign.with_name("stale") / file.relative_to(root)
    assert other.stat().st_size == file.stat().st_size
    assert other.read_bytes()[:64] == file.read_bytes()[:64]
    assert other.read_bytes() != file.read_bytes()
    shutil.copy(other, file)


DAMAGE: dict[Callable[[Path, Path], None], str] = {
    truncate: "the manifest names a file of",
    cut_to_nothing: "the manifest names a file of",
    extend: "the manifest names a file of",
    remove: "the file is missing",
    rename: "the file is missing",
    swap: "the manifest names a file of|file number",
    replace_by_foreign: "belongs to store",
    replace_by_stale: "footer",
    put_link: "not a regular file",
    put_pipe: "not a regular file",
    put_directory: "not a regular file",
    zero_sectors: "xxh64|footer",
}
"""With what the error says."""
NEEDED_BY: dict[str, list[Callable[[Graph], object]]] = {
    "run": [
        lambda graph: graph.get_node("old5"),
        lambda graph: graph.put_edge("old5", "again", "new5"),
        lambda graph: list(graph.nodes()),
    ],
    "segment": [
        lambda graph: graph.get_node("old5"),
        lambda graph: graph.neighbors("old5"),
        lambda graph: list(graph.edges()),
        lambda graph: graph.as_of(5).get_node("old0"),
        lambda graph: graph.delete_node("old5"),
    ],
    "history": [
        # Superseded within the slice of the older segment.
        lambda graph: graph.as_of(5).get_node("old1"),
        lambda graph: list(graph.history("old1")),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_fails_what_needs_it_and_nothing_else(
    store: Store, foreign: Path, kind: str, damage: Callable[[Path, Path], None]
) -> None:
    file = store.file(KINDS[kind])
    damage(file, foreign)
    before = _bytes_of(file)
    graph = store.open()
    for call in [*NEEDED_BY[kind], Graph.compact]:
        with pytest.raises(CorruptionError, match=DAMAGE[damage]) as caught:
            call(graph)
        assert caught.value.path == str(file) or damage is swap
        assert 0 <= caught.value.offset <= max(file.stat().st_size if file.exists() else 0, 10_000)
    if damage is not swap:
        use_the_healthy_part(graph)
    graph.checkpoint()
    found = {finding.path for finding in graph.verify(deep=True)}
    graph._engine.close()

    assert str(file) in found
    assert _bytes_of(file) == before


def _bytes_of(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def use_the_healthy_part(graph: Graph) -> None:
    """Read and write what the newer partition holds, and what none does."""
    assert graph.node("new1").type == "changed"
    assert graph.neighbors("new7") == ["new0"]
    assert graph.degree("new0", "in") == 20
    graph.put_edge("new7", "again", "new8", properties={"n": 1})
    graph.put_node("new9", observations=["y"])
    assert graph.neighbors("new7") == ["new0", "new8"]
    assert graph.node_count == 40


@pytest.mark.parametrize("kind", KINDS)
def test_background_merges_leave_a_damaged_file_and_go_on_behind_it(
    store: Store, foreign: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without end, they would try the merge that cannot be, and nothing else would be merged."""
    file = store.file(KINDS[kind])
    truncate(file, foreign)
    damaged = file.read_bytes()
    graph = store.open(background=True, compaction=True, memtable_size_bytes_max=2000)
    for number in range(150):
        graph.put_node(f"new{number % 20}", type=str(number))
        if number % 3 == 0:
            graph.checkpoint()
    caretaker = graph._engine.caretaker
    deadline = time.monotonic() + 20
    while caretaker._compaction_wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    stats = graph.stats()
    failures = [record for record in caplog.records if str(file) in record.getMessage()]
    graph._engine.close()

    # Runs merge from the newest on: the old one is not needed for that.
    assert (0 if kind == "run" else 1) <= len(failures) <= 8
    assert stats.segment_count <= 34
    assert stats.run_count <= 16
    assert file.read_bytes() == damaged


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_under_an_open_store_is_an_error_and_no_signal(
    store: Store, kind: str
) -> None:
    """A page behind the end of a mapped file kills whoever touches it; the size is looked at."""
    file = store.file(KINDS[kind])
    with ChildProcess(store.path) as child:
        child.run("g = lithograph.open(path, partition='day')")
        child.run("list(g.nodes()), list(g.edges()), list(g.history('old1'))")
        for size in (100, 0):
            os.truncate(file, size)
            with pytest.raises(ChildError) as caught:
                child.run("list(g.nodes()), list(g.edges()), list(g.history('old1'))")
            assert caught.value.kind == "TruncatedError"
        assert child.run("g.node('new1').type") == "changed"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_medium_fails_what_reads_there_once(store: Store, kind: str) -> None:
    """EIO is not damage: nothing is remembered of it, and the next read may be answered."""
    name = str(store.file(KINDS[kind]).relative_to(store.path))
    plan = FaultPlan(Fault(["read", "map"], errno.EIO, names=name, is_sticky=True))
    graph = store.open(wrap=lambda files: FaultyFiles(files, plan))
    for call in NEEDED_BY[kind]:
        with pytest.raises(StorageError) as caught:
            call(graph)
        assert caught.value.__cause__.errno == errno.EIO  # type: ignore[union-attr]
    assert graph.node("new1").type == "changed"
    plan.faults.clear()
    for call in NEEDED_BY[kind]:
        call(graph)

    assert graph.verify(deep=True) == []
    graph._engine.close()
