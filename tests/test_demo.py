"""The demo on a small source tree; and that it would notice if a promise were broken."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lithograph
from lithograph.tools.demo import main
from lithograph.tools.demo_crash import Killing, judge, was_killed
from lithograph.tools.demo_store import MARKER, NotOursError, open_fresh

SOURCES = {
    "posixpath.py": "def join(a, *p):\n    return a\n",
    "json/__init__.py": "def dumps(value):\n    return ''\n",
    "app.py": "import json\ndef save(x):\n    json.dumps(x)\ndef close():\n    save(1)\n",
    "paths.py": "import os.path\n"
    + "".join(f"def at_{n}():\n    os.path.join('a')\n" for n in range(12)),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "src"


def run_demo(store: Path, tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lithograph.tools.demo", "--store", str(store)]
    return subprocess.run([*command, "--source", tree], capture_output=True, text=True, timeout=60)


def test_the_demo_keeps_its_word_twice(tmp_path: Path, tree: Path) -> None:
    store = tmp_path / "demo.graph"
    first, second = run_demo(store, tree), run_demo(store, tree)

    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        out = done.stdout
        assert "4 files in" in out
        assert re.search(r"\d nodes/s", out)
        assert re.search(r"Who calls posixpath.join\?\n  paths.at_0\n", out)
        assert "… and 2 more: 12 callers in " in out
        assert re.search(r"hop 1: +1  app.save\n  hop 2: +1  app.close\n  hop 3: +0\n", out)
        told = re.search(r"process \d+ acknowledged (\d+) commits .* SIGKILL", out)
        assert told is not None
        assert f"every acknowledged commit is there: 1 to {told[1]}\n" in out
        assert out.count("  ok  ") == 4
        assert re.search(r"checkpoint in .* the log is empty", out)
        assert re.search(r"\n  segments +1 file +\d", out)
        assert re.search(r"\n  name index +1 file +\d", out)
        assert re.search(r"\d nodes and \d+ edges in .* ms: 0 versions .* 0 of the files", out)
        assert re.search(r"segtool dump partitions/[^/]+/\d+.seg ", out)
        assert "opened again in " in out
        assert f"export LITHOGRAPH_STORE={store}\n" in out
        assert "\x1b" not in out
    with lithograph.open(store, mode="r") as graph:
        assert graph.verify() == []
        assert graph.neighbors("json.dumps", "in", "calls") == ["app.save"]


def test_a_demo_without_what_it_asks_for_fails(tmp_path: Path, tree: Path) -> None:
    (tree / "posixpath.py").unlink()
    (tree / "paths.py").unlink()
    done = run_demo(tmp_path / "demo.graph", tree)

    assert done.returncode == 1
    assert done.stderr == "demo: posixpath.join is not among what was read\n"


# What is in the way -------------------------------------------------------------------------------


def test_an_earlier_demo_is_removed(tmp_path: Path) -> None:
    store = tmp_path / "demo.graph"
    with open_fresh(str(store)) as graph:
        graph.put_node("left over")
    with open_fresh(str(store)) as graph:
        assert [node.name for node in graph.nodes()] == [MARKER]


def test_an_empty_store_is_used(tmp_path: Path) -> None:
    store = tmp_path / "demo.graph"
    lithograph.open(store).close()
    with open_fresh(str(store)) as graph:
        assert MARKER in graph


def entries(path: Path) -> dict[str, bytes]:
    files = (each for each in path.rglob("*") if each.is_file() and "locks" not in each.parts)
    return {str(each): each.read_bytes() for each in files}


@pytest.mark.parametrize("what", ["store", "directory", "file", "link", "stranger", "damaged"])
def test_what_the_demo_did_not_make_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    path = tmp_path / "mine"
    if what == "directory":
        path.mkdir()
        (path / "thesis.txt").write_text("years of work")
    elif what == "file":
        path.write_text("years of work")
    elif what == "store":
        with lithograph.open(path) as graph:
            graph.put_node("years of work")
    else:
        open_fresh(str(path)).close()
        if what == "stranger":
            (path / "thesis.txt").write_text("years of work")
        elif what == "damaged":
            (path / "CURRENT").write_bytes(b"\1" * 8192)
        else:
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
    before = entries(tmp_path)
    with pytest.raises(NotOursError, match="mine"):
        open_fresh(str(path))

    assert entries(tmp_path) == before
    assert main(["--store", str(path), "--source", "/nowhere"]) == 5
    assert capsys.readouterr().err.startswith("demo: ")


# The judge ----------------------------------------------------------------------------------------


def killing(acknowledged: int) -> Killing:
    return Killing(1, acknowledged, signal.SIGKILL, 1.0, "")


@pytest.fixture
def killed(tmp_path: Path) -> lithograph.Graph:
    """What a child that committed 1 to 5 leaves behind."""
    graph = lithograph.open(tmp_path / "killed.graph")
    for number in range(1, 6):
        a, b = (f"crash test {number:06} {end}" for end in "ab")
        with graph.transaction() as tx:
            tx.put_node(a, properties={"number": number})
            tx.put_node(b, properties={"number": number})
            tx.put_edge(a, "pair", b, properties={"number": number})
    return graph


@pytest.mark.parametrize("acknowledged", [5, 4])
def test_all_commits_and_one_under_way_are_right(
    killed: lithograph.Graph, acknowledged: int
) -> None:
    with killed:
        assert judge(killed, killing(acknowledged)) == (5, [])


def test_a_lost_commit_is_noticed(killed: lithograph.Graph) -> None:
    with killed:
        assert judge(killed, killing(6))[1] == ["6 commits were acknowledged, 5 are there"]


def test_commits_nobody_asked_for_are_noticed(killed: lithograph.Graph) -> None:
    with killed:
        assert judge(killed, killing(3))[1] == ["5 commits are there, only 3 were acknowledged"]


def test_a_gap_is_noticed(killed: lithograph.Graph) -> None:
    with killed:
        for end in "ab":
            killed.delete_node(f"crash test 000003 {end}")
        assert any("are not 1 to 4" in each for each in judge(killed, killing(4))[1])


@pytest.mark.parametrize("part", ["node", "edge", "property"])
def test_half_a_commit_is_noticed(killed: lithograph.Graph, part: str) -> None:
    first, second = "crash test 000005 a", "crash test 000005 b"
    with killed:
        if part == "node":
            killed.delete_node(second)
        elif part == "edge":
            killed.delete_edge(first, "pair", second)
        else:
            killed.put_edge(first, "pair", second, properties=None)
        wrong = judge(killed, killing(4))[1]
        # A node alone makes the names odd; the rest is told by the commit's number.
        assert wrong != []
        assert ("commit 5 is not whole" in wrong) == (part != "node")


def test_a_child_that_was_not_killed_is_noticed() -> None:
    assert was_killed(killing(1))
    assert not was_killed(killing(0))
    assert not was_killed(Killing(1, 9, 0, 1.0, "it ended"))
    assert not was_killed(Killing(1, 9, -1, 1.0, "it failed"))
