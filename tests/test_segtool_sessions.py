"""What people see: commands and their answers on the stored golden store, line by line.

In `golden/sessions/*.txt` a line that starts with "$ " is a command whose answer goes into a pipe,
"tty$ " one on a terminal of 100 columns; below it is what it writes, and "[exit code N]" where that
is not 0. `--rewrite-golden` runs the commands that are there and writes the answers anew.
"""

from __future__ import annotations

import fcntl
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from lithograph.formats.pin import NO_SEQUENCE, PinState
from lithograph.tools.commands import readers
from lithograph.tools.segtool import main
from lithograph.tools.testing.golden_store import StoredStore

GOLDEN: Final = Path(__file__).parent / "golden"
SESSIONS: Final = sorted((GOLDEN / "sessions").glob("*.txt"))
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
WIDTH: Final = 100
PROMPTS: Final = ("$ ", "tty$ ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The golden store, with the pins of a process that lives and of one that is dead."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "golden.graph"
    StoredStore(GOLDEN / "v0" / "store").unpack(path)
    pins = path / "locks/pins"
    pins.mkdir(parents=True)
    alive, dead = pins / "00000000000000aa.pin", pins / "00000000000000dd.pin"
    alive.write_bytes(PinState(3, 14, 4321).encode())
    dead.write_bytes(PinState(2, NO_SEQUENCE, 1234).encode())
    os.utime(alive, (NOW - 90, NOW - 90))
    os.utime(dead, (NOW - 7200, NOW - 7200))
    monkeypatch.setattr(readers, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setenv("LITHOGRAPH_STORE", "golden.graph")
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with alive.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield path


def answer(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a command of a session writes, and its exit code where that is not 0."""
    stream = Terminal() if line.startswith("tty$ ") else io.StringIO()
    words = shlex.split(line.partition("$ ")[2])
    assert words[0] == "segtool"
    errors = io.StringIO()
    with monkeypatch.context() as changed:
        if words == ["segtool", "info"]:
            changed.delenv("LITHOGRAPH_STORE")
        changed.setattr(sys, "stdout", stream)
        changed.setattr(sys, "stderr", errors)
        code = main(words[1:])
    # Bold and dim are no colors: NO_COLOR leaves them.
    text = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue()) + errors.getvalue()
    text = "".join(line.rstrip() + "\n" for line in text.splitlines())
    return masked(text) + (f"[exit code {code}]\n" if code else "")


def masked(text: str) -> str:
    """Return the text without what depends on the kernel and on the machine."""
    text = re.sub(r"^( *seconds\s+)[0-9.]+$", r"\1SECONDS", text, flags=re.MULTILINE)
    text = re.sub(r'(\bkernel\W+|"kernel": ")(compiled|reference)', r"\1KERNEL", text)
    return re.sub(r"(memtable_size_bytes\W+)[0-9]+(,[0-9]{3})*( \([^)]*\))?", r"\1SIZE", text)


@pytest.mark.usefixtures("golden")
@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_a_session_goes_as_it_went(
    session: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    stored = session.read_text("utf-8")
    commands = [line for line in stored.splitlines() if line.startswith(PROMPTS)]
    played = "".join(f"{line}\n{answer(line, monkeypatch)}" for line in commands)
    if request.config.getoption("--rewrite-golden"):
        session.write_text(played, "utf-8")

    assert commands
    assert played == session.read_text("utf-8")
