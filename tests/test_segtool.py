"""segtool as a user meets it: every verb on sound, empty, missing, foreign and damaged stores."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.formats.current import SLOT as CURRENT_SLOT
from lithograph.formats.current import SLOT_SIZE
from lithograph.formats.file_header import HEADER, MAGIC
from lithograph.formats.manifest import MANIFEST
from lithograph.formats.shared_map import SLOT as SHARED_MAP_SLOT
from lithograph.formats.shared_map import SLOTS_OFFSET
from lithograph.formats.wal_header import WAL_HEADER, WAL_START
from lithograph.formats.wal_record import RECORD
from lithograph.kernel import xxh64
from lithograph.tools.segtool import main

HOSTILE = "\x1b[31mred\x07\u202e\tline\nend\\"
KINDS = ("CURRENT", "shared.map", "manifest/00000002.manifest", "wal/00000001.wal")


class Answer:
    """What a command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def fields(self) -> dict[str, str]:
        """Two-column rows as a map."""
        return {row[0]: row[1] for row in self.rows}

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Segtool = Callable[..., Answer]


@pytest.fixture
def segtool(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Segtool:
    """Run a command in this process; whatever it says on standard error is one tidy line."""
    monkeypatch.delenv("LITHOGRAPH_STORE", raising=False)

    def run(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert all(line.startswith("segtool: ") for line in err.splitlines())
        assert bool(err) == (code != 0)
        return Answer(code, out, err)

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A store of three commits: two people, what one knows of the other, and a hostile node."""
    path = tmp_path / "small.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            tx.put_node("Ada", type="Person", observations=["first"], properties={"born": 1815})
            tx.put_node("Charles", type="Person")
            tx.put_edge("Ada", "knows", "Charles", key="k", properties={"since": 1833})
        graph.put_edge("Ada", "likes", "Ada")
        graph.put_node(HOSTILE, type=HOSTILE, observations=[HOSTILE], properties={HOSTILE: HOSTILE})
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.graph"
    lithograph.open(path).close()
    return path


def flip(path: Path, offset: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


# Looking ------------------------------------------------------------------------------------------


def test_info_counts_what_is_there(segtool: Segtool, small: Path) -> None:
    text, as_json = segtool("info", "--store", small), segtool("info", "--store", small, "--json")

    assert text.fields["node_count"] == "3"
    assert as_json.json["edge_count"] == 2
    assert as_json.json["sequence"] == 3
    assert as_json.json.keys() == text.fields.keys()


def test_info_of_an_empty_store(segtool: Segtool, empty: Path) -> None:
    assert segtool("info", "--store", empty).fields["node_count"] == "0"


def test_get_shows_every_field(segtool: Segtool, small: Path) -> None:
    text = segtool("get", "Ada", "--store", small).fields
    found = segtool("get", "Ada", "--store", small, "--json").json

    assert (text["type"], text["observation"], text["property:born"]) == ("Person", "first", "1815")
    assert (text["out_degree"], text["in_degree"]) == ("2", "1")
    assert found["observations"] == ["first"]
    assert found["properties"] == {"born": 1815}
    assert found["created_at"] == text["created_at"]


def test_neighbors_by_direction_type_and_limit(segtool: Segtool, small: Path) -> None:
    def of(*options: str) -> list[tuple[str, ...]]:
        rows = segtool("neighbors", "Ada", "--store", small, *options).rows
        return [tuple(row[:3]) for row in rows]

    knows, likes = ("out", "knows", "Charles"), ("out", "likes", "Ada")
    assert of() == [knows, likes]
    assert of("--direction", "both") == [knows, likes]
    assert of("--direction", "in") == [("in", "likes", "Ada")]
    assert of("--type", "knows") == [knows]
    assert of("--type", "knows", "--type", "likes") == [knows, likes]
    assert of("--type", "nothing") == []
    assert of("--limit", "1") == [knows]
    assert of("--limit", "0") == []


def test_neighbors_as_json(segtool: Segtool, small: Path) -> None:
    found = segtool("neighbors", "Charles", "--direction", "both", "--store", small, "--json").json

    (edge,) = found["edges"]
    assert found["name"] == "Charles"
    assert (edge["direction"], edge["neighbor"], edge["key"]) == ("in", "Ada", "k")
    assert edge["properties"] == {"since": 1833}
    assert edge["valid_to"] is None
    nothing = segtool("neighbors", HOSTILE, "--store", small, "--json").json
    assert nothing == {"name": HOSTILE, "edges": []}


def test_looking_writes_nothing(segtool: Segtool, small: Path) -> None:
    def state() -> dict[str, bytes]:
        files = (path for path in small.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files if "locks" not in path.parts}

    before = state()
    segtool("info", "--store", small)
    segtool("get", "Ada", "--store", small)
    segtool("dump", small / "CURRENT")

    assert state() == before


# Which store, and what can be wrong with it -------------------------------------------------------


def test_the_variable_names_the_store(
    segtool: Segtool, small: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITHOGRAPH_STORE", str(small))

    assert segtool("get", "Ada").fields["name"] == "Ada"
    assert segtool("dump", "CURRENT").code == 0
    assert segtool("get", "Ada", "--store", empty).code == 1


@pytest.mark.parametrize(
    "verb", [("info",), ("get", "x"), ("neighbors", "x"), ("import", "python", ".")]
)
@pytest.mark.parametrize("value", [None, ""])
def test_no_store_named_is_a_usage_error(
    segtool: Segtool, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], value: str | None
) -> None:
    if value is not None:
        monkeypatch.setenv("LITHOGRAPH_STORE", value)
    answer = segtool(*verb)

    assert answer.code == 2
    assert "--store" in answer.err
    assert "LITHOGRAPH_STORE" in answer.err


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("verb", ["get", "neighbors"])
def test_an_absent_name_is_told_apart(
    segtool: Segtool, small: Path, empty: Path, verb: str, options: tuple[str, ...]
) -> None:
    for store in (small, empty):
        answer = segtool(verb, "nobody", "--store", store, *options)
        assert (answer.code, answer.out) == (1, "")
        assert "nobody" in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("get",),
        ("get", ""),
        ("get", "\udcff"),
        ("get", "x" * 70_000),
        ("neighbors", "Ada", "--limit", "-1"),
        ("neighbors", "Ada", "--limit", "ten"),
        ("neighbors", "Ada", "--direction", "up"),
        ("info", "--sto", "x"),
        ("import",),
        ("import", "cobol"),
        ("import", "python"),
        ("dump",),
    ],
)
def test_wrong_usage(
    segtool: Segtool, small: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LITHOGRAPH_STORE", str(small))
    answer = segtool(*arguments)

    assert answer.code == 2
    assert answer.err.count("\n") == 1


VERBS = (("info",), ("get", "Ada"), ("neighbors", "Ada"))


@pytest.mark.parametrize("verb", VERBS)
def test_a_missing_or_foreign_store(
    segtool: Segtool, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    file, foreign = tmp_path / "file", tmp_path / "foreign"
    file.write_text("text")
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")

    for path in (tmp_path / "missing", file, foreign):
        answer = segtool(*verb, "--store", path)
        assert (answer.code, answer.out) == (5, "")
        assert path.name in answer.err
    assert not (tmp_path / "missing").exists()
    assert [path.name for path in foreign.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_damaged_log_is_corruption(segtool: Segtool, small: Path, verb: tuple[str, ...]) -> None:
    flip(small / "wal/00000001.wal", WAL_START + RECORD.size + 30)
    answer = segtool(*verb, "--store", small)

    assert answer.code == 4
    assert f"00000001.wal@{WAL_START}" in answer.err


@pytest.mark.parametrize("verb", VERBS)
def test_one_damaged_slot_is_survived_and_two_are_not(
    segtool: Segtool, small: Path, verb: tuple[str, ...]
) -> None:
    flip(small / "CURRENT", 100)
    assert segtool(*verb, "--store", small).code == 0
    flip(small / "CURRENT", SLOT_SIZE + 100)
    answer = segtool(*verb, "--store", small)

    assert answer.code == 4
    assert "CURRENT@" in answer.err


def test_a_store_that_is_held_is_locked(
    segtool: Segtool, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = (
        f"import lithograph; g = lithograph.open({str(small)!r}, exclusive=True); print(1); input()"
    )
    monkeypatch.setattr(lithograph, "open", partial(lithograph.open, lock_timeout=0.05))
    with subprocess.Popen(
        [sys.executable, "-uc", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        answer = segtool("info", "--store", small)
        holder.communicate(b"\n")

    assert answer.code == 3
    assert str(holder.pid) in answer.err


# What is shown ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Pipe(io.StringIO):
    pass


Shown = Callable[..., str]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Run a command with standard output as given; return what it wrote."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(stream: io.StringIO, *arguments: object, color: bool = False, code: int = 0) -> str:
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdout", stream)
            changed.setenv("TERM", "xterm-256color")
            if not color:
                changed.setenv("NO_COLOR", "1")
            assert main([str(argument) for argument in arguments]) == code
        return stream.getvalue()

    return run


def steering(text: str) -> set[str]:
    """Return the control characters of `text` that a store's contents could have brought in."""
    return {char for char in text if not char.isprintable()} - {"\n", "\t"}


@pytest.mark.parametrize("verb", ["get", "neighbors", "dump"])
def test_no_text_of_a_store_steers_a_terminal(small: Path, shown: Shown, verb: str) -> None:
    with lithograph.open(small) as graph:
        graph.put_edge(HOSTILE, HOSTILE, HOSTILE, key=HOSTILE, properties={HOSTILE: [HOSTILE]})
    subject = small / "wal/00000001.wal" if verb == "dump" else HOSTILE
    command = (verb, subject, "--store", small)

    # Bold and dim are no colors: NO_COLOR leaves them.
    on_terminal = re.sub("\x1b\\[[0-9;]*m", "", shown(Terminal(), *command))
    for text in (on_terminal, shown(Pipe(), *command)):
        assert steering(text) == set()
        assert r"\u001b[31mred\u0007\u202e\tline\nend\\" in text
    as_json = shown(Pipe(), *command, "--json")
    assert steering(as_json) == set()
    assert json.dumps(HOSTILE)[1:-1] in as_json


def test_errors_do_not_steer_a_terminal(segtool: Segtool, small: Path, tmp_path: Path) -> None:
    answers = [
        segtool("get", HOSTILE + "x", "--store", small),
        segtool("info", "--store", tmp_path / "\x1b[2J\nno"),
        segtool("dump", tmp_path / "\x1b[2J\nno"),
        segtool("info", "\x1b[2J\nno"),
    ]

    for answer in answers:
        assert steering(answer.err) == set()
        assert answer.err.count("\n") == 1


def test_colors_are_for_terminals_that_want_them(small: Path, shown: Shown) -> None:
    flip(small / "CURRENT", 100)
    command = ("dump", small / "CURRENT")

    red = "\x1b[1;31m"
    assert red in shown(Terminal(), *command, color=True, code=4)
    assert red not in shown(Terminal(), *command, code=4)
    assert "\x1b" not in shown(Pipe(), *command, color=True, code=4)


def test_a_terminal_is_not_flooded_by_a_hub(tmp_path: Path, shown: Shown) -> None:
    store = tmp_path / "hub.graph"
    with lithograph.open(store) as graph, graph.transaction() as tx:
        for number in range(1_001):
            tx.put_edge("hub", "to", f"leaf {number}", create_missing=True)
    command = ("neighbors", "hub", "--store", store)

    text = shown(Terminal(), *command)
    assert text.count("leaf") == 1_000
    assert "the first 1,000; --limit N shows more" in text
    assert shown(Pipe(), *command).count("leaf") == 1_001
    assert shown(Terminal(), *command, "--limit", 1_001).count("leaf") == 1_001
    assert " 1,002 " in shown(Terminal(), "info", "--store", store)


def test_help_of_every_verb_has_an_example(segtool: Segtool) -> None:
    for verb in (("import", "python"), ("info",), ("get",), ("neighbors",), ("dump",)):
        answer = segtool(*verb, "--help")
        assert answer.code == 0
        assert f"example:\n  segtool {' '.join(verb)}" in answer.out
    assert "LITHOGRAPH_STORE" in segtool("--help").out
    assert lithograph.__version__ in segtool("--version").out


def test_a_reader_that_goes_away_is_no_error(small: Path) -> None:
    command = [sys.executable, "-m", "lithograph.tools.segtool", "dump"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*command, small / KINDS[3]], stdout=write, stderr=subprocess.PIPE)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


# Dump ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layouts"),
    [
        (KINDS[0], (HEADER, CURRENT_SLOT)),
        (KINDS[1], (HEADER, SHARED_MAP_SLOT)),
        (KINDS[2], (HEADER, MANIFEST)),
        (KINDS[3], (HEADER, WAL_HEADER, RECORD)),
    ],
)
def test_dump_shows_every_field(
    segtool: Segtool, small: Path, name: str, layouts: tuple[Any, ...]
) -> None:
    text, found = segtool("dump", small / name), segtool("dump", small / name, "--json").json

    assert text.code == 0
    assert found["errors"] == []
    assert found["size"] == (small / name).stat().st_size
    named = [row[2] for row in text.rows if not row[0].startswith("#")]
    fields = [field for part in found["parts"] for field in part["fields"]]
    assert named == [field["field"] for field in fields]
    assert {field.name for layout in layouts for field in layout.fields} <= set(named)
    # The fields stand side by side: no byte is told twice.
    ends = [field["offset"] + field["size"] for field in fields]
    starts = [field["offset"] for field in fields]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    # The values are those of the bytes.
    assert fields[0]["value"] == MAGIC.hex()


def test_dump_shows_every_operation_of_a_log(segtool: Segtool, small: Path) -> None:
    with lithograph.open(small) as graph:
        graph.add_observations("Ada", ["second"])
        graph.put_edge("Ada", "knows", "Charles", key="k", properties={"since": 1834})
        graph.delete_edge("Ada", "likes", "Ada")
        graph.delete_node("Charles")
    text = segtool("dump", small / KINDS[3]).out

    for verb in (
        "define type",
        "insert node",
        "update node",
        "delete node",
        "insert edge",
        "update edge",
        "delete edge",
    ):
        assert f": {verb}\n" in text
    assert text.count("# record: commit ") == 7
    assert '\tappended\t["second"]\t' in text
    assert '\tproperties\t{"since": 1834}\t' in text


def test_dump_finds_a_file_by_its_name_in_the_store(segtool: Segtool, small: Path) -> None:
    answer = segtool("dump", "wal/00000001.wal", "CURRENT", "--store", small)

    assert answer.code == 0
    titles = [line for line in answer.out.splitlines() if line.startswith(f"# {small}")]
    assert [title.split(": ")[1].split(",")[0] for title in titles] == ["WAL", "CURRENT"]
    assert segtool("dump", "nothing", "CURRENT", "--store", small, "--json").code == 5


def test_a_damaged_record_is_shown_and_the_next_one_found(segtool: Segtool, small: Path) -> None:
    path = small / KINDS[3]
    parts = segtool("dump", path, "--json").json["parts"]
    records = [part["offset"] for part in parts if part["title"].startswith("record")]
    flip(path, records[1] + RECORD.size + 3)
    text, found = segtool("dump", path), segtool("dump", path, "--json")

    assert (text.code, found.code) == (4, 4)
    assert f"@{records[1]}: " in text.err
    assert [str(records[1]), "0", "error"] in [row[:3] for row in text.rows]
    assert [error["offset"] for error in found.json["errors"]] == [records[1]]
    still = [part["offset"] for part in found.json["parts"] if part["title"].startswith("record")]
    assert still == [records[0], records[2]]
    assert found.json["errors"][0]["message"].endswith("it is damage")


def test_the_torn_end_of_a_log_is_named_so(segtool: Segtool, small: Path) -> None:
    path = small / KINDS[3]
    path.write_bytes(path.read_bytes()[:-8])
    answer = segtool("dump", path)

    assert answer.code == 4
    assert "a torn tail, unless" in answer.err


@pytest.mark.parametrize("name", KINDS)
def test_dump_of_any_flipped_bit_tells_it(segtool: Segtool, small: Path, name: str) -> None:
    path = small / name
    whole = path.read_bytes()
    unused = SLOTS_OFFSET + (1 - whole[64] % 2) * SHARED_MAP_SLOT.size
    for offset in range(0, len(whole), 1 + len(whole) // 200):
        flip(path, offset, offset % 8)
        answer = segtool("dump", path)
        path.write_bytes(whole)
        if name == "shared.map" and not (offset < 72 or 0 <= offset - (384 - unused) < 128):
            assert answer.code in (0, 4)
            continue

        assert answer.code == 4, offset
        assert "\terror\t" in answer.out


@pytest.mark.parametrize("name", KINDS)
def test_dump_of_any_prefix_tells_it(segtool: Segtool, small: Path, name: str) -> None:
    path = small / name
    whole = path.read_bytes()
    parts = segtool("dump", path, "--json").json["parts"]
    sound = {part["offset"] for part in parts if part["title"].startswith("record")}
    for size in range(0, len(whole), 1 + len(whole) // 200):
        path.write_bytes(whole[:size])
        answer, found = segtool("dump", path), segtool("dump", path, "--json")

        expected = 0 if size in sound else 4
        assert (answer.code, found.code) == (expected, expected), size
        assert bool(found.json["errors"]) == bool(expected)
        fields = [field for part in found.json["parts"] for field in part["fields"]]
        assert all(field["offset"] + field["size"] <= size for field in fields), size


def test_dump_of_a_newer_format_shows_the_header(segtool: Segtool, small: Path) -> None:
    for name in KINDS:
        path = small / name
        data = bytearray(path.read_bytes())
        for start in (0, SLOT_SIZE) if name == "CURRENT" else (0,):
            data[start + 8] = 9
            data[start + 56 : start + 64] = xxh64(bytes(data[start : start + 56])).to_bytes(
                8, "little"
            )
        path.write_bytes(data)
        answer = segtool("dump", path)

        assert answer.code == 5
        assert "format_version\t9\t" in answer.out
        assert "format version 9" in answer.err


def test_dump_refuses_what_is_no_file_of_a_store(segtool: Segtool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wal")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "nothing").touch()
    for name in ("fifo.wal", "text", "nothing", "missing", "."):
        answer = segtool("dump", tmp_path / name)

        assert (answer.code, answer.out) == (5, "")
        assert ("not a regular file" in answer.err) == (name in ("fifo.wal", "."))


def test_dump_of_a_record_that_does_not_continue(segtool: Segtool, small: Path) -> None:
    """A record that is sound by itself but was taken out of another place of the log."""
    path = small / KINDS[3]
    parts = segtool("dump", path, "--json").json["parts"]
    first, second, third = (p["offset"] for p in parts if p["title"].startswith("record"))
    data = path.read_bytes()
    path.write_bytes(data[:first] + data[second:third])
    answer = segtool("dump", path)

    assert answer.code == 4
    assert "sequence 0x2, expected 0x1" in answer.err
