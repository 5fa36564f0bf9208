"""Edges as lines, and neighborhoods as Graphviz and Mermaid draw them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lithograph
from lithograph.tools.exporters import dot_export, mermaid_export
from lithograph.tools.segtool import main

HOSTILE = '\x1b[31m"];\n}-->|"x"|&quot;<b>#34;`\\N\u202e'


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with lithograph.open(tmp_path / "g") as graph, graph.transaction() as transaction:
        for name in ("a", "b", "c", "d", HOSTILE):
            transaction.put_node(name, type="T" if name in "ac" else "")
        transaction.put_edge("a", "knows", "b")
        transaction.put_edge("b", "", "c")
        transaction.put_edge("c", "knows", "d")
        transaction.put_edge("a", HOSTILE, HOSTILE)
    return tmp_path / "g"


def exported(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["export", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


# Edges --------------------------------------------------------------------------------------------


def test_lines_of_edges_are_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lithograph.open(tmp_path / "g") as graph, graph.transaction() as transaction:
        for number in range(30):
            source, target = f"a b{number}", f"{number * 7 % 30}"
            transaction.put_edge(source, "T" * (number % 3), target, create_missing=True)
    assert exported(capsys, "edges", "--store", tmp_path / "g", "-o", tmp_path / "x")[0] == 0
    arguments = ["import", "edges", tmp_path / "x", "--store", tmp_path / "h", "--delimiter", "\\t"]
    assert main([str(argument) for argument in arguments]) == 0

    found = []
    for name in ("g", "h"):
        with lithograph.open(tmp_path / name) as graph:
            found.append(sorted((e.source, e.type, e.target) for e in graph.edges()))
    assert found[0] == found[1]
    assert len(found[0]) == 30


@given(st.lists(st.text(max_size=4), min_size=2, max_size=3), st.sampled_from("\t,; "))
def test_an_edge_is_a_line_that_says_it_or_none(columns: list[str], delimiter: str) -> None:
    """Whatever the names: what is written is what will be read."""
    from lithograph.errors import InvalidArgumentError
    from lithograph.tools.exporters.edges_export import line_of
    from lithograph.transaction.edge_lines import take_lines

    class Edge:
        source, target = columns[0], columns[1]
        type = columns[2] if len(columns) > 2 else ""

    try:
        line = line_of(Edge, delimiter)  # type: ignore[arg-type]
        data = line.encode()
    except (InvalidArgumentError, UnicodeEncodeError):
        return
    found: list[tuple[str, str, str]] = []
    taken = take_lines(lambda *edge: found.append(edge), data, ord(delimiter), "", 9)
    if Edge.source and Edge.target:
        assert found == [(Edge.source, Edge.type, Edge.target)]
        assert taken.line_count == 1


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "#a", "%"])
def test_an_edge_that_no_line_can_hold_stops_the_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with lithograph.open(tmp_path / "g") as graph:
        graph.put_edge(name, "T", "b", create_missing=True)
    code, _, err = exported(capsys, "edges", "--store", tmp_path / "g", "-o", tmp_path / "x")

    assert (code, (tmp_path / "x").exists()) == (2, False)
    assert "--delimiter" in err


# Drawings -----------------------------------------------------------------------------------------


def test_a_neighborhood_is_drawn_by_graphviz(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = exported(capsys, "dot", "--store", store, "--around", "a", "--hops", 2)

    assert code == 0
    assert 'n0 [label="a\\nT", penwidth=2];' in out
    assert 'n0 -> n1 [label="knows"];' in out
    assert len(re.findall(r"^  n\d+ -> ", out, re.MULTILINE)) == 3
    assert "\x1b" not in out
    # Every line is one of ours: no name broke out of its quotes.
    text = r'"(?:[^"\\]|\\.)*"'
    line = rf"  n\d+(?: -> n\d+)?(?: \[label={text}(?:, penwidth=2)?\])?;"
    for each in out.splitlines()[2:-1]:
        assert re.fullmatch(line, each), each
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=out.encode(), check=True, capture_output=True)


def test_a_neighborhood_is_drawn_by_mermaid(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = exported(capsys, "mermaid", "--store", store, "--around", "a", "--hops", 2)

    assert code == 0
    assert out.startswith('flowchart LR\n  n0["a<br/>T"]\n')
    assert '  n0 -->|"knows"| n1\n' in out
    label = r'"[\w ./:,@+=#;\u0080-\U0010ffff-]*(?:<br/>[\w ]+)?"'
    for each in out.splitlines()[1:]:
        assert re.fullmatch(rf"  n\d+(?:\[{label}\]| -->(?:\|{label}\|)? n\d+)", each)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--hops", "0"], ["b"]),
        (["--direction", "out"], ["b", "c"]),
        (["--direction", "in"], ["b", "a"]),
        (["--hops", "9", "--direction", "out"], ["b", "c", "d"]),
        (["--hops", "2", "--type", "T"], ["b", "a", "c"]),
        (["--hops", "2", "--prefix", "d"], ["b", "d"]),
    ],
)
def test_what_is_drawn_is_what_is_asked_for(
    store: Path, capsys: pytest.CaptureFixture[str], options: list[str], names: list[str]
) -> None:
    out = exported(capsys, "dot", "--store", store, "--around", "b", *options)[1]

    assert re.findall(r'^  n\d+ \[label="(\w)', out, re.MULTILINE) == names


def test_what_is_left_out_is_told(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dot", "--store", store, "--around", "a", "--hops", 3, "--limit", 2]
    code, out, err = exported(capsys, *arguments)

    assert code == 0
    assert out.count("label=") == 2 + out.count("->")
    assert "3 nodes" in err


@pytest.mark.parametrize("kind", ["dot", "mermaid"])
def test_a_drawing_of_nobody_is_told(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    code, _, err = exported(
        capsys, kind, "--store", store, "--around", "nobody", "-o", tmp_path / "x"
    )

    assert (code, (tmp_path / "x").exists()) == (1, False)
    assert "nobody" in err


def test_a_drawing_in_a_file_is_counted(
    tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["dot", "--store", store, "--around", "a", "-o", tmp_path / "x", "--json"]
    answer = json.loads(exported(capsys, *arguments)[1])

    assert (answer["kind"], answer["nodes"], answer["edges"]) == ("dot", 3, 2)
    assert answer["bytes"] == (tmp_path / "x").stat().st_size


@given(st.text())
def test_a_label_never_ends_its_quotes(text: str) -> None:
    assert re.fullmatch(r'(?:[^"\\\x00-\x1f]|\\["\\])*', dot_export.quoted(text))
    assert not set('"\n<>[]|`\\') & set(mermaid_export.quoted(text))
