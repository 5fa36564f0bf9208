"""segtool as a process: on a real terminal, before a reader that goes away, and interrupted."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lithograph

SEGTOOL = [sys.executable, "-m", "lithograph.tools.segtool"]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More nodes than a pipe holds lines of."""
    path = tmp_path_factory.mktemp("stores") / "large.graph"
    with lithograph.open(path, durability="off") as graph, graph.transaction() as tx:
        for number in range(5_000):
            tx.put_node(f"node {number:05}", type="number", properties={"text": "x" * 50})
    return path


def on_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run a command on a terminal of its own; return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # How Linux says that nobody has the other side open.
                break
            if not piece:
                break
            shown += piece
        code = process.wait()
    os.close(ours)
    return code, shown.decode()


def test_a_terminal_gets_a_table(large: Path) -> None:
    code, shown = on_terminal(
        [*SEGTOOL, "scan", "--limit", "2", "--store", str(large)], {"NO_COLOR": "1"}
    )

    assert code == 0
    assert "───" in shown
    assert "node 00001" in shown
    colors = [part.split("m")[0] for part in shown.split("\x1b[")[1:]]
    # Bold is no color.
    assert set(colors) <= {"0", "1", "2"}


def test_a_terminal_is_told_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none; nowhere"
    code, shown = on_terminal([*SEGTOOL, "info", "--store", str(path)], {})

    assert code == 5
    assert shown == (
        f"segtool: there is no store at {path}; check the path, or make one: segtool import\r\n"
    )


def test_a_reader_that_goes_away_ends_a_scan_quietly(large: Path) -> None:
    with subprocess.Popen(
        [*SEGTOOL, "scan", "--ndjson", "--store", str(large)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"node 00000" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_an_interrupt_ends_a_scan_in_one_line(large: Path) -> None:
    with subprocess.Popen(
        [*SEGTOOL, "scan", "--store", str(large)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        # It waits now, for the pipe is full.
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.stderr.read() == b"segtool: interrupted\n"
        assert process.wait(60) == 130
