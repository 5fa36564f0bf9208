"""segtool import csv and export csv: headers, types, what is set aside, round trips."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.formats.moment import EPOCH
from lithograph.tools.exporters import csv_columns
from lithograph.tools.exporters.export_run import ExportAnswer
from lithograph.tools.importers import input_file
from lithograph.tools.importers.csv_header import parse_header
from lithograph.tools.importers.csv_reader import CsvFile
from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.input_file import InputFile
from lithograph.tools.importers.loader import Loader
from lithograph.tools.importers.rejects import RejectedLine
from lithograph.tools.importers.rows import EdgeRow, NodeRow, Reject, Row
from lithograph.tools.segtool import main
from lithograph.tools.testing.strategies import moments, names, texts, values

SAMPLES = Path(__file__).parent / "samples"
PEOPLE, KNOWS = str(SAMPLES / "people.csv"), str(SAMPLES / "knows.csv")


@pytest.mark.parametrize(
    "words",
    [
        [PEOPLE, KNOWS],
        [KNOWS, PEOPLE],
        ["--nodes", PEOPLE, "--edges", KNOWS],
        [KNOWS, "--nodes", PEOPLE],
    ],
)
def test_nodes_and_edges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    store = str(tmp_path / "a.graph")
    assert main(["import", "csv", *words, "--store", store, "--json"]) == 0
    answer = msgspec.json.decode(capsys.readouterr().out, type=ImportAnswer, strict=True)
    assert main(["import", "csv", *words, "--store", store, "--json"]) == 0
    again = msgspec.json.decode(capsys.readouterr().out, type=ImportAnswer, strict=True)

    assert (answer.nodes, answer.edges, answer.missing_ends, answer.rejected) == (3, 3, 1, 0)
    assert (answer.nodes_made, answer.edges_made, again.written) == (4, 3, 0)
    with lithograph.open(store, mode="r") as graph:
        ada, charles = graph.node("Ada"), graph.node("Charles")
        assert (ada.type, ada.observations, charles.type) == ("Person", (), "Person")
        assert ada.properties == {
            "labels": ["Person", "Author"],
            "born": 1815,
            "score": 1.5,
            "active": True,
            "tags": ["math", "poetry"],
            "years": [1833, 1843],
            "note": 'wrote, "first"\nprogram',
            "extra": {"a": [1, None]},
        }
        assert charles.properties == {"born": 1791, "active": False}
        knows, wrote = graph.edges("Ada")
        assert (knows.properties, knows.key, wrote.key) == ({"since": 1833}, "", "notes")
        assert knows.valid_from == datetime(1833, 6, 5, tzinfo=UTC)
        assert wrote.valid_to == datetime(1852, 11, 27, 11, tzinfo=UTC)
        assert graph.node("Luigi").type == ""


def test_nodes_come_before_edges_in_whatever_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loader.__init__, "__defaults__", (1, 1 << 20))
    store = str(tmp_path / "a.graph")
    assert main(["import", "csv", KNOWS, PEOPLE, "--store", store, "--json"]) == 0
    answer = msgspec.json.decode(capsys.readouterr().out, type=ImportAnswer, strict=True)

    assert (answer.missing_ends, answer.commits, answer.written) == (1, 6, 6)


def rows_of(data: bytes | str, *delimiters: str) -> list[Row]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data if isinstance(data, bytes) else data.encode())
        file.flush()
        with InputFile(file.name) as source:
            return list(CsvFile(source, *(delimiters or (",", ";"))).rows(lambda done, total: None))


def test_delimiters_spaces_and_fields() -> None:
    assert rows_of(":ID(P)\t:TYPE\t:OBSERVATIONS\tn:int[]\n1\ta;b\tx;y|z\t1|2\n", "\t", "|") == [
        NodeRow(2, "P:1", "a;b", ("x;y", "z"), {"n": [1, 2]}, None, 16)
    ]
    assert rows_of("\ufeff:START_ID(P),:END_ID(Q),:TYPE,:CREATED_AT\r\n1,1,t,1.5\r\n") == [
        EdgeRow(2, "P:1", "t", "Q:1", created_at=EPOCH + timedelta(seconds=1.5), size=11)
    ]
    assert rows_of('id:ID,:OBSERVATIONS(json)\na,"[""x;y"", """"]"\n') == [
        NodeRow(2, "a", None, ("x;y", ""), None, None, 20)
    ]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "the file is empty: it needs a header"),
        ("name,age:int\n", "has no :ID: nodes need a column such as name:ID"),
        (":START_ID,:TYPE\n", "has no :END_ID"),
        (":ID,age:number\n", "'number' is no type; use int, long"),
        (":ID,age:int,age:string\n", "'age:string' twice"),
        (":ID,:ID\n", "':ID' twice"),
        (":ID,:KEY\n", "has :KEY, which nodes do not have"),
        (":START_ID,:END_ID,:LABEL\n", "has :LABEL, which edges do not have"),
        (":ID,:LABEL,:TYPE\n", "a node has one type"),
        ('":ID\n', "not CSV: unexpected end of data"),
        (b"\xff:ID\n", "not UTF-8: byte 0xff at column 1"),
    ],
)
def test_a_header_that_is_none_says_what_is_wrong(header: str | bytes, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match="/") as caught:
        rows_of(header)

    assert reason in str(caught.value)


HOSTILE: list[tuple[bytes, str]] = [
    (b"a", "1 cells, the header has 4"),
    (b"a,b,c,d,e", "5 cells, the header has 4"),
    (b",1,,", "the name is empty"),
    (b"a,x,,", "column 'n:int': 'x' is no whole number"),
    (b"a," + b"9" * 400 + b",,", "is no whole number"),
    (b"a,18446744073709551616,,", "65 bits"),
    (b"a,,nan,", "column 'f:float': 'nan' is no finite number"),
    (b"a,,1e999,", "is no finite number"),
    (b"a,,one,", "is no number"),
    (b"a,,,yes", "column 'b:boolean': 'yes' is no boolean: use true or false"),
    (b'"a"x,,,', "not CSV: ',' expected after"),
    (b"\xff,,,", "not UTF-8: byte 0xff at column 1"),
    (b"a" * 70_000 + b",,,", "the limit is 65,535"),
]


def test_records_that_are_no_rows_are_set_aside() -> None:
    lines = b"".join(line + b"\nsound,1,1,true\n" for line, _ in HOSTILE)
    found = rows_of(b":ID,n:int,f:float,b:boolean\n\n" + lines + b'"open,,,\nsound,,,\n')
    rejects = [row for row in found if isinstance(row, Reject)]
    numbers = [3 + 2 * place for place in range(len(HOSTILE))]

    assert len(found) - len(rejects) == len(HOSTILE)
    for reject, (line, reason), number in zip(rejects, HOSTILE, numbers, strict=False):
        assert reason in reject.reason
        assert (reject.line, reject.text) == (number, line)
    assert rejects[-1].line == numbers[-1] + 2
    assert rejects[-1].text == b'"open,,,\nsound,,,'
    assert "unexpected end of data" in rejects[-1].reason


def test_a_quote_that_is_never_closed_takes_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lithograph.tools.importers.csv_reader.LINE_SIZE_MAX", 100)
    found = rows_of(b":ID\na\n" + b'"never\n' + b"some line\n" * 30 + b"sound\n")

    assert isinstance(found[1], Reject)
    assert "field larger than field limit" in found[1].reason
    assert len(found[1].text) < 150
    assert found[-1] == NodeRow(34, "sound", size=6)


def test_a_line_that_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "LINE_SIZE_MAX", 100)
    found = rows_of(b":ID\n" + b"a" * 500 + b"\nsound\n")

    assert [type(row) for row in found] == [Reject, NodeRow]


def test_rejects_name_their_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text(":ID,n:int\na,x\n")
    store, rejects = tmp_path / "a.graph", tmp_path / "rejects"
    command = ["import", "csv", PEOPLE, str(broken), "--store", str(store)]
    command += ["--rejects", str(rejects)]

    assert main([*command, "--strict"]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not store.exists()
    assert main(command) == 1
    line = msgspec.json.decode(rejects.read_bytes(), type=RejectedLine)
    assert (line.file, line.line, line.text) == (str(broken), 2, "a,x")
    with lithograph.open(store, mode="r") as graph:
        assert graph.node_count == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no file is named"),
        (["--nodes", KNOWS], "has the header of a file of edges"),
        (["--edges", PEOPLE], "has the header of a file of nodes"),
        ([PEOPLE, "--delimiter", "ab"], "'ab' is no delimiter"),
        ([PEOPLE, "--delimiter", '"'], "is no delimiter"),
    ],
)
def test_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    store = tmp_path / "a.graph"

    assert main(["import", "csv", *words, "--store", str(store)]) == 2
    assert message in capsys.readouterr().err
    assert not store.exists()


# Export -------------------------------------------------------------------------------------------


def test_columns_are_those_that_are_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = str(tmp_path / "a.graph"), tmp_path / "out"
    assert main(["import", "csv", PEOPLE, KNOWS, "--store", store]) == 0
    capsys.readouterr()
    assert main(["export", "csv", "--store", store, "-o", str(out), "--json"]) == 0
    answer = msgspec.json.decode(capsys.readouterr().out, type=ExportAnswer, strict=True)
    nodes, edges = (Path(file).read_bytes().decode() for file in answer.files)

    assert answer.files == [f"{out}.nodes.csv", f"{out}.edges.csv"]
    assert (answer.nodes, answer.edges) == (4, 3)
    assert answer.bytes == len(nodes.encode()) + len(edges.encode())
    assert nodes.splitlines()[0] == (
        ":ID,:LABEL,active:boolean,born:long,extra:json,labels:string[],note:string,"
        "score:double,tags:string[],years:json"
    )
    assert edges.splitlines() == [
        ":START_ID,:END_ID,:TYPE,:KEY,:VALID_FROM,:VALID_TO,since:long",
        "Ada,Charles,knows,,1833-06-05T00:00:00+00:00,,1833",
        "Ada,Engine,wrote_for,notes,,1852-11-27T11:00:00+00:00,",
        "Luigi,Engine,described,,,,",
    ]
    assert main(["export", "csv", "--store", store]) == 2


def test_too_many_columns_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_columns, "COLUMNS_MAX", 5)
    with lithograph.open(tmp_path / "a.graph") as graph:
        graph.put_node("a", properties={f"k{number}": 1 for number in range(6)})
    out = str(tmp_path / "out")

    assert main(["export", "csv", "--store", str(tmp_path / "a.graph"), "-o", out]) == 2
    assert "export jsonl" in capsys.readouterr().err
    assert list(tmp_path.glob("out*")) == []


odd_texts = texts | st.text(st.sampled_from('a;,"\r\n\t\0 :[]é'), max_size=4)
properties = st.dictionaries(
    st.sampled_from(["a", "b", "", "x:y", ":ID", "labels", "n:int"]) | odd_texts,
    values | odd_texts | st.lists(odd_texts, max_size=3),
    max_size=3,
)
times = st.none() | moments.map(lambda moment: EPOCH + timedelta(microseconds=moment))


@settings(max_examples=40)
@given(
    st.dictionaries(
        names | odd_texts.filter(bool),
        st.tuples(odd_texts, st.lists(odd_texts, max_size=3), properties, times),
        max_size=4,
    ),
    st.dictionaries(
        st.tuples(st.integers(0, 9), odd_texts, st.integers(0, 9), odd_texts),
        st.tuples(properties, times, times),
        max_size=3,
    ),
)
def test_a_graph_comes_back(
    tmp_path_factory: pytest.TempPathFactory, nodes: dict[str, Any], edges: dict[Any, Any]
) -> None:
    path = tmp_path_factory.mktemp("trip")
    with lithograph.open(path / "a", durability="off") as graph:
        with graph.transaction() as tx:
            for name, (type_name, observations, given, time) in nodes.items():
                tx.put_node(
                    name,
                    type=type_name,
                    observations=observations,
                    properties=given,
                    created_at=time,
                )
            for key, (given, created_at, valid_from) in edges.items() if nodes else ():
                source, type_name, target, edge_key = key
                ends = list(nodes)
                tx.put_edge(
                    ends[source % len(ends)],
                    type_name,
                    ends[target % len(ends)],
                    key=edge_key,
                    properties=given,
                    created_at=created_at,
                    valid_from=valid_from,
                    valid_to=valid_from,
                )
        before = contents(graph)
        created = [node.created_at for node in graph.nodes() if nodes[node.name][3]]
    assert main(["export", "csv", "--store", str(path / "a"), "-o", str(path / "x")]) == 0
    files = [str(path / f"x.{what}.csv") for what in ("nodes", "edges")]
    assert main(["import", "csv", *files, "--store", str(path / "b")]) == 0

    with lithograph.open(path / "b") as graph:
        assert contents(graph) == before
        assert [n.created_at for n in graph.nodes() if nodes[n.name][3]] == created
    # Any reader of CSV sees as many cells in every row.
    for file in files:
        text = Path(file).read_bytes().decode()
        assert len({len(row) for row in csv.reader(io.StringIO(text, newline=""))}) == 1


def contents(graph: lithograph.Graph) -> tuple[Any, Any]:
    nodes = [(n.name, n.type, n.observations, exact(n.properties)) for n in graph.nodes()]
    edges = [
        ((e.source, e.type, e.target, e.key), exact(e.properties), e.valid_from, e.valid_to)
        for e in graph.edges()
    ]
    return nodes, sorted(edges, key=lambda edge: edge[0])


def exact(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def test_header_columns_keep_their_order() -> None:
    columns = parse_header(["b:ID", "a:int", ":IGNORE", "x:IGNORE"], ";")

    assert [column.field or column.name for column in columns] == ["ID", "a", "IGNORE", "IGNORE"]
