"""Copies of a store: whole or refused, whatever happens meanwhile, and independent afterwards."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import lithograph
from lithograph import (
    BackupResult,
    CorruptionError,
    Graph,
    InvalidArgumentError,
    StorageError,
    StoreExistsError,
)
from lithograph.files import Files, OsFiles
from lithograph.graph.engine import open_engine
from lithograph.maintenance.backup import backup_store
from lithograph.options import Options
from lithograph.tools.testing import kill_harness
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.leftovers import leftovers
from lithograph.tools.testing.machine import Machine, Setup, contents_of
from lithograph.tools.testing.simulated_disk import SimulatedDisk

COPY = "copy"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def fill(graph: Graph) -> None:
    """Write a segment with a history, one above it, and commits that are only in the log."""
    with graph.transaction() as tx:
        for number in range(50):
            tx.put_node(f"n{number}", type="number", observations=["x" * number])
        for number in range(1, 50):
            tx.put_edge(f"n{number}", "half", f"n{number // 2}", properties={"n": number})
    graph.put_node("n7", observations=["again"])
    graph.checkpoint()
    graph.delete_node("n9")
    graph.checkpoint()
    graph.put_node("late", type="new")
    graph.put_edge("late", "to", "n1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "store") as graph:
        fill(graph)
        yield graph


def files_in(path: Path) -> dict[str, Path]:
    return {
        file.relative_to(path).as_posix(): file for file in path.rglob("*") if not file.is_dir()
    }


def expect_equal(path: Path, graph: Graph) -> None:
    with lithograph.open(path, mode="r") as copy:
        assert contents_of(copy) == contents_of(graph)
        assert copy.sequence == graph.sequence
        assert copy.verify(deep=True) == []
        with copy.as_of(1) as then, graph.as_of(1) as expected:
            assert contents_of(then) == contents_of(expected)


@pytest.mark.parametrize("link", [True, False])
def test_a_backup_holds_what_the_store_holds(store: Graph, link: bool, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    result = store.backup(tmp_path / "copy", link=link, progress=lambda *step: steps.append(step))

    found = files_in(tmp_path / "copy")
    sealed = [name for name in found if name.endswith((".seg", ".his", ".run"))]
    shared = sum(found[name].stat().st_size for name in sealed) if link else 0
    total = sum(file.stat().st_size for file in found.values())
    assert result == BackupResult(store.sequence, len(found), total, shared)
    expect_equal(tmp_path / "copy", store)
    with lithograph.open(tmp_path / "copy", mode="w") as copy:
        assert leftovers(OsFiles(str(tmp_path / "copy"))) == []
        assert copy.stats().wal_file_count <= 2
    assert len(sealed) == 5
    for name in sealed:
        assert found[name].samefile(tmp_path / "store" / name) is link
    for name in set(found) - set(sealed):
        assert not found[name].exists() or found[name].stat().st_nlink == 1
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1] > sum(found[name].stat().st_size for name in sealed)


def test_an_empty_store_has_a_backup_too(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as graph:
        graph.backup(tmp_path / "copy")

    with lithograph.open(tmp_path / "copy", mode="w") as copy:
        assert (copy.node_count, copy.sequence) == (0, 0)
        copy.put_node("first")
    with lithograph.open(tmp_path / "copy", mode="r") as copy:
        assert copy.verify(deep=True) == []


def test_a_reader_makes_a_backup_and_changes_nothing(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as graph:
        fill(graph)
    before = {name: file.read_bytes() for name, file in files_in(tmp_path / "store").items()}
    with lithograph.open(tmp_path / "store", mode="r") as graph:
        graph.backup(tmp_path / "copy")
        expect_equal(tmp_path / "copy", graph)

    assert {
        name: file.read_bytes() for name, file in files_in(tmp_path / "store").items()
    } == before


def test_store_and_backup_go_separate_ways(store: Graph, tmp_path: Path) -> None:
    store.backup(tmp_path / "copy")
    held = contents_of(store)
    with lithograph.open(tmp_path / "copy") as copy:
        for graph, name in ((store, "here"), (copy, "there")):
            for number in range(5):
                graph.put_node(f"{name}{number}")
            graph.delete_node("n1")
            graph.compact()
            graph.put_edge(f"{name}0", "to", "n2")
        assert "here0" in store
        assert "here0" not in copy
        assert "there0" not in store
        assert store.verify(deep=True) == copy.verify(deep=True) == []
        copy.backup(tmp_path / "second")
        expect_equal(tmp_path / "second", copy)
        with copy.as_of(5) as then, store.as_of(5) as here:
            assert contents_of(then) == contents_of(here) == held


def test_nothing_is_written_where_something_is(store: Graph, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("keep me")
    store.backup(tmp_path / "copy")
    copied = {name: file.read_bytes() for name, file in files_in(tmp_path / "copy").items()}

    with pytest.raises(StoreExistsError, match=r"todo\.txt is there already"):
        store.backup(tmp_path / "notes")
    with pytest.raises(StoreExistsError, match="needs an empty directory"):
        store.backup(tmp_path / "copy")
    with pytest.raises(InvalidArgumentError, match="is in the store that is copied"):
        store.backup(tmp_path / "store" / "backup")
    with pytest.raises(StorageError, match="No such file or directory"):
        store.backup(tmp_path / "missing" / "copy")
    with pytest.raises(InvalidArgumentError, match="directory=3: use a str or a path object"):
        store.backup(3)  # type: ignore[arg-type]

    assert list(files_in(tmp_path / "notes")) == ["todo.txt"]
    assert {name: file.read_bytes() for name, file in files_in(tmp_path / "copy").items()} == copied
    assert not (tmp_path / "store" / "backup").exists()


@pytest.mark.parametrize("ending", ["seg", "his", "run"])
@pytest.mark.parametrize("damage", ["missing", "cut", "symlink", "footer"])
def test_a_damaged_store_has_no_backup(damage: str, ending: str, tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as graph:
        fill(graph)
    [file, *_] = sorted((tmp_path / "store").rglob(f"*.{ending}"))
    data = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "cut":
            os.truncate(file, len(data) - 1)
        case "symlink":
            file.rename(tmp_path / "elsewhere")
            file.symlink_to(tmp_path / "elsewhere")
        case _:
            file.write_bytes(data[:-100] + bytes(100))
    with (
        lithograph.open(tmp_path / "store", mode="r") as graph,
        pytest.raises(CorruptionError) as caught,
    ):
        graph.backup(tmp_path / "copy")

    assert caught.value.path == str(file)
    assert files_in(tmp_path / "copy") == {}


def test_a_block_that_is_damaged_is_found_where_it_is_copied(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as graph:
        fill(graph)
    [file, *_] = sorted((tmp_path / "store").rglob("*.seg"))
    data = bytearray(file.read_bytes())
    data[70] ^= 1
    file.write_bytes(data)
    with lithograph.open(tmp_path / "store", mode="r") as graph:
        with pytest.raises(CorruptionError, match="block 0"):
            graph.backup(tmp_path / "copy", link=False)
        assert files_in(tmp_path / "copy") == {}
        graph.backup(tmp_path / "copy")
    with lithograph.open(tmp_path / "copy", mode="r") as copy:
        assert copy.verify(deep=True) != []


# --- Power cuts, errors and kills


def simulated() -> Machine:
    machine = Machine(SimulatedDisk(), 7, Setup(durability="normal"))
    fill(machine.open())
    return machine


def copied(machine: Machine, state: SimulatedDisk, directory: str) -> object:
    """Return what the copy holds after a power cut, None where it is refused."""
    options = Options(mode="r", tuning=machine.setup.options().tuning)
    try:
        engine = open_engine(state.process(store=directory), machine.environment, options)
    except (CorruptionError, lithograph.StoreNotFoundError):
        return None
    graph = Graph(engine, writable=False)
    try:
        held = contents_of(graph)
    except CorruptionError as error:
        return error  # It was not refused, and does not hold what it should.
    # Of two slots written at once the power may have taken one: the other says it all.
    found = [finding for finding in graph.verify(deep=True) if "/CURRENT" not in finding.path]
    assert found == []
    return held


def cut_everywhere(machine: Machine, *, link: bool, states: int = 5) -> tuple[list[str], int]:
    """Back up with the power cut at each operation; return violations, and how many states.

    states : tried at each operation; at the end eight times as many, up to the first violation.
    """
    disk, rng = machine.disk, random.Random(1)
    target = disk.process(create=True, store=COPY)
    held = contents_of(machine.live)
    violations: list[str] = []
    count = 0

    def judge(kind: str, name: str) -> None:
        nonlocal count
        for state in disk.crash_states(rng, states):
            count += 1
            found = copied(machine, state, COPY) if COPY in state.parent.visible else None
            if found is not None and found != held:
                violations.append(f"before {kind} {name}: holds something else")

    disk.on_operation = judge
    backup_store(machine.live._engine.store, target, link=link)
    disk.on_operation = None
    for state in disk.crash_states(rng, 8 * states):
        if violations:
            break
        count += 1
        if COPY not in state.parent.visible or copied(machine, state, COPY) != held:
            violations.append("after the end: is lost")
    return violations, count


@pytest.mark.parametrize("link", [True, False])
def test_a_power_cut_leaves_a_whole_backup_or_none(link: bool) -> None:
    machine = simulated()

    violations, count = cut_everywhere(machine, link=link)

    assert violations == []
    assert count > 100
    kinds = {kind for kind, name in machine.disk.log if name.startswith(f"{COPY}:")}
    assert ("link" in kinds) is link


SYNCS = [
    ("sync", r"copy:wal/"),
    ("sync", r"copy:manifest/"),
    ("sync", r"copy:CURRENT"),
    ("sync", r"copy:names/"),
    ("sync", r"copy:partitions/"),
    ("sync_directory", r"copy:wal"),
    ("sync_directory", r"copy:manifest"),
    ("sync_directory", r"copy:names"),
    ("sync_directory", r"copy:partitions"),
    ("sync_directory", r"copy:partitions/"),
    ("sync_directory", r"copy:"),
    ("sync_directory", r"copy:.."),
]


@pytest.mark.parametrize(("kind", "name"), SYNCS, ids=[" ".join(sync) for sync in SYNCS])
def test_every_sync_of_a_backup_counts(kind: str, name: str) -> None:
    """The harness sees what a disk loses that lies about one of them."""
    machine = simulated()

    def lies(asked: str, about: str) -> bool:
        return asked == kind and (about.startswith(name) if name.endswith("/") else about == name)

    machine.disk.ignores_sync = lies
    violations, _ = cut_everywhere(machine, link=False, states=1)

    assert violations != []


WRITING = ("create", "write", "truncate", "sync", "sync_directory", "mkdir", "link")


@pytest.mark.parametrize("link", [True, False])
def test_an_error_leaves_no_files_and_the_next_backup_goes_well(link: bool) -> None:
    machine = simulated()
    held, number = contents_of(machine.live), 0
    while True:
        target = machine.disk.process(create=True, store=f"{COPY}{number}")
        plan = FaultPlan(Fault(WRITING, errno.ENOSPC, index=number, landed=7))
        faulty = FaultyFiles(target, plan)
        with contextlib.suppress(StorageError):
            backup_store(machine.live._engine.store, faulty, link=link)
        if plan.failed:
            made = {name for kind, name in plan.calls if kind in ("create", "link")}
            assert not any(map(target.exists, made))
            plan.faults.clear()
            backup_store(machine.live._engine.store, faulty, link=link)
        assert copied(machine, machine.disk, f"{COPY}{number}") == held
        number += 1
        if not plan.failed:
            break

    assert number > 20


def test_a_medium_without_links_gets_copies(store: Graph, tmp_path: Path) -> None:
    class Unlinkable(FaultyFiles):
        def link(self, name: str, source: Files) -> bool:
            return False

    target = Unlinkable(OsFiles.create_root(str(tmp_path / "copy")), FaultPlan())
    backup_store(store._engine.store, target)

    expect_equal(tmp_path / "copy", store)
    assert all(file.stat().st_nlink == 1 for file in files_in(tmp_path / "copy").values())


KILLED = """
    import os, signal, sys
    import lithograph
    left = int(sys.argv[3])
    def report(done, total):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    with lithograph.open(sys.argv[1], mode="r") as graph:
        graph.backup(sys.argv[2], link=sys.argv[4] == "True", progress=report)
"""


@pytest.mark.parametrize("link", [True, False])
def test_a_killed_backup_is_refused_and_can_be_removed(link: bool, tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "store") as graph:
        fill(graph)
        for moment in (0, 4):
            target = tmp_path / f"copy{moment}"
            arguments = [str(tmp_path / "store"), str(target), str(moment), str(link)]
            run = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), *arguments])
            assert run.returncode == -signal.SIGKILL
            assert files_in(target) != {}
            for mode in ("r", "w", "c"):
                with pytest.raises(CorruptionError):
                    lithograph.open(target, mode=mode)
            with pytest.raises(StoreExistsError, match="cut short"):
                graph.backup(target)
        assert graph.verify(deep=True) == []
        graph.compact()
        assert graph.verify(deep=True) == []
        assert leftovers(OsFiles(str(tmp_path / "store"))) == []


WRITER = """
    import sys
    from pathlib import Path
    from lithograph.tools.testing import kill_harness
    with kill_harness.opened(Path(sys.argv[1])) as graph:
        while True:
            print(kill_harness.commit_next(graph), flush=True)
"""


def test_backups_beside_a_writer_hold_whole_commits(tmp_path: Path) -> None:
    """The writer flushes and merges every few commits; each backup is a moment of it."""
    path = tmp_path / "store"
    arguments = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    sequences = []
    acknowledged: list[int] = []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = writer.stdout
        acknowledged.append(int(lines.readline()))
        reader = threading.Thread(target=lambda: acknowledged.extend(map(int, lines)))
        reader.start()
        try:
            for number in range(4):
                copy_path, before = tmp_path / f"copy{number}", acknowledged[-1]
                with lithograph.open(path, mode="rw"[number // 2]) as graph:
                    graph.backup(copy_path, link=number % 2 == 0)
                with lithograph.open(copy_path, mode="r") as copy:
                    sequences.append(copy.sequence)
                assert kill_harness.check(copy_path, before, 10**6) == []
        finally:
            writer.kill()
            reader.join()

    assert sequences == sorted(sequences)
    assert sequences[-1] > sequences[0]
