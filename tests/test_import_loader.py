"""What all importers share: input, rows, the loader, what is set aside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph.errors import InvalidArgumentError, StorageError
from lithograph.tools.importers import input_file
from lithograph.tools.importers.input_file import InputFile, LongLine
from lithograph.tools.importers.loader import Loader
from lithograph.tools.importers.rejects import TEXT_SIZE_MAX, Rejects
from lithograph.tools.importers.replay import Replay, newest_time
from lithograph.tools.importers.rows import (
    EdgeRow,
    NodeRow,
    Reject,
    checked_edge,
    checked_node,
)


def day(number: int) -> datetime:
    return datetime(2020, 1, number, tzinfo=UTC)


# Input --------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_lines_are_those_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.getbasetemp() / "lines"
    path.write_bytes(b"\n".join(lines))
    with InputFile(str(path)) as file:
        first, second = list(file.lines()), list(file.lines())

    expected = path.read_bytes().split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert first == second == list(enumerate(expected, 1))


def test_a_line_that_is_too_long_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "LINE_SIZE_MAX", 8)
    path = tmp_path / "lines"
    for size in range(5, 40):
        path.write_bytes(b"a\n" + b"x" * size + b"\nb\n" + b"y" * size)
        with InputFile(str(path)) as file:
            lines = list(file.lines())

        assert [number for number, _ in lines] == [1, 2, 3, 4]
        assert [lines[0][1], lines[2][1]] == [b"a", b"b"]
        # With its end, a line may have eight bytes.
        assert isinstance(lines[1][1], LongLine) == (size > 7)
        assert lines[1][1] == b"x" * min(size, 8)


def test_what_is_appended_meanwhile_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "LINE_SIZE_MAX", 8)
    path = tmp_path / "lines"
    path.write_bytes(b"x" * 20 + b"\na\n")
    with InputFile(str(path)) as file:
        with path.open("ab") as more:
            more.write(b"b\n" * 20)
        assert [(number, len(line)) for number, line in file.lines()] == [(1, 8), (2, 1)]


def test_standard_input_is_read_twice(tmp_path: Path) -> None:
    script = (
        "from lithograph.tools.importers.input_file import InputFile\n"
        "with InputFile('-') as f: print(list(f.lines()) == list(f.lines()), f.size)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=b"a\nb", capture_output=True)

    assert done.stdout == b"True 3\n"


def test_a_named_pipe_is_copied(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"a\nb\n"))
    writer.start()
    with InputFile(str(pipe)) as file:
        writer.join()
        assert list(file.lines()) == list(file.lines()) == [(1, b"a"), (2, b"b")]


@pytest.mark.parametrize("name", ["absent", ".", "nul\0"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        InputFile(f"{tmp_path}/{name}")


def test_reading_reports_bytes(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"0123456789abcde\n" * 200_000)
    reports: list[tuple[int, int | None]] = []
    with InputFile(str(path)) as file:
        for _ in file.lines(lambda done, total: reports.append((done, total))):
            pass

    assert len(reports) == 4
    assert reports == sorted(reports)
    assert reports[-1] == (3_200_000, 3_200_000)


# Rows ---------------------------------------------------------------------------------------------

FINE: dict[str, Any] = {"line": 1, "name": "n"}
FINE_EDGE: dict[str, Any] = {"line": 1, "source": "a", "type": "t", "target": "b"}


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": ""},
        {"name": "x" * 70_000},
        {"name": "\ud800"},
        {"type": "x" * 70_000},
        {"observations": ("\udfff",)},
        {"properties": {"a": float("nan")}},
        {"properties": {"a": 2**64}},
        {"created_at": datetime(2020, 1, 1)},
    ],
)
def test_a_node_that_no_store_takes_is_no_row(tmp_path: Path, flaw: dict[str, Any]) -> None:
    fields = FINE | flaw
    with pytest.raises(InvalidArgumentError):
        checked_node(NodeRow(**fields))
    assert checked_node(NodeRow(**FINE)) == NodeRow(1, "n")
    fields.pop("line")
    with lithograph.open(tmp_path / "a") as graph, pytest.raises(InvalidArgumentError):
        graph.put_node(fields.pop("name"), **fields)


@pytest.mark.parametrize(
    "flaw",
    [
        {"source": ""},
        {"target": ""},
        {"type": "\ud800"},
        {"key": "x" * 70_000},
        {"valid_from": day(2), "valid_to": day(1)},
        {"properties": {"a": {"b": float("inf")}}},
    ],
)
def test_an_edge_that_no_store_takes_is_no_row(flaw: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        checked_edge(EdgeRow(**(FINE_EDGE | flaw)))
    assert checked_edge(EdgeRow(**FINE_EDGE)) == EdgeRow(1, "a", "t", "b")


# Loader -------------------------------------------------------------------------------------------

ROWS: list[NodeRow | EdgeRow] = [
    NodeRow(1, "a", "Person", ("x", "x"), {"n": 1}, day(1)),
    EdgeRow(2, "a", "knows", "b", "", {"p": True}, day(1), day(2), day(3)),
    NodeRow(3, "a", "", ("y", "x"), {"n": 1, "m": 2}),
    EdgeRow(4, "c", "knows", "a"),
    EdgeRow(5, "c", "knows", "a", "k"),
    NodeRow(6, "c", "Thing"),
]


def load(graph: lithograph.Graph, rows: list[NodeRow | EdgeRow], rows_max: int) -> Loader:
    loader = Loader(graph, rows_max)
    for row in rows:
        loader.add(row)
    loader.finish()
    return loader


def contents(graph: lithograph.Graph) -> tuple[Any, Any]:
    nodes = [(node.name, node.type, node.observations, node.properties) for node in graph.nodes()]
    edges = [
        (
            (edge.source, edge.type, edge.target, edge.key),
            edge.properties,
            edge.valid_from,
            edge.valid_to,
        )
        for edge in graph.edges()
    ]
    return nodes, sorted(edges, key=lambda edge: edge[0])


@pytest.mark.parametrize("rows_max", [1, 2, 3, 100])
def test_rows_are_merged_with_what_is_there(tmp_path: Path, rows_max: int) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        loader = load(graph, ROWS, rows_max)
        held, sequence = contents(graph), graph.sequence
        again = load(graph, ROWS, rows_max)

        assert held == (
            [
                ("a", "Person", ("x", "x", "y"), {"n": 1, "m": 2}),
                ("b", "", (), {}),
                ("c", "Thing", (), {}),
            ],
            [
                (("a", "knows", "b", ""), {"p": True}, day(1), day(2)),
                (("c", "knows", "a", ""), {}, None, None),
                (("c", "knows", "a", "k"), {}, None, None),
            ],
        )
        assert graph.node("a").created_at == day(1)
        assert graph.edge_count == 3
        assert (loader.node_rows, loader.edge_rows) == (3, 3)
        assert loader.commits == sequence
        # Read in one batch, no end is missing but b: nodes come before edges.
        assert loader.missing_ends == (1 if rows_max == 100 else 2)
        assert (again.written, again.commits, again.missing_ends) == (0, 0, 0)
        assert (contents(graph), graph.sequence) == (held, sequence)


def test_a_changed_row_changes_what_it_says(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        load(graph, ROWS, 100)
        graph.put_node("a", type="Human", observations=["mine"])
        changed = load(
            graph,
            [
                NodeRow(1, "a", None, ("new",), {"n": 1.0}),
                NodeRow(2, "c", "Thing"),
                EdgeRow(3, "a", "knows", "b", valid_to=day(5)),
                EdgeRow(4, "c", "knows", "a"),
            ],
            100,
        )
        node, edge = graph.node("a"), next(graph.edges("a"))

        assert changed.written == 2
        assert (node.type, node.observations) == ("Human", ("mine", "new"))
        assert type(node.properties["n"]) is float
        assert (edge.properties, edge.valid_from, edge.valid_to) == ({"p": True}, day(1), day(5))


def test_a_commit_that_comes_between_is_kept(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        graph.put_node("a", observations=["first"])
        loader = Loader(graph)
        loader.add(NodeRow(1, "a", observations=("second",)))
        begun = graph.transaction

        def begin(at: datetime | None = None) -> lithograph.Transaction:
            transaction = begun(at)
            monkey.undo()
            other = threading.Thread(target=lambda: graph.add_observations("a", ["between"]))
            other.start()
            other.join()
            return transaction

        monkey = pytest.MonkeyPatch()
        monkey.setattr(graph, "transaction", begin)
        loader.finish()

        assert graph.node("a").observations == ("first", "between", "second")
        assert (loader.written, loader.commits) == (1, 1)


def test_a_batch_is_bounded_by_bytes(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        loader = Loader(graph, bytes_max=100)
        for number in range(10):
            loader.add(NodeRow(number, f"n{number}", size=40))
        loader.finish()

        assert (loader.commits, graph.node_count) == (4, 10)


# Replay -------------------------------------------------------------------------------------------


def test_a_replay_keeps_times_where_it_can(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        assert newest_time(graph).year == 1
        replay = Replay(graph)
        times = [
            replay.commit(time, lambda tx, name=f"n{number}": tx.put_node(name))  # type: ignore[misc]
            for number, time in enumerate([day(5), day(5), day(2), day(9)])
        ]
        future = replay.commit(datetime(9000, 1, 1, tzinfo=UTC), lambda tx: tx.put_node("f"))
        graph.put_node("now")
        late = replay.commit(day(20), lambda tx: tx.put_node("late"))
        nothing = replay.commit(day(21), lambda tx: None)

        assert times == [day(5), day(5), day(5), day(9)]
        assert future is not None
        assert future.year < 9000
        assert late == newest_time(graph)
        assert nothing is None
        assert (replay.commits, replay.moved) == (6, 3)
        with pytest.raises(InvalidArgumentError, match="empty"):
            replay.commit(day(22), lambda tx: tx.put_node(""))


def test_a_replay_goes_on_behind_a_commit_from_the_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lithograph.open(tmp_path / "a") as graph:
        committer = graph._engine.committer
        later = replace(committer._environment, clock_us=lambda: 4 * 10**15)
        with monkeypatch.context() as patch:
            patch.setattr(committer, "_environment", later)
            graph.put_node("future")
        replay = Replay(graph)
        times = [replay.commit(day(5), lambda tx: tx.put_node("a", type=t)) for t in "xy"]  # noqa: B023

        assert replay.moved == replay.commits == 2
        assert times == [
            newest_time(graph) - timedelta(microseconds=1),
            newest_time(graph),
        ]
        assert newest_time(graph).year == 2096


# Rejects ------------------------------------------------------------------------------------------


def test_rejects_are_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "in.rejects"
    path.write_text("old")
    with Rejects(path) as rejects:
        assert path.read_text() == "old"
        kept = list(
            rejects.sift(
                [
                    NodeRow(1, "a"),
                    Reject(2, "no \ud800", b"\xff\n\x1b"),
                    Reject(3, "long", "é" * (TEXT_SIZE_MAX + 1)),
                ]
            )
        )
        # Whole lines, before it is closed.
        lines = [json.loads(line) for line in path.read_text().splitlines()]

    assert kept == [NodeRow(1, "a")]
    assert rejects.count == 2
    assert lines == [
        {"line": 2, "reason": "no \\ud800", "text": "\\xff\n\x1b"},
        {"line": 3, "reason": "long", "text": "é" * TEXT_SIZE_MAX, "size": TEXT_SIZE_MAX + 1},
    ]


def test_no_rejects_no_file(tmp_path: Path) -> None:
    with Rejects(tmp_path / "in.rejects") as rejects:
        assert list(rejects.sift([NodeRow(1, "a")])) == [NodeRow(1, "a")]
    assert list(tmp_path.iterdir()) == []


def test_rejects_that_cannot_be_written_say_what_to_do(tmp_path: Path) -> None:
    with (
        Rejects(tmp_path / "absent" / "in.rejects") as rejects,
        pytest.raises(StorageError, match="--rejects FILE"),
    ):
        rejects.add(Reject(1, "", ""))
