"""segtool import jsonl and export jsonl: dialects, events, hostile lines, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lithograph
from lithograph.formats.moment import EPOCH
from lithograph.tools.exporters.export_run import ExportAnswer
from lithograph.tools.importers import input_file, jsonl_replay
from lithograph.tools.importers.import_answer import ImportAnswer
from lithograph.tools.importers.import_run import Import as Work
from lithograph.tools.importers.input_file import InputFile
from lithograph.tools.importers.jsonl_event import ACTIONS
from lithograph.tools.importers.jsonl_keys import ENTITY_FIELDS, RELATION_FIELDS
from lithograph.tools.importers.jsonl_reader import JsonLines
from lithograph.tools.importers.loader import Loader
from lithograph.tools.importers.rejects import RejectedLine, Rejects
from lithograph.tools.importers.rows import Reject
from lithograph.tools.segtool import main
from lithograph.view.changes import EdgeChange

SAMPLES = Path(__file__).parent / "samples"

Import = Callable[..., ImportAnswer]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "a.graph"


@pytest.fixture
def load(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Import a file, or lines; check exit code and shape."""

    def run(lines: Path | bytes | list[Any], *options: str, code: int = 0) -> ImportAnswer:
        path = lines if isinstance(lines, Path) else tmp_path / "lines.jsonl"
        if isinstance(lines, list):
            lines = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        if isinstance(lines, bytes):
            path.write_bytes(lines)
        command = ["import", "jsonl", str(path), "--store", str(store), "--json"]
        command += ["--rejects", str(tmp_path / "rejects"), *options]
        assert main(command) == code
        return msgspec.json.decode(capsys.readouterr().out, type=ImportAnswer, strict=True)

    return run


def exported(store: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[Any]:
    capsys.readouterr()
    assert main(["export", "jsonl", "--store", str(store), *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]


def objects(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counted(lines: list[Any]) -> Counter[str]:
    return Counter(json.dumps(line, sort_keys=True) for line in lines)


def rejected(tmp_path: Path) -> list[tuple[int, str]]:
    lines = (tmp_path / "rejects").read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=RejectedLine) for line in lines]
    return [(line.line, line.reason) for line in found]


# Dialects -----------------------------------------------------------------------------------------


def test_tagged_lines(load: Import, store: Path) -> None:
    answer = load(SAMPLES / "memory_tagged.jsonl")

    assert (answer.nodes, answer.edges, answer.rejected) == (3, 3, 0)
    # Described behind the relation that names him, Charles Babbage is not missing.
    assert (answer.nodes_made, answer.edges_made, answer.missing_ends) == (4, 3, 1)
    with lithograph.open(store, mode="r") as graph:
        ada = graph.node("Ada Lovelace")
        assert (ada.type, ada.properties) == ("person", {})
        assert ada.observations == ("wrote the first program", "met Charles in 1833")
        assert graph.neighbors("Charles Babbage") == ["Analytical Engine"]
        assert graph.node("Luigi Menabrea").type == ""


def test_plain_lines(load: Import, store: Path) -> None:
    answer = load(SAMPLES / "memory_plain.jsonl")

    assert (answer.nodes_made, answer.edges_made, answer.rejected) == (3, 4, 0)
    with lithograph.open(store, mode="r") as graph:
        zurich = graph.node("Zürich")
        assert zurich.created_at == EPOCH + timedelta(seconds=1_700_000_000)
        assert zurich.properties == {
            "createdBy": "ada",
            "updatedBy": "bob",
            "updatedAt": 1700000100.5,
            "validFrom": 1600000000,
            "validTo": None,
        }
        # Another form of a time is a time, and keeps its form.
        assert graph.node("Bern").created_at == zurich.created_at
        assert graph.node("Bern").properties["createdAt"] == "2023-11-14T22:13:20Z"
        assert graph.node("Bob").observations == ("moved", "moved")
        # Each stay is an edge of its own.
        stays = {edge.key: edge for edge in graph.edges("Bob", types="lives_in")}
        assert sorted(stays) == ["1500000000", "1600000000", "1650000000"]
        assert stays["1600000000"].valid_to is None
        until = stays["1500000000"].valid_to
        assert until == EPOCH + timedelta(seconds=1_600_000_000)
        last = until - timedelta(microseconds=1)
        assert len(list(graph.edges("Bob", types="lives_in", valid_at=last))) == 1
        assert [edge.target for edge in graph.edges("Bob", valid_at=until)] == ["Zürich", "Bern"]


@pytest.mark.parametrize(
    ("sample", "dialect"), [("memory_tagged.jsonl", "tagged"), ("memory_plain.jsonl", "plain")]
)
def test_lines_come_back(
    load: Import,
    store: Path,
    capsys: pytest.CaptureFixture[str],
    sample: str,
    dialect: str,
) -> None:
    path = SAMPLES / sample
    command = ["import", "jsonl", str(path), "--store", str(store)]
    assert main(command) == 0
    lines = exported(store, capsys, "--dialect", dialect)
    missing = {"type": "entity", "name": "Luigi Menabrea", "entityType": "", "observations": []}

    assert counted(lines) == counted(objects(path) + [missing] * (dialect == "tagged"))
    names = [line["name"] for line in lines if "observations" in line]
    assert names == sorted(names)


@pytest.mark.parametrize("sample", ["memory_tagged.jsonl", "memory_plain.jsonl", "events.jsonl"])
def test_importing_again_writes_nothing(load: Import, store: Path, sample: str) -> None:
    load(SAMPLES / sample)
    with lithograph.open(store, mode="r") as graph:
        sequence = graph.sequence
    again = load(SAMPLES / sample)

    assert (again.written, again.commits, again.nodes_made, again.missing_ends) == (0, 0, 0, 0)
    with lithograph.open(store, mode="r") as graph:
        assert graph.sequence == sequence


def test_entities_of_one_name_are_merged(load: Import, store: Path) -> None:
    answer = load(
        [
            {"name": "a", "entityType": "x", "observations": ["1", "1", "2"], "p": 1},
            {"name": "a", "entityType": "y", "observations": ["3", "2"], "q": 2},
            {"type": "entity", "name": "a", "observations": ["3"]},
        ]
    )

    assert (answer.nodes, answer.nodes_made, answer.written) == (3, 1, 1)
    with lithograph.open(store, mode="r") as graph:
        node = graph.node("a")
    assert (node.type, node.observations) == ("y", ("1", "1", "2", "3"))
    assert node.properties == {"p": 1, "q": 2}


def test_standard_input(store: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lithograph.tools.segtool", "import", "jsonl", "-"]
    done = subprocess.run(
        [*command, "--store", str(store)],
        input=(SAMPLES / "memory_tagged.jsonl").read_bytes() + b"nonsense\n",
        capture_output=True,
        cwd=tmp_path,
    )

    assert done.returncode == 1
    assert b"nodes_made\t4\n" in done.stdout
    assert b"stdin.rejects" in done.stderr
    assert [line["line"] for line in objects(tmp_path / "stdin.rejects")] == [7]


def test_rejects_stand_beside_the_file(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "memory.jsonl"
    path.write_text('nonsense\n{"name": "a", "entityType": ""}\n')

    assert main(["import", "jsonl", str(path), "--store", str(store)]) == 1
    out, err = capsys.readouterr()
    assert f"rejects\t{path}.rejects\n" in out
    assert err == f"segtool: 1 line set aside: {path}.rejects has them with reasons\n"
    (line,) = objects(tmp_path / "memory.jsonl.rejects")
    assert line == {
        "line": 1,
        "reason": "not JSON: Expecting value at column 1",
        "text": "nonsense",
    }


def test_rejects_never_replace_what_is_read(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, link = tmp_path / "memory.jsonl", tmp_path / "link"
    path.write_text("nonsense\n")
    link.symlink_to(path)

    for rejects in (path, link):
        command = ["import", "jsonl", str(path), "--store", str(store)]
        assert main([*command, "--rejects", str(rejects)]) == 2
        assert "would write over" in capsys.readouterr().err
    assert path.read_text() == "nonsense\n"
    assert not store.exists()


# Events -------------------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=1_700_000_000 + seconds)


def test_events_are_commits_at_their_times(load: Import, store: Path) -> None:
    answer = load(SAMPLES / "events.jsonl")

    # Two deletions are two commits each.
    assert answer.commits == 12
    assert answer.more == {"events": 10, "events_known": 0, "events_moved": 0}
    assert answer.missing_ends == 1
    with lithograph.open(store) as graph:
        changes = {change.sequence: change.time for change in graph.changes()}
        assert list(changes.values()) == [
            at(offset) for offset in (0, 60.25, 120, 180, 240, 240, 300, 360, 360, 420, 420, 480)
        ]
        with graph.as_of(at(200)) as then:
            service = then.node("Service")
            assert (service.type, service.observations) == ("system", ("small", "fast"))
            assert service.created_at == at(0)
            assert service.properties == {
                "createdBy": "ada",
                "eventId": "e-4",
                "updatedBy": "bob",
                "updatedAt": 1700000180,
            }
            assert then.node("Database").properties["tier"] == 1
            assert then.neighbors("Service") == ["Database"]
        with graph.as_of(at(240)) as then:
            assert (then.node("Service").type, then.node("Service").observations) == ("service", ())
        with graph.as_of(at(300)) as then:
            uses = next(then.edges("Service"))
            assert (uses.valid_to, uses.properties["source"]) == (at(300), "cron")
        # Who deleted it is in the version before.
        *_, marked, deleted = graph.history("Database")
        assert marked.node is not None
        assert (marked.node.properties["eventId"], deleted.node) == ("e-9", None)
        assert (graph.node_count, graph.edge_count) == (2, 1)
        assert graph.verify(deep=True) == []


def test_events_that_come_late_or_early_are_moved_and_counted(load: Import, store: Path) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("now")
        newest = next(iter(graph.changes())).time
    answer = load(
        [
            event("entity_created", "e1", 1_700_000_000, {"name": "a", "entityType": "t"}),
            event("entity_updated", "e2", 1_700_000_001, {"name": "a", "note": 1}),
            event("entity_updated", "e3", 200_000_000_000, {"name": "a", "note": 2}),
        ]
    )

    assert answer.more == {"events": 3, "events_known": 0, "events_moved": 3}
    with lithograph.open(store) as graph:
        first, second, third = graph.history("a")
        assert first.time == second.time == newest
        assert newest <= third.time <= datetime.now(UTC)
        assert third.node is not None
        assert second.node is not None
        assert third.node.created_at == at(0)
        assert second.node.properties["updatedAt"] == 1_700_000_001
        assert third.node.properties["updatedAt"] == 200_000_000_000


def event(kind: str, event_id: Any, ts: Any, data: Any, **more: Any) -> dict[str, Any]:
    return {"eventType": kind, "eventId": event_id, "ts": ts, "data": data} | more


def test_a_log_that_grew_is_taken_up_where_it_ended(load: Import, store: Path) -> None:
    lines = objects(SAMPLES / "events.jsonl")
    for count in (1, 4, 8, 9, 10):
        answer = load(lines[:count])
        assert answer.more["events_moved"] == 0
    with lithograph.open(store) as graph:
        grown = list(graph.changes())
    store.rename(store.with_name("b.graph"))
    load(lines)

    with lithograph.open(store) as graph:
        assert [(c.sequence, c.time) for c in grown] == [
            (c.sequence, c.time) for c in graph.changes()
        ]


def test_a_deletion_cut_in_two_is_completed(
    load: Import, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = objects(SAMPLES / "events.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(jsonl_replay, "_delete_node", interrupted)
        assert (
            main(["import", "jsonl", str(SAMPLES / "events.jsonl"), "--store", str(store)]) == 130
        )
    with lithograph.open(store) as graph:
        assert graph.node("Database").properties["eventId"] == "e-9"
    load(lines)

    with lithograph.open(store) as graph:
        assert "Database" not in graph
        assert graph.neighbors("Service") == ["Queue"]


def interrupted(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_an_event_without_an_id_is_known_again(load: Import, store: Path) -> None:
    lines = [
        event("entity_created", "e1", 1, {"name": "a", "observations": ["kept"]}),
        event("entity_updated", "e2", 2, {"name": "a", "n": 1}),
        event("entity_updated", "e3", 3, {"name": "a", "n": 2}),
    ]
    for line in lines:
        del line["eventId"]
    first, second = load(lines), load([*lines, lines[2] | {"ts": 4}])

    assert (first.more["events_known"], second.more["events_known"]) == (0, 3)
    with lithograph.open(store, mode="r") as graph:
        assert [change.time.second for change in graph.history("a")] == [1, 2, 3, 4]
        # An update leaves what it does not name.
        assert graph.node("a").observations == ("kept",)


def test_an_event_without_a_key_is_about_the_edge_without_one_or_all(
    load: Import, store: Path
) -> None:
    ends = {"from": "a", "to": "b", "relationType": "t"}
    load(
        [
            event("relation_created", "e1", 1, ends | {"validFrom": 5}),
            event("relation_created", "e2", 2, ends | {"validFrom": 7}),
            event("relation_updated", "e3", 3, ends | {"note": "all"}),
            event("relation_created", "e4", 4, ends),
            event("relation_updated", "e5", 5, ends | {"note": "one"}),
            event("relation_updated", "e6", 6, ends | {"validFrom": 7, "validTo": 8}),
            event("relation_deleted", "e7", 7, ends | {"validFrom": 5, "validTo": 6}),
        ]
    )

    with lithograph.open(store, mode="r") as graph:
        edges = {edge.key: edge for edge in graph.edges("a")}
        assert {key: edge.properties["note"] for key, edge in edges.items()} == {
            "": "one",
            "7": "all",
        }
        assert edges["7"].valid_to == EPOCH + timedelta(seconds=9)
        *_, marked, deleted = graph.changes()
        assert isinstance(marked, EdgeChange)
        assert isinstance(deleted, EdgeChange)
        assert marked.edge is not None
        # A deletion says who did it, and changes nothing else.
        assert (marked.key, marked.edge.properties["eventId"]) == ("5", "e7")
        assert (marked.edge.valid_to, deleted.edge) == (None, None)


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({"eventType": "entity_exploded"}, "is no type of event: use entity_created"),
        ({"eventType": 5}, "5 is no type of event"),
        ({"ts": None}, 'the event has no time: "ts" must be unix seconds'),
        ({"ts": 1_700_000_000_000}, "found 1700000000000"),
        ({"data": []}, '"data" must be an object, found a list'),
        ({"data": {"entityType": "x"}}, '"name" must be a text, found none'),
        ({"eventType": "observation_added"}, "must hold one of name, entityName"),
        ({"eventType": "relation_created"}, '"from" must be a text'),
        ({"data": {"name": "a", "eventId": "other"}}, "different things of 'eventId'"),
    ],
)
def test_events_that_say_nothing_are_set_aside(
    load: Import, tmp_path: Path, flaw: dict[str, Any], reason: str
) -> None:
    sound = event("entity_created", "e", 1, {"name": "a"})
    answer = load([sound | flaw, sound], code=1)

    assert (answer.rejected, answer.nodes_made) == (1, 1)
    assert rejected(tmp_path)[0][0] == 1
    assert reason in rejected(tmp_path)[0][1]


# Lines that are none ------------------------------------------------------------------------------

DEEP = b'{"name": "a", "entityType": "", "p": ' + b"[" * 100 + b"]" * 100 + b"}"
HOSTILE: list[tuple[bytes, str]] = [
    (b"\xff\xfe", "not UTF-8: byte 0xff at column 1"),
    (b'{"name": "\xc3"}', "not UTF-8"),
    (b"nonsense", "not JSON: Expecting value at column 1"),
    (b'{"name": "a"', "not JSON"),
    (b"{} {}", "not JSON: Extra data"),
    (b"[1, 2]", "not an object, found a list"),
    (b"null", "not an object, found null"),
    (b"[" * 100_000, "not read: lists and objects are nested too deeply"),
    (b'{"a":' * 100_000, "not read: lists and objects are nested too deeply"),
    (DEEP, "nested deeper than 64 levels"),
    (b"1" * 5000, "not read: an integer has too many digits"),
    (b'{"name": "a", "name": "b"}', "the key 'name' stands twice"),
    (b'{"name": "a", "entityType": "", "p": {"x": 1, "x": 1}}', "the key 'x' stands twice"),
    (b'{"name": "a", "entityType": "", "p": NaN}', "NaN is no number in JSON"),
    (b'{"name": "a", "entityType": "", "p": -Infinity}', "-Infinity is no number in JSON"),
    (b'{"name": "a", "entityType": "", "p": 1e999}', "inf is not a finite number"),
    (b'{"name": "a", "entityType": "", "p": 18446744073709551616}', "65 bits"),
    (b'{"name": "\\ud800", "entityType": ""}', "lone surrogate"),
    (b'{"name": "a", "entityType": "", "\\udfff": 1}', "lone surrogate"),
    (b'{"name": "", "entityType": ""}', "the name is empty"),
    (b'{"name": 5, "entityType": ""}', '"name" must be a text, found 5'),
    (b'{"name": "a", "entityType": null}', '"entityType" must be a text, found null'),
    (b'{"name": "a", "observations": "x"}', '"observations" must be a list'),
    (
        b'{"name": "a", "observations": ["x", {}]}',
        "observations[1] must be a text, found an object",
    ),
    (b'{"name": "' + b"a" * 65_536 + b'", "entityType": ""}', "the limit is 65,535"),
    (b'{"type": "entity"}', '"name" must be a text, found none'),
    (b'{"type": "relation", "from": "a", "to": "b"}', '"relationType" must be a text'),
    (b'{"from": "a", "to": "", "relationType": "t"}', "the target is empty"),
    (b'{"from": "a", "to": "b", "relationType": "t", "key": 1}', '"key" must be a text, found 1'),
    (b'{"from":"a","to":"b","relationType":"t","validFrom":9,"validTo":7}', "before it begins"),
    (b'{"name": "a", "entityType": "", "@createdAt": 1, "createdAt": null}', "cannot both be kept"),
    (b'{"name": "a"}', "neither an entity"),
    (b"{}", "its keys: none"),
    (b'{"entities": [], "relations": []}', "its keys: 'entities', 'relations'"),
]


@pytest.mark.parametrize("strict", [False, True])
def test_hostile_lines_are_set_aside(
    load: Import, store: Path, tmp_path: Path, strict: bool
) -> None:
    lines = b"".join(line + b"\n" for line, _ in HOSTILE)
    sound = b'{"name": "sound", "entityType": ""}\r\n\n  \n'
    answer = load(lines + sound, *(["--strict"] if strict else []), code=1)

    assert answer.rejected == len(HOSTILE)
    assert answer.rejects == str(tmp_path / "rejects")
    for number, reason in rejected(tmp_path):
        assert HOSTILE[number - 1][1] in reason
    assert {number for number, _ in rejected(tmp_path)} == set(range(1, len(HOSTILE) + 1))
    assert (answer.refused, answer.nodes_made, store.exists()) == (strict, not strict, not strict)


def test_strict_takes_what_is_sound(load: Import) -> None:
    answer = load(SAMPLES / "memory_plain.jsonl", "--strict")

    assert (answer.refused, answer.nodes_made, answer.rejected) == (False, 3, 0)


def test_a_line_of_a_hundred_megabytes_is_passed_over(
    load: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "LINE_SIZE_MAX", 1 << 16)
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"name": "a", "entityType": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"name": "b", "entityType": ""}')
    answer = load(path, code=1)

    assert (answer.rejected, answer.nodes_made) == (1, 1)
    assert "longer than" in rejected(tmp_path)[0][1]
    assert (tmp_path / "rejects").stat().st_size < 100_000


def test_a_byte_order_mark_and_an_empty_file(load: Import) -> None:
    assert load(b"").nodes == 0
    assert load(b'\xef\xbb\xbf{"name": "a", "entityType": ""}').nodes_made == 1
    assert load(b'\xef\xbb\xbf{"from": "a", "to": "a", "relationType": ""}').edges_made == 1


words = st.sampled_from(["a", "b", "entity", "relation", "entity_created", "relation_deleted", ""])
scraps = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=3,
)
known_keys = st.sampled_from(
    [
        *sorted(ENTITY_FIELDS - {"eventType"}),
        *sorted(RELATION_FIELDS - {"eventType"}),
        "@type",
        "@name",
        "other",
    ]
)
bodies = st.dictionaries(known_keys, scraps, max_size=5)
sound_bodies = st.builds(
    lambda body, fields: body | fields,
    bodies,
    st.sampled_from(
        [{"name": "a", "entityType": "t"}, {"from": "a", "to": "b", "relationType": "t"}]
    ),
)
events = st.fixed_dictionaries(
    {
        "eventType": st.sampled_from(sorted(ACTIONS)) | scraps,
        "ts": st.integers(0, 2**31) | scraps,
        "data": sound_bodies | scraps,
    },
    optional={"eventId": scraps, "user": scraps, "name": scraps},
)
hostile_lines = (bodies | sound_bodies | events).map(lambda line: json.dumps(line).encode()) | (
    st.binary(max_size=10)
)


def is_blank(line: bytes, number: int) -> bool:
    text = line.decode(errors="replace")
    text = text if number else text.removeprefix("\ufeff")
    return not text or text.isspace()


@pytest.mark.parametrize(
    ("kinds", "pass_count"), [("n", 1), ("nr", 2), ("e", 3), ("nre", 4), ("nren", 4)]
)
def test_all_passes_are_one_job(store: Path, tmp_path: Path, kinds: str, pass_count: int) -> None:
    """How far it is never runs back, and in the end it is all."""
    lines = {
        "n": b'{"type": "entity", "name": "a", "entityType": "T", "observations": []}',
        "r": b'{"type": "relation", "from": "a", "to": "b", "relationType": "R"}',
        "e": b'{"eventType": "entity_created", "eventId": "1", "ts": 1, "user": "u",'
        b' "data": {"name": "c", "entityType": "T", "observations": []}}',
    }
    path = tmp_path / "lines"
    path.write_bytes(b"\n".join(lines[kind] for kind in kinds))
    told: list[tuple[int, int | None]] = []
    with InputFile(str(path)) as file, lithograph.open(store) as graph:
        with Rejects(tmp_path / "rejects") as rejects:
            work = Work(graph, Loader(graph), rejects)
            source = JsonLines(file)
            for row in rejects.sift(source.rows(lambda *done: told.append(done))):
                work.loader.add(row)
            work.loader.finish()
            source.replay(work, lambda done, total: None)
        size = file.size

    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (pass_count * size, pass_count * size)


@settings(max_examples=40)
@given(st.lists(hostile_lines.map(lambda line: line.replace(b"\n", b"")), max_size=8))
def test_every_line_is_taken_or_set_aside(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("lines")
    (path / "in").write_bytes(b"\n".join(lines))
    with InputFile(str(path / "in")) as file:
        rows = list(JsonLines(file).rows(lambda done, total: None))
    command = ["import", "jsonl", str(path / "in"), "--store", str(path / "a")]
    code = main(command)
    again = main(command)
    with lithograph.open(path / "a") as graph:
        findings = graph.verify(deep=True)
    with InputFile(str(path / "in")) as file:
        source = JsonLines(file)
        taken = len(list(source.rows(lambda done, total: None))) + source.event_count

    blank = sum(is_blank(line, number) for number, line in enumerate(lines))
    assert code == again == any(isinstance(row, Reject) for row in rows)
    assert findings == []
    assert taken == len(lines) - blank


@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_what_cannot_be_read_makes_no_store(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], strict: list[str]
) -> None:
    command = ["import", "jsonl", str(tmp_path / "absent"), "--store", str(store), *strict]

    assert main(command) == 5
    assert "absent: No such file" in capsys.readouterr().err
    assert not store.exists()


# Interrupts ---------------------------------------------------------------------------------------


COUNT = 25_000


@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_an_interrupted_import_leaves_whole_commits(
    store: Path, tmp_path: Path, delay: float
) -> None:
    path = tmp_path / "many.jsonl"
    with path.open("w") as file:
        for number in range(COUNT):
            line = {"name": f"n{number}", "entityType": "t", "observations": ["o"]}
            file.write(json.dumps(line) + "\n")
    with lithograph.open(store):
        pass
    command = [sys.executable, "-m", "lithograph.tools.segtool", "import", "jsonl", str(path)]
    process = subprocess.Popen(
        [*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    log = store / "wal"
    empty = sum(file.stat().st_size for file in log.iterdir())
    while sum(file.stat().st_size for file in log.iterdir()) == empty and process.poll() is None:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"segtool: interrupted\n")
    with lithograph.open(store) as graph:
        assert graph.verify(deep=True) == []
        assert 0 < graph.node_count < COUNT
        assert graph.node_count % 5_000 == 0
    assert main(["import", "jsonl", str(path), "--store", str(store)]) == 0
    with lithograph.open(store) as graph:
        assert graph.node_count == COUNT


# Export -------------------------------------------------------------------------------------------


def test_an_export_takes_a_part(
    load: Import, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = SAMPLES / "memory_tagged.jsonl"
    assert main(["import", "jsonl", str(path), "--store", str(store)]) == 0
    with lithograph.open(store) as graph:
        sequence = graph.sequence
        graph.delete_node("Ada Lovelace")

    def found(*options: str) -> list[tuple[str, str]]:
        lines = exported(store, capsys, *options)
        return [(line.get("name") or line["from"], line.get("to", "")) for line in lines]

    then = ("--as-of", str(sequence))
    assert found("--type", "person") == [("Charles Babbage", "")]
    assert found("--type", "person", *then) == [("Ada Lovelace", ""), ("Charles Babbage", "")]
    assert found("--prefix", "A", *then) == [
        ("Ada Lovelace", ""),
        ("Analytical Engine", ""),
        ("Ada Lovelace", "Analytical Engine"),
    ]
    assert found("--type", "nothing") == []
    assert len(found(*then)) == 7


def test_an_export_to_a_file_says_what_it_wrote(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = SAMPLES / "memory_tagged.jsonl"
    assert main(["import", "jsonl", str(path), "--store", str(store)]) == 0
    file = tmp_path / "out.jsonl"
    capsys.readouterr()
    for form in ("--json", "--ndjson"):
        command = ["export", "jsonl", "--store", str(store), form]
        assert main([*command, "-o", str(file)]) == 0
        answer = msgspec.json.decode(capsys.readouterr().out, type=ExportAnswer, strict=True)
        assert (answer.files, answer.nodes, answer.edges) == ([str(file)], 4, 3)
        assert answer.bytes == file.stat().st_size
        assert main(command) == 2
        assert "need -o FILE" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir() if "part" in entry.name] == []


def test_an_export_that_fails_leaves_the_old_file(
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("a")
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("lithograph.tools.importers.jsonl_record.entity_line", interrupted)
        assert main(["export", "jsonl", "--store", str(store), "-o", str(file)]) == 130

    assert file.read_text() == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.graph", "out.jsonl"]
    for place in (tmp_path, tmp_path / "absent" / "x"):
        assert main(["export", "jsonl", "--store", str(store), "-o", str(place)]) == 5
        assert str(place) in capsys.readouterr().err
    ours, theirs = os.openpty()
    assert main(["export", "jsonl", "--store", str(store), "-o", os.ttyname(theirs)]) == 0
    assert b'"name":"a"' in os.read(ours, 4096)
    assert Path(os.ttyname(theirs)).is_char_device()
    os.close(theirs)
    os.close(ours)


def test_an_export_never_steers_a_terminal(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("Zoë \x1b[31m \u202e")
    command = ["export", "jsonl", "--store", str(store)]
    assert main(command) == 0
    piped = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(command) == 0
    shown = capsys.readouterr().out

    assert "Zoë \\u001b[31m \u202e" in piped
    assert shown.isascii()
    assert json.loads(shown) == json.loads(piped)


def test_a_reader_that_goes_away_is_no_error(store: Path) -> None:
    with lithograph.open(store) as graph, graph.transaction() as tx:
        for number in range(5_000):
            tx.put_node(f"node {number}", type="t" * 50)
    command = [sys.executable, "-m", "lithograph.tools.segtool", "export", "jsonl"]
    with subprocess.Popen(
        [*command, "--store", str(store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"node 0" in process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_an_export_follows_a_link_and_keeps_it(store: Path, tmp_path: Path) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("a")
    link = tmp_path / "link"
    link.symlink_to("real")
    assert main(["export", "jsonl", "--store", str(store), "-o", str(link)]) == 0

    assert link.is_symlink()
    assert objects(tmp_path / "real")[0]["name"] == "a"
