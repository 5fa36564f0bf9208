"""Parquet there and back, tables that others wrote, and files that are none."""

from __future__ import annotations

import decimal
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lithograph
from lithograph import Graph
from lithograph.tools.exporters import parquet_writer
from lithograph.tools.importers import parquet_reader
from lithograph.tools.segtool import main

pa = pytest.importorskip("pyarrow", reason='parquet needs the extra "arrow"')
pq = pytest.importorskip("pyarrow.parquet", reason='parquet needs the extra "arrow"')

TEXTS = st.text(max_size=6)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
MAPS = st.dictionaries(TEXTS, VALUES, max_size=2)
TIMES = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
NODES = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXTS.filter(bool),
            "type": TEXTS,
            "observations": st.lists(TEXTS, max_size=2, unique=True),
            "properties": MAPS,
            "created_at": TIMES,
        }
    ),
    min_size=1,
    max_size=4,
)
EDGES = st.lists(
    st.fixed_dictionaries(
        {
            "ends": st.tuples(st.integers(0, 3), st.integers(0, 3)),
            "type": TEXTS,
            "key": TEXTS,
            "properties": MAPS,
            "valid_from": st.none() | st.just(datetime(2020, 1, 1, tzinfo=UTC)),
            "valid_to": st.none() | st.just(datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
            "created_at": TIMES,
        }
    ),
    max_size=4,
)


def segtool(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def contents(graph: Graph) -> tuple[Any, Any]:
    """Return all that a graph says but ids and the times of its commits."""
    nodes = [
        (node.name, node.type, node.observations, repr(node.properties), node.created_at)
        for node in graph.nodes()
    ]
    edges = [
        (
            (edge.source, edge.type, edge.target, edge.key),
            (repr(edge.properties), edge.valid_from, edge.valid_to, edge.created_at),
        )
        for edge in graph.edges()
    ]
    return sorted(nodes), sorted(edges)


@settings(max_examples=30)
@given(NODES, EDGES)
def test_what_is_exported_comes_back_as_the_same_graph(
    nodes: list[dict[str, Any]], edges: list[dict[str, Any]]
) -> None:
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_writer, "_BATCH_ROWS", 2)
        patch.setattr(parquet_reader, "_BATCH_ROWS", 3)
        folder = Path(directory)
        with lithograph.open(folder / "a", durability="off") as graph:
            with graph.transaction() as transaction:
                for node in nodes:
                    transaction.put_node(**node)
                for edge in edges:
                    source, target = (nodes[end % len(nodes)]["name"] for end in edge["ends"])
                    fields = {name: value for name, value in edge.items() if name != "ends"}
                    transaction.put_edge(source, target=target, **fields)
            expected = contents(graph)

        assert segtool("export", "parquet", "--store", folder / "a", "-o", folder / "x") == 0
        files = ("--nodes", folder / "x/nodes.parquet", "--edges", folder / "x/edges.parquet")
        assert segtool("import", "parquet", *files, "--store", folder / "b") == 0
        with lithograph.open(folder / "b") as graph:
            assert contents(graph) == expected
            sequence = graph.sequence
        assert segtool("import", "parquet", *files, "--store", folder / "b") == 0
        with lithograph.open(folder / "b") as graph:
            assert graph.sequence == sequence


def test_other_columns_become_properties(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pa.table(
        {
            "name": pa.array([1, 2, 3]),
            "type": pa.array(["T", "T", None]).dictionary_encode(),
            "properties": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
            "created_at": pa.array([1, None, 3], pa.timestamp("ns")),
            "price": [decimal.Decimal("1.50"), None, None],
            "day": [date(2020, 1, 2), None, None],
            "list": [[1.5], None, []],
            "struct": [{"x": 1}, None, None],
        }
    )
    pq.write_table(table, tmp_path / "n.parquet")
    code = segtool(
        "import", "parquet", "--nodes", tmp_path / "n.parquet", "--store", tmp_path / "g"
    )

    assert code == 0
    with lithograph.open(tmp_path / "g") as graph:
        first, third = graph.node("1"), graph.node("3")
        assert (first.type, third.type) == ("T", "")
        assert first.created_at == datetime(1970, 1, 1, tzinfo=UTC)
        assert first.properties == {
            "a": 1,
            "price": "1.50",
            "day": "2020-01-02",
            "list": [1.5],
            "struct": {"x": 1},
        }
        assert graph.node("2").properties == {}
        assert third.properties == {"list": []}


def test_rows_that_no_store_can_hold_are_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["ok", None, "bytes", "nan", "texts"]
    table = {
        "name": names,
        "blob": pa.array([None, None, b"\xff", None, None]),
        "weight": [None, None, None, float("nan"), None],
        "observations": [None, None, None, None, [None]],
    }
    file = tmp_path / "n.parquet"
    pq.write_table(pa.table(table), file)
    arguments = ("import", "parquet", "--nodes", file, "--json")
    code = segtool(*arguments, "--store", tmp_path / "g")
    answer = json.loads(capsys.readouterr().out)
    rejects = [json.loads(line) for line in Path(f"{file}.rejects").read_text().splitlines()]

    assert (code, answer["nodes"], answer["rejected"]) == (1, 1, 4)
    assert [each["line"] for each in rejects] == [2, 3, 4, 5]
    assert "empty" in rejects[0]["reason"]
    assert "'blob' holds a bytes" in rejects[1]["reason"]
    assert segtool(*arguments, "--store", tmp_path / "strict", "--strict") == 1
    assert not (tmp_path / "strict").exists()


def test_files_that_are_no_tables_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"name": ["x" * 100 for _ in range(100)]}), good)
    data = good.read_bytes()
    files = {
        "no such file": None,
        "empty": b"",
        "text": b"name\nAda\n",
        "cut": data[: len(data) // 2],
        "damaged": data[:20] + bytes(byte ^ 255 for byte in data[20:60]) + data[60:],
        "footer": data[:-60] + bytes(20) + data[-40:],
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.parquet"
        if content is not None:
            path.write_bytes(content)
        code = segtool("import", "parquet", "--nodes", path, "--store", tmp_path / f"{name}.graph")
        err = capsys.readouterr().err
        assert (name, code) == (name, 5)
        assert f"{name}.parquet" in err
    assert segtool("import", "parquet", "--edges", good, "--store", tmp_path / "g") == 5
    assert "no column 'source'; it has 'name'" in capsys.readouterr().err
    assert segtool("import", "parquet", "--store", tmp_path / "g") == 2
    assert "--nodes FILE" in capsys.readouterr().err


def test_without_pyarrow_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('hidden')\n")
    lithograph.open(tmp_path / "g").close()
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "LITHOGRAPH_STORE": str(tmp_path / "g"),
    }
    for arguments in (["import", "parquet", "--nodes", "x"], ["export", "parquet", "-o", "x"]):
        done = subprocess.run(
            [sys.executable, "-m", "lithograph.tools.segtool", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert "lithograph[arrow]" in done.stderr


def test_a_selection_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lithograph.open(tmp_path / "g") as graph:
        graph.put_node("a", type="T")
        graph.put_node("b", type="U")
        graph.put_edge("a", "knows", "b")
    options = ("--store", tmp_path / "g", "-o", tmp_path / "x", "--json")
    assert segtool("export", "parquet", *options, "--type", "T") == 0
    answer = json.loads(capsys.readouterr().out)

    assert (answer["nodes"], answer["edges"], len(answer["files"])) == (1, 0, 2)
    assert pq.read_table(tmp_path / "x/nodes.parquet").column("name").to_pylist() == ["a"]
    assert pq.read_table(tmp_path / "x/edges.parquet").num_rows == 0
