"""segtool import edges: files of lines, in stretches and batches of any size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.tools.importers import edge_file
from lithograph.tools.segtool import main

TEXT = """\
# nodes and edges
a\tb
b c T
% end of the comments

a b
alone
c a
"""


def imported(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    """Return exit code, answer and standard error of an import."""
    code = main(["import", "edges", *map(str, arguments), "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, err


def edges_of(store: Path) -> list[tuple[str, str, str]]:
    with lithograph.open(store, mode="r") as graph:
        return sorted((edge.source, edge.type, edge.target) for edge in graph.edges())


@pytest.mark.parametrize("stretch", [3, 16, 1 << 20])
@pytest.mark.parametrize("lines_max", [1, 3, 65_536])
def test_every_line_is_taken_wherever_it_is_cut(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stretch: int,
    lines_max: int,
) -> None:
    monkeypatch.setattr(edge_file, "_STRETCH", stretch)
    monkeypatch.setattr(edge_file, "_LINES_MAX", lines_max)
    file, store = tmp_path / "edges.txt", tmp_path / "g"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())

    code, answer, err = imported(capsys, file, "--store", store, "--type", "knows")
    again = imported(capsys, file, "--store", store, "--type", "knows")[1]

    assert code == 1
    assert "1 line set aside" in err
    assert edges_of(store) == [("a", "knows", "b"), ("b", "T", "c"), ("c", "knows", "a")]
    assert answer["more"] == {"lines": 8, "comments": 3, "repeated": 1}
    assert (answer["edges"], answer["edges_made"], answer["nodes_made"]) == (4, 3, 3)
    assert (answer["missing_ends"], answer["written"], answer["rejected"]) == (3, 6, 1)
    assert (again["written"], again["commits"], again["more"]["repeated"]) == (0, 0, 4)
    line = json.loads((tmp_path / "edges.txt.rejects").read_text())
    assert (line["line"], line["text"]) == (7, "alone")
    assert "one column" in line["reason"]


def test_strict_writes_nothing_where_a_line_is_no_edge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = tmp_path / "edges.txt", tmp_path / "g"
    file.write_text(TEXT)
    code, answer, err = imported(capsys, file, "--store", store, "--strict")
    assert (code, answer["refused"], answer["rejected"], store.exists()) == (1, True, 1, False)
    assert "nothing was written" in err

    file.write_text(TEXT.replace("alone\n", ""))
    code, answer, _ = imported(capsys, file, "--store", store, "--strict")

    assert (code, answer["edges_made"]) == (0, 3)


def test_a_delimiter_is_taken_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = tmp_path / "edges.csv", tmp_path / "g"
    file.write_text("a b, c,T\nx\ty,z\n,z\n")
    code, answer, _ = imported(capsys, file, "--store", store, "--delimiter", ",")
    tabs = tmp_path / "tabs"
    file.write_text("a b\tc d\n")
    imported(capsys, file, "--store", tabs, "--delimiter", "\\t")

    assert (code, answer["rejected"]) == (1, 1)
    assert edges_of(store) == [("a b", "T", " c"), ("x\ty", "", "z")]
    assert edges_of(tabs) == [("a b", "", "c d")]


def test_a_line_that_no_names_can_fill_is_passed_over_in_bounded_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, store = tmp_path / "edges.txt", tmp_path / "g"
    with file.open("wb") as writing:
        writing.write(b"a b\n")
        for _ in range(40):
            writing.write(b"x" * (1 << 20))
        writing.write(b" y\nc d\n" + b"z" * 70_000 + b" \x1b\n" + b"q" * 300_000)
    code, answer, _ = imported(capsys, file, "--store", store)

    rejects = [json.loads(line) for line in Path(f"{file}.rejects").read_text().splitlines()]
    assert (code, answer["edges"], answer["more"]["lines"]) == (1, 2, 5)
    assert [each["line"] for each in rejects] == [2, 4, 5]
    assert "longer" in rejects[0]["reason"]
    assert "65,535" in rejects[1]["reason"]
    assert edges_of(store) == [("a", "", "b"), ("c", "", "d")]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--delimiter", "ab"], "delimiter"),
        (["--delimiter", "ü"], "delimiter"),
        (["--type", "x" * 70_000], "--type"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    (tmp_path / "edges.txt").write_text("a b\n")
    code, _, err = imported(capsys, tmp_path / "edges.txt", "--store", tmp_path / "g", *arguments)

    assert (code, (tmp_path / "g").exists()) == (2, False)
    assert what in err


def test_a_file_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = imported(capsys, tmp_path / "none.txt", "--store", tmp_path / "g")

    assert (code, (tmp_path / "g").exists()) == (5, False)
    assert "none.txt" in err


def test_an_interrupted_import_leaves_whole_commits(tmp_path: Path) -> None:
    """Each line of a commit has a twin in the same commit: both are there, or neither."""
    file, store = tmp_path / "edges.txt", tmp_path / "g"
    with file.open("w") as writing:
        for number in range(140_000):
            # Sixteen bytes: a stretch, and so a commit, never ends between the two.
            writing.write(f"n{number // 2:09} {'even' if number % 2 else 'oddd'}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "lithograph.tools.segtool", "import", "edges", str(file)],
        env={**os.environ, "LITHOGRAPH_STORE": str(store)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(store.glob("wal/*.wal")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]

    assert process.returncode in (0, 130)
    assert process.returncode == 0 or "interrupted" in err
    with lithograph.open(store) as graph:
        assert graph.verify() == []
        if graph.edge_count:
            assert graph.degree("oddd", "in") == graph.degree("even", "in")
