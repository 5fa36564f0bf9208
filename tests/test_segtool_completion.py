"""Shells complete what the parsers know: bash, zsh and fish, where they are installed."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lithograph.tools.segtool import VERBS, main

DEADLINE_S = 60


def script_for(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "script"
    path.write_text(script_for(shell, capsys), "utf-8")
    text = path.read_text("utf-8")

    assert all(verb in text for verb in VERBS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script was not read by it")
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.wal").touch()
    (tmp_path / "notes.graph").mkdir()
    return tmp_path


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def ask_bash(script: Path, line: str) -> set[str]:
    """Return what bash offers for the last word of a line."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"""
        source {script}
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}
        _shtab_segtool
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return _lines(["bash", "-c", ask], script.parent)


def ask_fish(script: Path, line: str) -> set[str]:
    """Return what fish offers for the last word of a line, without what it says of each."""
    lines = _lines(
        ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], script.parent
    )
    return {offered.split("\t")[0] for offered in lines}


def _lines(command: list[str], folder: Path) -> set[str]:
    environment = os.environ | {"HOME": str(folder)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, env=environment
    )
    return {line.strip() for line in done.stdout.splitlines()} - {""}


@pytest.mark.parametrize(
    ("shell", "ask"),
    [
        pytest.param("bash", ask_bash, marks=needs("bash")),
        pytest.param("fish", ask_fish, marks=needs("fish")),
    ],
)
def test_verbs_options_and_values_are_offered(
    shell: str,
    ask: Callable[[Path, str], set[str]],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = folder / "script"
    script.write_text(script_for(shell, capsys), "utf-8")

    assert ask(script, "segtool neigh") == {"neighbors"}
    assert ask(script, "segtool ls pa") == {"partitions"}
    assert {"csv", "edges", "git", "jsonl"} <= ask(script, "segtool import ")
    assert {"--max-hops", "--direction"} <= ask(script, "segtool path --")
    assert {"out", "in", "both"} <= ask(script, "segtool neighbors X --direction ")
    assert "notes.wal" in ask(script, "segtool dump no")


class Zsh:
    """A zsh at a terminal, in which `segtool` only says what it was called with."""

    def __init__(self, folder: Path) -> None:
        self._end = time.monotonic() + DEADLINE_S
        self._terminal, terminal = pty.openpty()
        self._process = subprocess.Popen(
            ["zsh", "-f", "-i"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=os.environ | {"TERM": "dumb", "HOME": str(folder)},
            start_new_session=True,
        )
        os.close(terminal)
        self._type(
            f"cd {folder}; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; "
            "segtool() { print -r -- GOT\":$*:\" }; print REA''DY\n"
        )
        self._wait(b"READY\r")

    def completed(self, keys: str) -> str:
        """Return the words that come of typed keys, among them tabulators."""
        self._type(keys + "\n")
        said = self._wait(b":\r")
        return said[said.index(b"GOT:") + 4 : -2].decode()

    def close(self) -> None:
        os.close(self._terminal)
        self._process.kill()
        self._process.wait()

    def _type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def _wait(self, mark: bytes) -> bytes:
        """Return what it says up to a mark."""
        said = b""
        while mark not in said:
            left = self._end - time.monotonic()
            assert left > 0, said
            if select.select([self._terminal], [], [], left)[0]:
                said += os.read(self._terminal, 65536)
        return said[: said.index(mark) + len(mark)]


@needs("zsh")
def test_zsh_completes_what_is_typed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "_segtool").write_text(script_for("zsh", capsys), "utf-8")
    zsh = Zsh(folder)
    try:
        for keys, words in {
            "segtool neigh\t": "neighbors",
            "segtool ls pa\t": "ls partitions",
            "segtool import gra\t": "import graphml",
            "segtool neighbors X --dire\tb\t": "neighbors X --direction both",
            "segtool dump notes.w\t": "dump notes.wal",
            "segtool info --st\tnot\t": "info --store notes.graph",
        }.items():
            assert zsh.completed(keys) == words
    finally:
        zsh.close()
