"""GraphML that others wrote: what networkx writes, and files that mean ill."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import lithograph
from lithograph.tools.importers import graphml_reader
from lithograph.tools.segtool import main


def segtool(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiDiGraph])
def test_what_networkx_writes_is_read(tmp_path: Path, kind: Any) -> None:
    written = kind()
    written.add_node("a", type="Person", age=7, height=1.5, alive=True, note="<é>")
    written.add_node("b", labels=":City")
    written.add_edge("a", "b", type="in", weight=0.5)
    written.add_edge("b", "c")
    if written.is_multigraph():
        written.add_edge("a", "b", type="in", weight=0.75)
    nx.write_graphml(written, tmp_path / "x.xml")
    assert segtool("import", "graphml", tmp_path / "x.xml", "--store", tmp_path / "g") == 0

    with lithograph.open(tmp_path / "g") as graph:
        node = graph.node("a")
        assert (node.type, graph.node("b").type, graph.node_count) == ("Person", "City", 3)
        assert node.properties == {"age": 7, "height": 1.5, "alive": True, "note": "<é>"}
        found = sorted(
            (edge.target, edge.type, edge.properties.get("weight")) for edge in graph.edges("a")
        )
        weights = [0.5, 0.75] if written.is_multigraph() else [0.5]
        assert found == [("b", "in", weight) for weight in weights]
        undirected = [edge.properties.get("directed") is False for edge in graph.edges()]
        assert all(undirected) == any(undirected) == (not written.is_directed())


HEAD = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
BOMB = (
    '<!DOCTYPE b [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
    + "]>"
)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f'{BOMB}{HEAD}<graph><node id="&m;"/></graph></graphml>', "document type"),
        ('<!DOCTYPE g SYSTEM "file:///etc/passwd"><graphml/>', "document type"),
        (f"{HEAD}<graph><node id='a'/>", "line 1"),
        (f"{HEAD}<graph>\n<node id=a/></graph></graphml>", "line 2, column 10"),
        ("<html></html>", "<html>"),
        ("", "no element found"),
        ("not XML", "no well-formed XML"),
        (HEAD + "<graph><node id='n'>" * 60, "deep"),
        ('<?xml version="1.0" encoding="martian"?><graphml/>', "encoding"),
        (f"{HEAD}<graph><node id='\x01'/></graph></graphml>", "no well-formed XML"),
    ],
    ids=lambda value: value[:24],
)
def test_files_that_are_no_graphml_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, what: str
) -> None:
    (tmp_path / "x.xml").write_text(text)
    code = segtool("import", "graphml", tmp_path / "x.xml", "--store", tmp_path / "g")
    err = capsys.readouterr().err

    assert code == 5
    assert "x.xml" in err
    assert what in err


ITEMS = {
    "<node/>": "no attribute 'id'",
    "<edge source='a'/>": "no attribute 'target'",
    "<node id='b'><data key='i'>x1</data></node>": "'x1' is no int",
    "<node id='c'><data key='none'>1</data></node>": "not declared",
    "<node id='d'><data key='f'>nan</data></node>": "nan",
    "<node id='e'><data key='i'>99999999999999999999</data></node>": "integer",
    "<hyperedge><endpoint node='a'/></hyperedge>": "more than two ends",
}


def test_elements_that_are_no_rows_are_set_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.xml"
    lines = [HEAD, "<key id='i' attr.name='n' attr.type='int'/>"]
    lines += ["<key id='f' attr.name='w' attr.type='double'/><key id='y' yfiles.type='x'/>"]
    lines += ["<graph edgedefault='directed'>", *ITEMS]
    lines += ["<node id='ok'><data key='i'> 7 </data><data key='y'><Shape>s</Shape></data></node>"]
    file.write_text("\n".join([*lines, "</graph></graphml>"]))
    code = segtool("import", "graphml", file, "--store", tmp_path / "g", "--json")
    answer = json.loads(capsys.readouterr().out)
    rejects = [json.loads(line) for line in Path(f"{file}.rejects").read_text().splitlines()]

    assert (code, answer["nodes"], answer["rejected"]) == (1, 1, len(ITEMS))
    assert answer["more"] == {"undirected": 0, "passed_over": 1}
    assert [each["line"] for each in rejects] == list(range(5, 5 + len(ITEMS)))
    for each, reason in zip(rejects, ITEMS.values(), strict=True):
        assert reason in each["reason"]
    with lithograph.open(tmp_path / "g") as graph:
        assert graph.node("ok").properties == {"n": 7}
    assert segtool("import", "graphml", file, "--store", tmp_path / "strict", "--strict") == 1
    assert not (tmp_path / "strict").exists()


def test_defaults_nested_graphs_and_edges_of_either_kind_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(
        f"""{HEAD}
        <key id="c" for="node" attr.name="color" attr.type="string"><default>red</default></key>
        <graph edgedefault="undirected">
          <node id="a"><graph edgedefault="directed"><node id="a::b"/>
            <edge id="e1" source="a" target="a::b"/></graph></node>
          <node id="c" labels=":Person"><data key="c">blue</data></node>
          <edge source="a" target="c" label="knows"/>
          <edge source="c" target="a" directed="true"/>
        </graph></graphml>"""
    )
    assert segtool("import", "graphml", tmp_path / "x.xml", "--store", tmp_path / "g") == 0

    with lithograph.open(tmp_path / "g") as graph:
        colors = {node.name: node.properties["color"] for node in graph.nodes()}
        edges = {
            (edge.source, edge.type, edge.target, edge.key): edge.properties
            for edge in graph.edges()
        }
        assert graph.node("c").type == "Person"
    assert colors == {"a": "red", "a::b": "red", "c": "blue"}
    assert edges == {
        ("a", "", "a::b", "e1"): {},
        ("a", "knows", "c", ""): {"directed": False},
        ("c", "", "a", ""): {},
    }


@pytest.mark.parametrize("end", [" />", ">"])
def test_a_tag_or_a_text_without_end_is_told_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    monkeypatch.setattr(graphml_reader, "_PIECE_SIZE_MAX", 1 << 20)
    with (tmp_path / "x.xml").open("w") as file:
        file.write(f"{HEAD}<key id='k'/><graph><node id='a'")
        file.write(">" if end == ">" else "")
        file.write("<data key='k'>" if end == ">" else " note='")
        for _ in range(64):
            file.write("x" * (1 << 20))
    tracemalloc.start()
    code = segtool("import", "graphml", tmp_path / "x.xml", "--store", tmp_path / "g")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert code == 5
    assert "takes more than" in capsys.readouterr().err
    assert peak < 24 << 20
