"""Room at the end of the log: zeros that are no commit, no tail and no loss (SPEC.md, 6.2)."""

from __future__ import annotations

import errno
import logging
import shutil
from pathlib import Path

import pytest

import lithograph
from lithograph import CorruptionError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.wal_header import WAL_START
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.salvage import Salvage
from lithograph.options import Options
from lithograph.tools.testing.child_process import ChildProcess
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.write.wal_file import ROOM_SIZE

LOG = "00000001.wal"


def log_of(path: Path) -> Path:
    """Return the newest log of a store."""
    return max((path / "wal").iterdir())


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A store that was copied under a process that had it open: two durable commits, and room."""
    path = tmp_path / "open.graph"
    with lithograph.open(path) as g:
        g.put_node("a")
        g.put_node("b")
        shutil.copytree(path, tmp_path / "left.graph")
    return tmp_path / "left.graph"


def test_small_durable_commits_share_their_room_and_a_clean_end_cuts_it(tmp_path: Path) -> None:
    path = tmp_path / "g"
    with lithograph.open(path) as g:
        sizes = set()
        for number in range(100):
            g.put_node(f"node {number}")
            sizes.add(log_of(path).stat().st_size)
        end = g.stats().wal_size_bytes
        assert sizes == {WAL_START + ROOM_SIZE}
        assert end < WAL_START + ROOM_SIZE
        assert log_of(path).read_bytes()[end:].count(0) == WAL_START + ROOM_SIZE - end
    assert log_of(path).stat().st_size == end
    with lithograph.open(path, mode="r") as g:
        assert g.node_count == 100
        assert g.verify() == []


def test_more_room_is_made_where_the_first_is_full(tmp_path: Path) -> None:
    path = tmp_path / "g"
    with lithograph.open(path) as g:
        for number in range(20):
            g.put_node(f"node {number}", observations=["x" * 5000])
        assert log_of(path).stat().st_size == WAL_START + 2 * ROOM_SIZE
        end = g.stats().wal_size_bytes
        g.put_node("large", observations=["x" * 100_000])
        grown = g.stats().wal_size_bytes
        assert grown > end + 100_000
        assert log_of(path).stat().st_size == grown  # Of its own size: room is for small ones.
    with lithograph.open(path) as g:
        assert (g.node_count, g.verify()) == (21, [])


@pytest.mark.parametrize("durability", ["normal", "off"])
def test_commits_that_are_not_synced_make_no_room(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "g"
    with lithograph.open(path, durability=durability) as g:
        g.put_node("a")
        assert log_of(path).stat().st_size == g.stats().wal_size_bytes


def test_processes_write_in_one_room(tmp_path: Path) -> None:
    path = tmp_path / "g"
    with lithograph.open(path) as g, ChildProcess(path) as child:
        g.put_node("mine")
        size = log_of(path).stat().st_size
        child.run("g = lithograph.open(path)")
        child.run("g.put_node('theirs')")
        g.put_node("mine too")
        child.kill()
        g.put_node("after it died")
        assert [node.name for node in g.nodes()] == ["after it died", "mine", "mine too", "theirs"]
        assert log_of(path).name == LOG
        assert log_of(path).stat().st_size == size


def test_room_is_no_torn_tail(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The commits are kept; that zeros are behind them is nothing to tell."""
    assert log_of(left).stat().st_size == WAL_START + ROOM_SIZE
    with caplog.at_level(logging.WARNING), lithograph.open(left) as g:
        assert (sorted(node.name for node in g.nodes()), g.verify()) == (["a", "b"], [])
    assert "torn bytes cut: 0" in caplog.text


def test_one_byte_in_the_room_makes_it_a_tail(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    with log_of(left).open("r+b") as log:
        log.seek(-1, 2)
        log.write(b"\1")
    with caplog.at_level(logging.WARNING), lithograph.open(left) as g:
        assert g.node_count == 2
    assert "torn bytes cut: 65" in caplog.text


def test_zeros_where_the_log_was_promised_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "g"
    with lithograph.open(path) as g:
        g.put_node("a")
        before = g.stats().wal_size_bytes
        g.put_node("b")
    data = log_of(path).read_bytes()
    log_of(path).write_bytes(data[:before] + bytes(len(data) - before))
    with pytest.raises(CorruptionError) as caught:
        lithograph.open(path)
    assert (caught.value.offset, caught.value.path) == (before, str(log_of(path)))


def test_salvage_does_not_take_room_for_a_loss(left: Path, tmp_path: Path) -> None:
    """Also where CURRENT, which could have promised more, is lost."""
    (left / "CURRENT").write_bytes(bytes(512))
    salvage = Salvage(OsFiles(str(left)))
    list(salvage.parts())
    salvage.close()
    assert salvage.findings.log_size_bytes == 0
    assert not [damage for damage in salvage.findings.damage if damage.part.startswith("log")]


def test_a_commit_goes_on_where_only_its_room_does_not_fit(tmp_path: Path) -> None:
    plan = FaultPlan()
    options = Options()
    files = FaultyFiles(OsFiles.create_root(str(tmp_path / "g")), plan)
    with Graph(open_engine(files, Environment(), options), writable=True) as g:
        plan.faults.append(Fault({"write"}, errno.ENOSPC, r"wal/.*", landed=100))
        g.put_node("fits")
        assert plan.failed == [("write", f"wal/{LOG}")]
        assert log_of(tmp_path / "g").stat().st_size == g.stats().wal_size_bytes
        g.put_node("has room again")
        assert log_of(tmp_path / "g").stat().st_size > g.stats().wal_size_bytes
    with lithograph.open(tmp_path / "g") as g:
        assert (g.node_count, g.verify()) == (2, [])
