"""segtool purge: what it erases, what it says of names that are not there, who holds it up."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import lithograph
from lithograph.tools.commands.purge import PurgeAnswer
from lithograph.tools.segtool import main
from lithograph.tools.testing.child_process import ChildProcess


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    with lithograph.open(path) as graph:
        graph.put_node("Ada", observations=["wrote the first program"])
        graph.put_edge("Ada", "knows", "Charles", create_missing=True)
        graph.checkpoint()
        graph.add_observations("Ada", ["and explained it"])
    return path


def raw(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())


def test_a_node_is_erased(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["purge", "Ada", "--store", str(store), "--json"]) == 0
    answer = msgspec.json.decode(capsys.readouterr().out, type=PurgeAnswer)

    assert (answer.name, answer.node_count, answer.waiting) == ("Ada", 1, [])
    assert answer.file_count > 0
    assert b"Ada" not in raw(store)
    assert b"first program" not in raw(store)
    with lithograph.open(store, mode="r") as graph:
        assert [node.name for node in graph.nodes()] == ["Charles"]
        assert graph.verify(deep=True) == []


def test_rows_in_a_pipe_name_what_waits_only_if_it_does(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["purge", "Ada", "--store", str(store)]) == 0
    figures = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]

    assert figures == ["path", "name", "node_count", "file_count"]


def test_a_name_that_never_was_is_absent(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["purge", "nobody", "--store", str(store)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nobody" in captured.err
    with lithograph.open(store, mode="r") as graph:
        assert graph.node("Ada").observations == ("wrote the first program", "and explained it")


def test_a_reader_that_holds_the_files_is_named(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lithograph.open(store), ChildProcess(store) as child:
        # Beside a writer, a reader pins what it reads.
        child.run('graph = lithograph.open(path, mode="r")')
        child.run("snapshot = graph.snapshot()")
        assert child.run('"Ada" in snapshot')
        assert main(["purge", "Ada", "--store", str(store), "--json"]) == 1
        captured = capsys.readouterr()
        answer = msgspec.json.decode(captured.out, type=PurgeAnswer)
        assert child.pid in answer.readers
        assert "segtool checkpoint" in captured.err
        assert b"Ada" in raw(store)
        child.run("graph.close()")
        assert main(["checkpoint", "--store", str(store)]) == 0

    assert b"Ada" not in raw(store)
