"""A disk that is really full (a small tmpfs), and files that may not grow (RLIMIT_FSIZE).

The commit fails and says why, nothing of it is visible, what was acknowledged stays, and the same
handle goes on as soon as there is room.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lithograph
from lithograph import FailedStateError, StorageError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning
from lithograph.tools.testing.child_process import ChildError, ChildProcess
from lithograph.tools.testing.leftovers import leftovers

DISK_SIZE = 1 << 20
BIG = ["x" * 300_000]


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 1 MiB of its own."""
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("mounting a small file system needs root")
    where = Path(tempfile.mkdtemp(prefix="lithograph-disk-"))
    options = ["-t", "tmpfs", "-o", f"size={DISK_SIZE}", "lithograph-test", str(where)]
    if subprocess.run([mount, *options], capture_output=True).returncode != 0:
        where.rmdir()
        pytest.skip("this machine does not let us mount a file system")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
        where.rmdir()


def fill(disk: Path) -> Path:
    """Leave no room on the disk; return the file to remove for some."""
    filler = disk / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        size = DISK_SIZE
        while size:
            try:
                os.write(fd, b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
    finally:
        os.close(fd)
    return filler


def assert_no_room(action: Callable[[], object]) -> None:
    with pytest.raises(StorageError) as caught:
        action()
    assert not isinstance(caught.value, FailedStateError)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC


def test_a_commit_on_a_full_disk_fails_alone_and_the_handle_heals(disk: Path) -> None:
    path = disk / "full.graph"
    with lithograph.open(path) as g, ChildProcess(path) as child:
        g.put_node("kept", observations=["x" * 5000])
        child.run("g = lithograph.open(path, mode='r')")
        filler = fill(disk)
        logs = {log.name: log.stat().st_size for log in (path / "wal").iterdir()}
        for _ in range(3):
            assert_no_room(lambda: g.put_node("lost", observations=BIG))
            assert_no_room(lambda: g.add_observations("kept", BIG))
            assert ("lost" in g, g.sequence, g.node_count, g.verify()) == (False, 1, 1, [])
        assert len(g.node("kept").observations) == 1
        # Taken back, or the next handle would find a tail and the disk would stay full.
        for log in (path / "wal").iterdir():
            assert log.stat().st_size <= logs[log.name]
        assert child.run("'lost' in g, g.sequence, g.verify()") == (False, 1, [])
        filler.unlink()

        g.put_node("healed", observations=BIG)
        assert child.run("'healed' in g, g.sequence") == (True, 2)
        assert (g.sequence, g.verify()) == (2, [])
    with lithograph.open(path) as g:
        assert [node.name for node in g.nodes()] == ["healed", "kept"]


def test_a_transaction_on_a_full_disk_leaves_nothing_of_it(disk: Path) -> None:
    with lithograph.open(disk / "full.graph") as g:
        g.put_node("kept")
        filler = fill(disk)
        tx = g.transaction()
        for number in range(50):
            tx.put_edge(
                "kept", "T", f"n{number}", properties={"k": "x" * 5000}, create_missing=True
            )
        assert_no_room(tx.commit)
        assert (tx.sequence, g.node_count, g.edge_count, list(g.edges())) == (None, 1, 0, [])
        filler.unlink()

        with g.transaction() as tx:
            tx.put_edge("kept", "T", "n0", create_missing=True)
        assert (tx.sequence, g.node_count, g.edge_count) == (2, 2, 1)


def test_small_commits_until_the_disk_is_full_are_all_kept(disk: Path) -> None:
    path = disk / "full.graph"
    acknowledged = 0
    with lithograph.open(path, durability="normal") as g:
        try:
            while True:
                g.put_node(str(acknowledged), observations=["x" * 3000])
                acknowledged += 1
        except StorageError:
            assert acknowledged > 200
        assert (g.sequence, g.node_count) == (acknowledged, acknowledged)
        shutil.copytree(path, disk.with_suffix(".copy"))
    try:
        with lithograph.open(disk.with_suffix(".copy")) as g:
            assert (g.node_count, g.verify()) == (acknowledged, [])
    finally:
        shutil.rmtree(disk.with_suffix(".copy"))
    with lithograph.open(path, mode="r") as g:
        assert (g.node_count, g.verify()) == (acknowledged, [])


def test_a_new_log_on_a_full_disk_waits_for_room(disk: Path) -> None:
    path = disk / "full.graph"
    with lithograph.open(path, durability="normal") as g:  # A log without room to give back.
        g.put_node("kept")
        filler = fill(disk)
        for _ in range(5):
            assert_no_room(g.checkpoint)
        assert ("kept" in g, g.sequence, g.verify()) == (True, 1, [])
        filler.unlink()

        g.put_node("healed")
        g.checkpoint()
        g.put_node("after")
        assert (g.sequence, g.verify()) == (3, [])
    with lithograph.open(path, mode="r") as g:
        assert (g.node_count, g.verify()) == (3, [])


def test_logs_that_never_counted_do_not_pile_up(disk: Path) -> None:
    path = disk / "full.graph"
    with lithograph.open(path, durability="normal") as g:  # A log without room to give back.
        g.put_node("kept")
        before = len(list((path / "wal").iterdir()))
        filler = fill(disk)
        for _ in range(5):
            assert_no_room(g.checkpoint)
        assert len(list((path / "wal").iterdir())) <= before + 1
        filler.unlink()


def test_a_full_disk_can_be_read_and_creates_nothing(disk: Path) -> None:
    path = disk / "full.graph"
    with lithograph.open(path) as g:
        g.put_node("kept")
    filler = fill(disk)
    for mode in ("r", "w"):
        with lithograph.open(path, mode=mode) as g:
            assert ("kept" in g, g.verify()) == (True, [])
    assert_no_room(lambda: lithograph.open(disk / "second.graph"))
    filler.unlink()
    with lithograph.open(disk / "second.graph", mode="x") as g:
        g.put_node("a")


def opened(path: Path, *, background: bool, memtable_size_max: int = 2**20) -> Graph:
    """Open a store whose memtable takes little, and whose logs have no room to give back."""
    tuning = Tuning(
        background=background, compaction=background, memtable_size_bytes_max=memtable_size_max
    )
    files = OsFiles.create_root(str(path))
    return Graph(
        open_engine(files, Environment(), Options(durability="normal", tuning=tuning)),
        writable=True,
    )


def unnamed(graph: Graph) -> list[str]:
    return leftovers(graph._engine.files)


def test_a_flush_on_a_full_disk_leaves_nothing_and_is_done_when_there_is_room(disk: Path) -> None:
    path = disk / "full.graph"
    graph = opened(path, background=False)
    for number in range(40):
        graph.put_node(f"n{number}", observations=["x" * 5000])
    filler = fill(disk)
    for _ in range(3):
        assert_no_room(graph.checkpoint)
        assert (graph.node_count, len(list(graph.nodes())), graph.verify()) == (40, 40, [])
    assert list(path.glob("partitions/*/*")) == list(path.glob("names/*")) == []
    filler.unlink()

    graph.put_node("healed")
    graph.checkpoint()
    assert (graph.node_count, graph.stats().segment_count, graph.verify(deep=True)) == (41, 1, [])
    graph._engine.close()
    graph = opened(path, background=False)
    assert (graph.node_count, unnamed(graph)) == (41, [])
    graph._engine.close()


def commit_until_full(graph: Graph) -> int:
    """Return how many commits were acknowledged."""
    for number in range(1000):
        try:
            graph.put_node(f"n{number}", observations=["x" * 5000])
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
                return number
            raise
    raise AssertionError("the disk takes everything")


@pytest.mark.parametrize("background", [False, True], ids=["inline", "thread"])
def test_commits_wait_for_room_to_flush_and_go_on_by_themselves(
    disk: Path, background: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Memory does not grow without bound: when a second memtable is full, commits fail."""
    path = disk / "full.graph"
    graph = opened(path, background=background, memtable_size_max=50_000)
    graph.put_node("first")
    filler = fill(disk)
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - 300_000)
    acknowledged = commit_until_full(graph)
    assert graph.stats().memtable_size_bytes + graph.stats().frozen_size_bytes < 150_000
    assert {node.name for node in graph.nodes()} == {
        "first",
        *(f"n{i}" for i in range(acknowledged)),
    }
    # The thread waits for somebody to ask again; it does not try on and on.
    graph._engine.caretaker._want_compaction()
    time.sleep(0.2)
    assert caplog.text.count("flush or compaction failed") < 10
    assert not (background and graph._engine.caretaker._compaction_wanted)
    filler.unlink()

    graph.put_node("healed")
    graph.checkpoint()
    assert (graph.node_count, graph.verify(deep=True)) == (acknowledged + 2, [])
    graph._engine.close()
    graph = opened(path, background=False)
    assert (graph.node_count, unnamed(graph)) == (acknowledged + 2, [])
    graph._engine.close()


def test_a_merge_without_room_says_so_first_and_is_done_when_there_is_room(disk: Path) -> None:
    path = disk / "full.graph"
    graph = opened(path, background=False)
    rng = random.Random(1)
    for _ in range(2):
        for number in range(20):
            graph.put_node(f"n{number}", observations=[rng.randbytes(3000).hex()])
        graph.checkpoint()
    before = sorted(path.glob("*/*/*"))
    filler = fill(disk)
    with pytest.raises(StorageError, match=r"needs .* bytes"):
        graph.compact()
    # Enough by what the disk says at first, not by what is left when it comes to writing.
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - 60_000))
    graph._engine.files.free_bytes = lambda: 2**40  # type: ignore[method-assign]
    assert_no_room(graph.compact)
    assert sorted(path.glob("*/*/*")) == before
    assert (graph.node_count, graph.verify(deep=True)) == (20, [])
    filler.unlink()

    graph.compact()
    assert (graph.stats().segment_count, graph.stats().run_count) == (1, 1)
    assert graph.verify(deep=True) == []
    graph._engine.close()
    graph = opened(path, background=False)
    assert (graph.node_count, unnamed(graph)) == (20, [])
    graph._engine.close()


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path, durability: str) -> None:
    """RLIMIT_FSIZE gives a short write first: the part that fits, then EFBIG."""
    path = tmp_path / "limited.graph"
    with ChildProcess(path) as child:
        child.run("signal.signal(signal.SIGXFSZ, signal.SIG_IGN)")
        child.run(f"g = lithograph.open(path, durability='{durability}')")
        child.run("g.put_node('kept')")
        child.run("resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))")
        for _ in range(2):
            with pytest.raises(ChildError) as caught:
                child.run("g.put_node('lost', observations=['x' * 30_000])")
            assert caught.value.kind == "StorageError"
            assert child.run("'lost' in g, g.sequence, g.verify()") == (False, 1, [])
        child.run("g.put_node('small')")
        child.run("resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)")
        child.run("g.put_node('healed', observations=['x' * 30_000])")
        assert child.run("g.sequence, g.verify()") == (3, [])
        child.kill()
    with lithograph.open(path) as g:
        assert [node.name for node in g.nodes()] == ["healed", "kept", "small"]
