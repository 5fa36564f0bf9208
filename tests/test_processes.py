"""Several real processes on one store: what they see of each other, and who must wait for whom."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import lithograph
from lithograph import LockedError, kernel
from lithograph.tools.testing.child_process import ChildError, ChildProcess


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared.graph"


@pytest.fixture
def child(path: Path) -> Iterator[ChildProcess]:
    with ChildProcess(path) as process:
        yield process


@contextmanager
def children(path: Path, count: int) -> Iterator[list[ChildProcess]]:
    with ExitStack() as stack:
        yield [stack.enter_context(ChildProcess(path)) for _ in range(count)]


def test_a_reader_sees_each_commit_as_soon_as_it_is_acknowledged(
    path: Path, child: ChildProcess
) -> None:
    with lithograph.open(path, durability="normal") as writer:
        writer.put_node("n0")
        child.run("g = lithograph.open(path, mode='r')")
        child.run("before = g.snapshot()")
        for number in range(1, 30):
            writer.put_edge(f"n{number - 1}", "T", f"n{number}", create_missing=True)
            if number % 10 == 0:
                writer.checkpoint()
            assert child.run("g.sequence, len(g), g.edge_count") == (number + 1, number + 1, number)
            assert child.run(f"g.neighbors('n{number - 1}')") == [f"n{number}"]
        assert child.run("len(before), before.edge_count, len(list(before.nodes()))") == (1, 0, 1)
        assert child.run("g.verify()") == []


def test_a_reader_that_came_before_any_writer_notices_those_that_follow(
    path: Path, child: ChildProcess
) -> None:
    with lithograph.open(path) as g:
        g.put_node("before")
    child.run("g = lithograph.open(path, mode='r')")
    assert child.run("[n.name for n in g.nodes()]") == ["before"]

    for round_number in range(3):
        with lithograph.open(path) as g:
            g.put_node(f"open {round_number}")
            assert child.run(f"'open {round_number}' in g") is True
            g.checkpoint()
            g.put_node(f"switched {round_number}")
            assert child.run("len(g)") == len(g)
        assert child.run("len(g)") == 3 + 2 * round_number
    # A writer that nobody watched while it was there.
    with lithograph.open(path) as g:
        for number in range(5):
            g.put_node(f"late {number}")
            g.checkpoint()
    assert child.run("len(g), g.verify()") == (12, [])


@pytest.mark.parametrize("count", [2, 4])
def test_processes_commit_at_once_and_none_is_lost(path: Path, count: int) -> None:
    commits = 40
    with lithograph.open(path, durability="normal") as g:
        g.put_node("counter", properties={"n": 0})
        with children(path, count) as processes:
            for number, process in enumerate(processes):
                process.run("g = lithograph.open(path, durability='normal')")
                process.run(f"me = '{number}'")
                process.run(
                    "exec('''def add(i):\\n"
                    "    while True:\\n"
                    "        try:\\n"
                    "            with g.transaction() as tx:\\n"
                    '                n = tx.node("counter").properties["n"]\\n'
                    '                tx.put_node("counter", properties={"n": n + 1})\\n'
                    '                tx.put_edge(me, "wrote", f"{me}:{i}", create_missing=True)\\n'
                    "            return\\n"
                    "        except lithograph.ConflictError: pass\\n''')"
                )
            for process in processes:
                process.begin(f"[add(i) for i in range({commits})] and g.close()")
            for process in processes:
                process.result()

        assert g.node("counter").properties == {"n": count * commits}
        assert g.sequence == 1 + count * commits
        assert (g.node_count, g.edge_count) == (1 + count + count * commits, count * commits)
        for number in range(count):
            wanted = [f"{number}:{index}" for index in range(commits)]
            assert sorted(g.neighbors(str(number))) == sorted(wanted)
        assert g.verify() == []
    with lithograph.open(path, mode="r") as g:
        assert g.sequence == 1 + count * commits


def test_blind_writes_of_two_processes_all_arrive(path: Path) -> None:
    with children(path, 2) as processes:
        for process in processes:
            process.run("g = lithograph.open(path, durability='off')")
        for number, process in enumerate(processes):
            process.begin(f"[g.put_node(f'{number}:{{i}}') for i in range(300)] and None")
        for process in processes:
            process.result()
        assert [process.run("len(g), g.sequence") for process in processes] == [(600, 600)] * 2
        ids = processes[0].run("[g.node_id(f'{p}:{i}') for p in (0, 1) for i in range(300)]")
        assert sorted(ids) == list(range(600))


# Locks -----------------------------------------------------------------------------------------


def test_a_held_commit_lock_names_its_holder(path: Path, child: ChildProcess) -> None:
    with lithograph.open(path, lock_timeout=0.2) as g:
        g.put_node("a")
        child.run("lock = open(path + '/locks/commit', 'r+')")
        child.run("fcntl.flock(lock, fcntl.LOCK_EX)")
        start = time.monotonic()
        with pytest.raises(LockedError, match="lock_timeout") as caught:
            g.put_node("b")

        assert time.monotonic() - start >= 0.2
        assert caught.value.pid == child.pid
        assert isinstance(caught.value, TimeoutError)
        assert ("b" in g, g.sequence, g.node_count) == (False, 1, 1)
        child.run("fcntl.flock(lock, fcntl.LOCK_UN)")
        g.put_node("b")
        assert g.sequence == 2


def test_a_writer_waits_for_a_lock_that_comes_free(path: Path, child: ChildProcess) -> None:
    with lithograph.open(path, lock_timeout=30) as g:
        g.put_node("first")
        child.run("lock = open(path + '/locks/commit', 'r+')")
        child.run("fcntl.flock(lock, fcntl.LOCK_EX)")
        child.begin("time.sleep(0.3) or fcntl.flock(lock, fcntl.LOCK_UN)")
        g.put_node("a")
        child.result()
        assert "a" in g


def test_a_stopped_process_keeps_exclusive_others_out(path: Path, child: ChildProcess) -> None:
    child.run("g = lithograph.open(path, exclusive=True)")
    os.kill(child.pid, signal.SIGSTOP)
    try:
        for mode in ("c", "w", "r"):
            with pytest.raises(LockedError) as caught:
                lithograph.open(path, mode=mode, lock_timeout=0.1)
            assert caught.value.pid == child.pid
    finally:
        os.kill(child.pid, signal.SIGCONT)
    child.run("g.put_node('a')")
    child.run("g.close()")
    with lithograph.open(path, exclusive=True, lock_timeout=0) as g:
        assert "a" in g


def test_exclusive_waits_for_readers_and_writers_to_leave(path: Path, child: ChildProcess) -> None:
    for mode in ("c", "r"):
        with lithograph.open(path) as g:
            child.run(f"g = lithograph.open(path, mode='{mode}')")
            g.put_node(mode)
            assert child.run(f"'{mode}' in g") is True
        with pytest.raises(LockedError) as caught:
            lithograph.open(path, exclusive=True, lock_timeout=0.1)
        assert caught.value.pid == child.pid
        child.run("g.close()")
    lithograph.open(path, exclusive=True, lock_timeout=0).close()


@pytest.mark.parametrize("how", ["committing", "exclusive"])
def test_the_locks_of_a_killed_process_are_free_at_once(
    path: Path, child: ChildProcess, how: str
) -> None:
    child.run(f"g = lithograph.open(path, exclusive={how == 'exclusive'})")
    child.run("g.put_node('a')")
    if how == "committing":
        child.run("lock = open(path + '/locks/commit', 'r+')")
        child.run("fcntl.flock(lock, fcntl.LOCK_EX)")
    child.kill()

    with lithograph.open(path, lock_timeout=0) as g:
        g.put_node("b")
        assert (g.node_count, g.verify()) == (2, [])


def test_a_replaced_lock_file_lets_no_second_writer_in(path: Path, child: ChildProcess) -> None:
    """Both processes hold descriptors of the file that is gone; they must meet at the new one."""
    with lithograph.open(path, lock_timeout=0.2) as g:
        g.put_node("a")
        child.run("g = lithograph.open(path, lock_timeout=0.2)")
        child.run("g.put_node('b')")
        for held in (path / "locks" / "commit", path / "locks" / "publish"):
            held.unlink()
            held.touch()
        child.run("lock = open(path + '/locks/commit', 'r+')")
        child.run("fcntl.flock(lock, fcntl.LOCK_EX)")
        with pytest.raises(LockedError):
            g.put_node("c")
        child.run("fcntl.flock(lock, fcntl.LOCK_UN)")
        child.begin("[g.put_node(f'child {i}') for i in range(100)] and None")
        for number in range(100):
            g.put_node(f"parent {number}")
        child.result()
        assert (g.node_count, g.sequence, g.verify()) == (202, 202, [])


def test_a_process_that_exits_without_closing_loses_nothing(
    path: Path, child: ChildProcess
) -> None:
    child.run("g = lithograph.open(path, durability='off')")
    child.run("[g.put_node(str(i)) for i in range(50)] and None")
    with pytest.raises(ChildError, match="EOFError"):
        child.run("os._exit(0)")

    with lithograph.open(path) as g:
        assert (g.node_count, g.verify()) == (50, [])


def test_a_store_opens_with_more_logs_than_a_process_may_open_files(
    path: Path, child: ChildProcess
) -> None:
    child.run("resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))")
    child.run("g = lithograph.open(path)")
    child.run("g.put_node('a')")
    child.run("[g.checkpoint() for _ in range(70)] and None")
    assert child.run("g.verify()") == []
    child.run("g.close()")
    child.run("g = lithograph.open(path)")
    assert child.run("g.node_count") == 1


@pytest.mark.skipif(kernel.quick is None, reason="the plain kernel answers nothing by itself")
def test_a_lone_reader_is_answered_by_the_kernel_until_somebody_writes(tmp_path: Path) -> None:
    """It went the long way for each read, seven times as long, because it holds no lock."""
    path = tmp_path / "g"
    with lithograph.open(path) as g:
        g.put_node("a")
        g.checkpoint()
    with lithograph.open(path, mode="r") as g, ChildProcess(path) as child:
        assert g.node_id("a") == g.node_id("a") == 0
        assert g._engine.reader is not None
        assert g._engine.reader.find("a") == 0
        child.run("g = lithograph.open(path)")
        child.run("g.put_node('b')")
        assert g._engine.reader.find("b") is kernel.UNSURE
        # It joins, takes the news in, and is up to date.
        assert [g.node_id("b") for _ in range(3)] == [1, 1, 1]
        assert g._engine.reader.find("b") == 1
        child.run("g.delete_node('a')")
        child.run("g.close()")
        assert "a" not in g
    assert g._engine.reader.find("b") is kernel.UNSURE
