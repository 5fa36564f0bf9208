"""The verbs that look: what they count agrees, and nothing in a store can steer a terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.tools.segtool import main

HOSTILE = "\x1b[31mred\x07\u202e\tline\nend\\"
Ask = Callable[..., Any]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits in files, two in the log, and names that want to steer."""
    path = tmp_path / "a.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(20):
                tx.put_node(f"n{number:02}", type="T", properties={"number": number})
            for number in range(1, 20):
                tx.put_edge(f"n{number:02}", "half", f"n{number // 2:02}")
        graph.delete_node("n03")
        graph.checkpoint()
        graph.put_node(HOSTILE, type=HOSTILE, observations=[HOSTILE], properties={HOSTILE: HOSTILE})
        graph.put_edge(HOSTILE, HOSTILE, "n01", key=HOSTILE, properties={HOSTILE: [HOSTILE]})
    monkeypatch.setenv("LITHOGRAPH_STORE", str(path))
    return path


@pytest.fixture
def ask(store: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask for JSON; return the value."""

    def run(*words: object) -> Any:
        assert main([*map(str, words), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize(
    "command",
    [
        ("scan",),
        ("history", HOSTILE),
        ("path", HOSTILE, "n01"),
        ("neighbors", HOSTILE),
        ("get", HOSTILE),
    ],
    ids=lambda command: command[0],
)
def test_no_text_of_a_store_steers_a_terminal(
    store: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for stream, form in (
        (Terminal(), ()),
        (io.StringIO(), ()),
        (io.StringIO(), ("--json",)),
        (io.StringIO(), ("--ndjson",)),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdout", stream)
            assert main([*command, *form]) == 0
        text = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue())

        assert "red" in text
        assert {char for char in text if not char.isprintable()} <= {"\n", "\t"}


def test_errors_of_looking_do_not_steer_a_terminal(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (("history", HOSTILE + "x"), ("path", "n01", HOSTILE), ("get", HOSTILE + "x")):
        assert main([*command]) == 1
        err = capsys.readouterr().err

        assert err.count("\n") == 1
        assert all(char.isprintable() for char in err.rstrip("\n"))


def test_the_files_listed_are_those_counted(ask: Ask, store: Path) -> None:
    stats, files = ask("info"), ask("ls")
    of = {kind: [each for each in files if each["kind"] == kind] for kind in ("segment", "run")}

    assert len(of["segment"]) == stats["segment_count"] > 0
    assert sum(each["size_bytes"] for each in of["segment"]) == stats["segment_size_bytes"]
    assert (
        sum(each["history_size_bytes"] for each in files if "history" in each)
        == (stats["history_size_bytes"])
    )
    assert sum(each["name_count"] for each in of["run"]) == stats["run_name_count"]
    for each in files:
        on_disk = (store / each["file"]).stat().st_size
        assert each["size_bytes"] == on_disk or each["kind"] == "wal"
    (log,) = ask("ls", "wal")
    assert (log["last_sequence"], log["state"]) == (stats["sequence"], "current")
    assert [each["file"] for each in ask("ls", "segments")] == [e["file"] for e in of["segment"]]
    assert [each["file"] for each in ask("ls", "runs")] == [e["file"] for e in of["run"]]


def test_a_partition_sums_up_its_segments(ask: Ask) -> None:
    for partition in ask("ls", "partitions"):
        segments = [
            each for each in ask("ls", "segments") if each["partition"] == partition["partition"]
        ]
        assert len(segments) == partition["segment_count"]
        for figure in ("size_bytes", "history_size_bytes", "entry_count", "version_count"):
            assert sum(each[figure] for each in segments) == partition[figure]
        assert partition["start"] <= segments[0]["first_time"]
        assert segments[-1]["last_time"] < partition["end"]


def test_a_scan_goes_on_where_it_stopped(ask: Ask, store: Path) -> None:
    names: list[str] = []
    while page := ask("scan", "--limit", 6, *(("--after", names[-1]) if names else ())):
        names += [node["name"] for node in page]

    with lithograph.open(store, mode="r") as graph:
        assert names == [node.name for node in graph.nodes()]


def test_a_terminal_is_not_flooded_by_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wide.graph"
    with lithograph.open(path, durability="off") as graph, graph.transaction() as tx:
        for number in range(1_001):
            tx.put_node(f"node {number:04}")
    stream = Terminal()
    with monkeypatch.context() as changed:
        changed.setattr(sys, "stdout", stream)
        assert main(["scan", "--store", str(path)]) == 0

    assert stream.getvalue().count("node ") == 1_000
    assert "the first 1,000; --limit N shows more" in stream.getvalue()


def test_differences_tell_values_apart_that_python_takes_for_equal(ask: Ask, store: Path) -> None:
    with lithograph.open(store) as graph:
        for value in (1, True, 1.0, 1):
            graph.put_node("one", properties={"value": value})
        graph.put_node("one", observations=["a", "a", "b"])
        graph.put_node("one", observations=["b", "a", "c"])
    told = [change["differences"] for change in ask("history", "one")]

    assert told == [
        ['"value": 1'],
        ['"value": true'],
        ['"value": 1.0'],
        ['"value": 1'],
        ['+"a"', '+"a"', '+"b"'],
        ['-"a"', '+"c"'],
    ]


def test_history_begins_at_the_oldest_moment_kept(ask: Ask, store: Path) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("n05", type="U")
        graph.compact(drop_history_before=graph.node("n05").updated_at)
    first, *rest = ask("history", "n05")

    assert (first["change"], first["node"]["type"]) == ("kept", "U")
    assert rest == []


def test_readers_shows_a_process_that_has_the_store_open(ask: Ask, store: Path) -> None:
    hold = f"import lithograph; g = lithograph.open({str(store)!r}); s = g.snapshot(); print(1)"
    with subprocess.Popen(
        [sys.executable, "-uc", hold + "; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        (reader,) = ask("readers")
        holder.kill()
    after = ask("readers")

    assert (reader["process"], reader["state"]) == (holder.pid, "alive")
    assert reader["sequence"] == ask("info")["sequence"]
    assert 0 <= reader["age_seconds"] < 600
    assert [each["state"] for each in after] == ["dead"]
