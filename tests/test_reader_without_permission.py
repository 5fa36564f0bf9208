"""A reader that may write nothing, not even its pin: it reads on while others remove files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lithograph

NOBODY = 65_534
COUNT = 300


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory that everybody may look into; those of the test runner are private."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _write(graph: Any, round_: int) -> None:
    with graph.transaction() as tx:
        for number in range(COUNT):
            tx.put_node(f"n{number}", observations=[f"round {round_}"])
            tx.put_edge(f"n{number}", "next", f"n{(number + 1) % COUNT}", create_missing=True)
    graph.checkpoint()


def _judge(graph: Any, view: Any, round_: int) -> str:
    """Return what is wrong with what a reader sees: of now, and of a snapshot of round 0."""
    for number in range(0, COUNT, 7):
        name = f"n{number}"
        if graph.node(name).observations != (f"round {round_}",):
            return f"{name} is {graph.node(name)}"
        if view.node(name).observations != ("round 0",):
            return f"{name} was {view.node(name)}"
        if graph.neighbors(name) != [f"n{(number + 1) % COUNT}"] or view.degree(name) != 1:
            return f"{name} has other edges"
    return ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without permission")
def test_files_that_went_are_not_missed_by_a_reader_without_a_pin(folder: Path) -> None:
    store = folder / "s.graph"
    with lithograph.open(store) as graph:
        _write(graph, 0)
    for path in (store, *store.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    to_child, from_child = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(to_child[1])
        os.close(from_child[0])
        _read_as_nobody(store, to_child[0], from_child[1])
    answers = os.fdopen(from_child[0])
    os.close(from_child[1])
    os.close(to_child[0])
    try:
        assert answers.readline() == "opened\n"
        with lithograph.open(store) as graph:
            assert list((store / "locks" / "pins").iterdir()) != []
            before = {path.name for path in store.rglob("*.seg")}
            assert before
            for round_ in range(1, 4):
                _write(graph, round_)
                graph.compact()
                assert before.isdisjoint(path.name for path in store.rglob("*.seg"))
                os.write(to_child[1], bytes([round_]))
                assert answers.readline() == "\n"
    finally:
        os.close(to_child[1])
        answers.close()
        assert os.waitpid(child, 0)[1] == 0


def _read_as_nobody(store: Path, commands: int, answers: int) -> None:
    """Be the child: read what is told, answer what was wrong."""
    status = 1
    try:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        graph = lithograph.open(store, mode="r")
        view = graph.snapshot()
        scans = [graph.nodes() for _ in range(3)]
        os.write(answers, b"opened\n")
        while command := os.read(commands, 1):
            wrong = _judge(graph, view, command[0])
            if any(node.observations != ("round 0",) for node in scans.pop()):
                wrong += "an iterator moved"
            os.write(answers, f"{wrong}\n".encode())
        status = 0
    except BaseException as error:  # It may not come back into the test runner.
        os.write(answers, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)
