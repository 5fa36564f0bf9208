"""segtool compact: what it merges, what it would, and what it drops."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lithograph
from lithograph.tools.commands.compact import CompactAnswer
from lithograph.tools.segtool import main


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two segments and two runs, and one commit that is in the log only."""
    path = tmp_path / "store"
    with lithograph.open(path) as graph:
        for number in range(20):
            graph.put_node(f"node {number % 5}", observations=[f"seen {number}"])
        graph.put_node("gone", observations=["secret words"])
        graph.checkpoint()
        graph.delete_node("gone")
        graph.checkpoint()
        graph.put_node("late")
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> CompactAnswer:
    assert main(["compact", *words, "--json"]) == 0
    return msgspec.json.decode(capsys.readouterr().out, type=CompactAnswer)


def contents(path: Path) -> dict[str, bytes]:
    found = {str(file.relative_to(path)): file for file in path.rglob("*.*") if file.is_file()}
    return {name: file.read_bytes() for name, file in found.items() if "locks" not in name}


def test_a_dry_run_names_its_inputs_and_writes_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(store)
    answer = run(capsys, "--store", str(store), "--dry-run")

    sealed = {name: data for name, data in before.items() if name.endswith(("seg", "his", "run"))}
    assert answer.dry_run
    assert set(answer.files) == set(sealed)
    assert answer.bytes_in == sum(map(len, sealed.values()))
    assert 0 < answer.bytes_out <= answer.bytes_in
    assert answer.log_commit_count == 1
    assert contents(store) == before


def test_everything_becomes_one_segment_and_one_run(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, "--store", str(store))

    names = [name for name in contents(store) if name.endswith((".seg", ".run"))]
    assert (len(names), answer.file_count_in, answer.floor) == (2, 5, None)
    assert run(capsys, "--store", str(store)).file_count_in == 0
    assert run(capsys, "--store", str(store), "--dry-run").files == []


def test_what_stays_as_it_is_is_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One segment is compressed; the only run stays, and no moment is told that nothing reaches."""
    path = tmp_path / "store"
    with lithograph.open(path) as graph:
        graph.put_node("only", observations=["words " * 100])
        graph.checkpoint()
    before = contents(path)
    planned = run(capsys, "--store", str(path), "--dry-run")
    answer = run(capsys, "--store", str(path))
    after = contents(path)
    [segment] = [name for name in before if name.endswith(".seg")]
    [merged] = [name for name in after if name.endswith(".seg")]

    assert planned.file_count_in == answer.file_count_in == 1
    assert planned.bytes_in == answer.bytes_in == len(before[segment])
    assert answer.bytes_out == len(after[merged])
    assert main(["compact", "--store", str(path)]) == 0
    assert "floor" not in capsys.readouterr().out


def test_what_was_superseded_is_dropped(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    planned = run(
        capsys, "--store", str(store), "--dry-run", "--drop-history-before", now.isoformat()
    )
    answer = run(capsys, "--store", str(store), "--drop-history-before", now.isoformat())

    assert planned.floor is not None
    assert answer.floor is not None
    assert planned.floor <= answer.floor <= now
    with lithograph.open(store, mode="r") as graph:
        assert graph.stats().history_version_count == 0
        with pytest.raises(lithograph.NodeNotFoundError):
            list(graph.history("gone"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--drop-history-before", "2999-01-01"], 2, "in the future"),
        (["--drop-history-before", "17"], 2, "is no time"),
        (["--drop-history-before", "soon"], 2, "neither a time"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_wrong_usage(
    store: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert main(["compact", "--store", str(store), *words]) == code
    assert message in capsys.readouterr().err


def test_rows_in_a_pipe_are_figures_and_files(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compact", "--store", str(store), "--dry-run"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    figures: dict[str, Any] = dict(row for row in rows if row[0] != "file")
    assert figures["dry_run"] == "yes"
    assert len([row for row in rows if row[0] == "file"]) == int(figures["file_count_in"])


def test_lines_of_json_hold_the_same_as_json(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["compact", "--store", str(store), "--dry-run", "--json"])
    whole = json.loads(capsys.readouterr().out)
    main(["compact", "--store", str(store), "--dry-run", "--ndjson"])

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [whole]
