"""segtool as a user meets it: every verb on sound, empty, missing, foreign and damaged stores."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.formats.commit_block import COMMIT_ROW
from lithograph.formats.current import SLOT as CURRENT_SLOT
from lithograph.formats.current import SLOT_SIZE
from lithograph.formats.file_header import HEADER, MAGIC
from lithograph.formats.layout import Layout
from lithograph.formats.manifest import MANIFEST
from lithograph.formats.manifest_entries import RUN_ENTRY, SEGMENT_ENTRY
from lithograph.formats.name_page import PAGE_HEAD
from lithograph.formats.name_run import RUN_FOOTER
from lithograph.formats.pin import PIN
from lithograph.formats.sealed import FOOTER_TAIL, decode_footer, encode_footer
from lithograph.formats.segment_footer import HISTORY_FOOTER, SEGMENT_FOOTER
from lithograph.formats.shared_map import SLOT as SHARED_MAP_SLOT
from lithograph.formats.shared_map import SLOTS_OFFSET
from lithograph.formats.table_directory import SPARSE_OUT_ROW, SPARSE_ROW
from lithograph.formats.wal_header import WAL_HEADER, WAL_START
from lithograph.formats.wal_record import RECORD
from lithograph.kernel import xxh64
from lithograph.tools.commands import rebuild_index
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
        """The one value; of a dump of one file, what it says of that."""
        value = json.loads(self.out)
        return value[0] if isinstance(value, list) and value and "parts" in value[0] else value


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

    (edge,) = found
    assert (edge["direction"], edge["neighbor"], edge["key"]) == ("in", "Ada", "k")
    assert edge["properties"] == {"since": 1833}
    assert edge["valid_to"] is None
    nothing = segtool("neighbors", HOSTILE, "--store", small, "--json").json
    assert nothing == []


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
    "verb",
    [("info",), ("get", "x"), ("neighbors", "x"), ("import", "python", "."), ("rebuild-index",)],
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
        ("dump", "CURRENT", "--page", "x"),
        ("dump", "CURRENT", "--page", "1", "--id", "2"),
        ("rebuild-index", "more"),
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
    for verb in (
        ("import", "python"),
        ("info",),
        ("get",),
        ("neighbors",),
        ("dump",),
        ("rebuild-index",),
    ):
        answer = segtool(*verb, "--help")
        assert answer.code == 0
        assert f"examples:\n  segtool {' '.join(verb)}" in answer.out
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


# Dump of sealed files -----------------------------------------------------------------------------

SEALED = ("names/*.run", "partitions/*/*.seg", "partitions/*/*.his")


@pytest.fixture
def flushed(tmp_path: Path) -> Path:
    """A store with a sealed segment, an open one, their histories, and two runs."""
    path = tmp_path / "flushed.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(40):
                tx.put_node(f"n{number:02}", type="T", properties={"number": number})
            for number in range(1, 40):
                tx.put_edge(f"n{number:02}", "to", f"n{number // 2:02}", properties={"n": number})
        graph.add_observations("n07", ["seen"])
        graph.delete_node("n03")
        graph.compact()
        graph.put_node("n03", observations=["x" * 2_000])
        graph.put_node(HOSTILE, type=HOSTILE, observations=[HOSTILE], properties={HOSTILE: HOSTILE})
        graph.put_edge(HOSTILE, "to", "n07", key=HOSTILE)
        graph.put_edge("n09", "to", "n04", properties={"n": 10})
        graph.put_node("n03", type="T")
        graph.delete_edge("n08", "to", "n04")
        graph.checkpoint()
    return path


def sealed_files(store: Path, pattern: str) -> list[Path]:
    found = sorted(store.glob(pattern))
    assert len(found) == 2
    return found


def fields_of(answer: Answer) -> list[dict[str, Any]]:
    return [field for part in answer.json["parts"] for field in part["fields"]]


@pytest.mark.parametrize(
    ("pattern", "layouts"),
    [
        (SEALED[0], (HEADER, PAGE_HEAD, RUN_FOOTER, FOOTER_TAIL)),
        (SEALED[1], (HEADER, SEGMENT_FOOTER, FOOTER_TAIL, COMMIT_ROW, SPARSE_OUT_ROW)),
        (SEALED[2], (HEADER, HISTORY_FOOTER, FOOTER_TAIL, SPARSE_ROW)),
    ],
)
def test_dump_of_sealed_files_shows_every_field(
    segtool: Segtool, flushed: Path, pattern: str, layouts: tuple[Any, ...]
) -> None:
    named = set()
    for path in sealed_files(flushed, pattern):
        text, found = segtool("dump", path), segtool("dump", path, "--json")

        assert (text.code, found.code, found.json["errors"]) == (0, 0, [])
        fields = fields_of(found)
        assert [row[2] for row in text.rows if row[0].isdecimal()] == [f["field"] for f in fields]
        named |= {field["field"] for field in fields}
        # No byte is told twice.
        ends = [field["offset"] + field["size"] for field in fields]
        starts = [field["offset"] for field in fields]
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
        assert ends[-1] == path.stat().st_size
    assert {field.name for layout in layouts for field in layout.fields} <= named


def test_dump_of_a_run_shows_what_became_of_names(segtool: Segtool, flushed: Path) -> None:
    old, new = (segtool("dump", path).out for path in sealed_files(flushed, SEALED[0]))

    assert "\tn07\tnode 7 by commit 1\n" in old
    assert "\tn03\tdeleted by commit 3; node 3 by commit 1\n" in old
    assert "\tn03\tnode 40 by commit 4\n" in new


def test_dump_of_a_branch_shows_its_children(segtool: Segtool, tmp_path: Path) -> None:
    store = tmp_path / "wide.graph"
    with lithograph.open(store) as graph:
        with graph.transaction() as tx:
            for number in range(9):
                tx.put_node(f"{number}" + "x" * 1_500)
        graph.checkpoint()
    (path,) = store.glob("names/*.run")
    text, found = segtool("dump", path), segtool("dump", path, "--json")

    assert text.code == 0
    titles = [part["title"].partition(": ")[2] for part in found.json["parts"]]
    assert titles.count("overflow") == 9
    assert [title for title in titles if title.startswith("leaf")] == ["leaf, 3 names"] * 3
    assert "branch of level 1, 3 children" in titles
    names = [field["value"] for field in fields_of(found) if field["meaning"].startswith("node")]
    assert names == [f"{number}" + "x" * 1_500 for number in range(9)]
    (page,) = (part for part in found.json["parts"] if "branch" in part["title"])
    children = [f["value"] for f in page["fields"] if f["field"].startswith("entry ")]
    assert children == ["", "3", "6"]


def test_dump_of_one_page(segtool: Segtool, flushed: Path) -> None:
    path = sealed_files(flushed, SEALED[0])[0]
    parts = segtool("dump", path, "--page", 1, "--json").json["parts"]
    absent = segtool("dump", path, "--page", 9)

    assert [part["title"] for part in parts if part["title"].startswith("page")] == [
        "page 1: leaf, 40 names"
    ]
    assert absent.code == 0
    assert "there is no page 9: the run has pages 1 to 1" in absent.out


def test_dump_of_one_node(segtool: Segtool, flushed: Path) -> None:
    old, new = sealed_files(flushed, SEALED[1])
    past = sealed_files(flushed, SEALED[2])[0]

    def told(path: Path, node_id: int) -> dict[str, list[Any]]:
        found = segtool("dump", path, "--id", node_id, "--json")
        assert found.code == 0
        return {
            part["title"].partition(",")[0]: [
                field["value"]
                for field in part["fields"]
                if field["field"].startswith(("id ", "edge "))
            ]
            for part in found.json["parts"]
            if ", ids " in part["title"] or ", positions " in part["title"]
        }

    found = told(old, 7)
    (version,) = found["dense_nodes"]
    assert found["names"] == ["n07"]
    assert (version["sequence"], version["born_sequence"]) == (2, 1)
    assert (version["appended"] if "appended" in version else version["observations"]) == ["seen"]
    assert version["properties"] == {"number": 7}
    assert found["dense_in"] == [[[1, 14], [1, 15]]]
    # The edge to n03 went with n03: it is only in history.
    assert "dense_out" not in found
    (versions,) = told(past, 7)["edges"]
    assert [version.get("ended", False) for version in versions] == [False, True]
    ((edge,),) = told(new, 8)["sparse_out"]
    assert edge == [1, 4, "", "dead"]
    assert told(new, 9)["edges"][0]["properties"] == {"n": 10}
    assert told(new, 39) == {}


def test_dump_is_bounded_unless_all_is_asked_for(segtool: Segtool, tmp_path: Path) -> None:
    store = tmp_path / "large.graph"
    with lithograph.open(store) as graph:
        with graph.transaction() as tx:
            for number in range(4_000):
                tx.put_node(f"{xxh64(b'%d' % number):016x}" * 3)
        graph.compact()
    for pattern, word, shown in (
        ("names/*.run", "page", 16),
        ("partitions/*/*.seg", "names, ids", 16),
    ):
        (path,) = store.glob(pattern)
        bounded, whole = segtool("dump", path), segtool("dump", path, "--all")

        assert "the first 16 shown: --all shows them all" in bounded.out
        assert "--all" not in whole.out
        parts = segtool("dump", path, "--all", "--json").json["parts"]
        places = [part["offset"] for part in parts if part["title"].startswith(f"{word} ")]
        assert bounded.out.count(f"# {word} ") == shown < len(places)
        assert whole.out.count(f"# {word} ") == len(places)
        # Also what is not shown is checked.
        flip(path, (places[shown] + places[-1]) // 2)
        damaged = segtool("dump", path)
        assert damaged.code == 4
        assert "# the file as a whole\n" in damaged.out


def test_dump_of_a_history_alone(segtool: Segtool, flushed: Path, tmp_path: Path) -> None:
    path = tmp_path / "00000001.his"
    path.write_bytes(sealed_files(flushed, SEALED[2])[0].read_bytes())
    answer = segtool("dump", path)

    assert answer.code == 0
    assert "cannot be told without the segment beside this file" in answer.out


def test_dump_of_a_manifest_shows_its_entries(segtool: Segtool, flushed: Path) -> None:
    (path,) = flushed.glob("manifest/*.manifest")
    found = segtool("dump", path, "--json")
    parts = {
        part["title"]: {f["field"]: f["value"] for f in part["fields"]}
        for part in found.json["parts"]
    }

    assert found.code == 0
    segments = [int(each.stem) for each in sealed_files(flushed, SEALED[1])]
    runs = [int(each.stem) for each in sealed_files(flushed, SEALED[0])]
    assert list(parts) == [
        "manifest",
        *(f"run {number}" for number in runs),
        *(f"segment {number}" for number in segments),
        "end of the manifest",
    ]
    entry = parts[f"segment {segments[1]}"]
    assert {field.name for field in SEGMENT_ENTRY.fields} == set(entry)
    assert entry["partition"] == sealed_files(flushed, SEALED[1])[1].parent.name
    assert entry["first_time"].startswith(entry["partition"])
    assert {field.name for field in RUN_ENTRY.fields} == set(parts[f"run {runs[0]}"])


def test_dump_of_a_pin(segtool: Segtool, flushed: Path) -> None:
    with lithograph.open(flushed):
        (path,) = flushed.glob("locks/pins/*.pin")
        answer = segtool("dump", path)
        fields = {
            field["field"]: field["value"] for field in fields_of(segtool("dump", path, "--json"))
        }
        flip(path, 3)
        damaged = segtool("dump", path)

    assert answer.code == 0
    assert fields["process"] == os.getpid()
    assert set(fields) == {field.name for field in PIN.fields}
    assert damaged.code == 4


@pytest.mark.parametrize("pattern", SEALED)
def test_dump_of_any_flipped_bit_of_a_sealed_file_tells_it(
    segtool: Segtool, flushed: Path, pattern: str
) -> None:
    path = sealed_files(flushed, pattern)[1]
    whole = path.read_bytes()
    for offset in range(0, len(whole), 1 + len(whole) // 40):
        flip(path, offset, offset % 8)
        answer = segtool("dump", path)
        path.write_bytes(whole)

        assert answer.code == 4, offset
        assert "\terror\t" in answer.out


@pytest.mark.parametrize("pattern", SEALED)
def test_dump_of_any_prefix_of_a_sealed_file_tells_it(
    segtool: Segtool, flushed: Path, pattern: str
) -> None:
    path = sealed_files(flushed, pattern)[1]
    whole = path.read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 40):
        path.write_bytes(whole[:size])
        found = segtool("dump", path, "--json")

        assert found.code == 4, size
        assert found.json["errors"]
        assert all(field["offset"] + field["size"] <= size for field in fields_of(found)), size


def seal_again(path: Path, layout: Layout, change: Callable[[bytearray], None]) -> None:
    """Change a file's data region and make every checksum right."""
    whole = path.read_bytes()
    start = len(whole) - layout.size - FOOTER_TAIL.size
    body, shape, _ = decode_footer(whole[start:], len(whole))
    data = bytearray(whole[: shape.data_size])
    change(data)
    sums = b"".join(
        xxh64(bytes(data[at : at + 4096])).to_bytes(8, "little") for at in range(0, len(data), 4096)
    )
    assert len(shape.level_counts) == 1
    path.write_bytes(bytes(data) + sums + encode_footer(body, len(data), xxh64(sums)))


@pytest.mark.parametrize(
    ("pattern", "layout"),
    list(zip(SEALED, (RUN_FOOTER, SEGMENT_FOOTER, HISTORY_FOOTER), strict=True)),
)
def test_dump_of_a_forged_file_is_told_and_survived(
    segtool: Segtool, flushed: Path, pattern: str, layout: Layout
) -> None:
    """Any byte, with right checksums over it: an error in one line, or another sound file."""
    path = sealed_files(flushed, pattern)[1]
    whole = path.read_bytes()
    codes = set()
    for offset in range(64, len(whole) - layout.size - 80, 1 + len(whole) // 80):
        value = (0x00, 0xFF, 0x80)[offset % 3]

        def change(data: bytearray, offset: int = offset, value: int = value) -> None:
            data[offset] = value if data[offset] != value else value ^ 1

        seal_again(path, layout, change)
        codes.add(segtool("dump", path).code)
        path.write_bytes(whole)

    assert codes <= {0, 4}
    assert 4 in codes


def test_no_text_of_a_sealed_file_steers_a_terminal(flushed: Path, shown: Shown) -> None:
    for pattern in SEALED:
        for path in sealed_files(flushed, pattern):
            on_terminal = re.sub("\x1b\\[[0-9;]*m", "", shown(Terminal(), "dump", path))
            for text in (
                on_terminal,
                shown(Pipe(), "dump", path),
                shown(Pipe(), "dump", path, "--json"),
            ):
                assert steering(text) == set()


# Info by part, and the index made again -----------------------------------------------------------


def test_info_has_the_figures_of_every_part(segtool: Segtool, flushed: Path, shown: Shown) -> None:
    found = segtool("info", "--store", flushed, "--json").json

    assert list(found) == ["path", *(field.name for field in fields(lithograph.Stats))]
    for kind, pattern in (("run", SEALED[0]), ("segment", SEALED[1]), ("history", SEALED[2])):
        sizes = [path.stat().st_size for path in flushed.glob(pattern)]
        assert (found[f"{kind}_count"], found[f"{kind}_size_bytes"]) == (len(sizes), sum(sizes))
    assert found["run_name_count"] == 42
    assert found["sealed_segment_count"] == 1
    assert found["generation"] > 1
    on_terminal = shown(Terminal(), "info", "--store", flushed)
    for part in ("memory", "segments", "histories", "name index", "log", "pins"):
        assert on_terminal.count(f" {part} ") == 1
    assert "67,108,864 (64.0 MiB)" in on_terminal


def test_every_figure_is_documented() -> None:
    documented = set(re.findall(r"[a-z_]+", str(lithograph.Stats.__doc__)))

    assert {field.name for field in fields(lithograph.Stats)} <= documented


def test_the_index_is_made_again(segtool: Segtool, flushed: Path) -> None:
    for path in sealed_files(flushed, SEALED[0]):
        path.unlink()
    assert segtool("get", "n03", "--store", flushed).code == 4
    text = segtool("rebuild-index", "--store", flushed)
    found = segtool("rebuild-index", "--store", flushed, "--json")

    assert (text.code, found.code) == (0, 0)
    (run,) = flushed.glob(SEALED[0])
    assert found.json == {
        "path": str(flushed),
        "name_count": 41,
        "run": f"names/{run.name}",
        "size_bytes": run.stat().st_size,
    }
    assert text.fields["name_count"] == "41"
    assert segtool("get", "n03", "--store", flushed).fields["id"] == "40"
    with lithograph.open(flushed) as graph:
        assert graph.verify() == []


def test_the_index_of_a_store_in_use_is_left_alone(
    segtool: Segtool, flushed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = f"import lithograph; g = lithograph.open({str(flushed)!r}); print(1); input()"
    monkeypatch.setattr(rebuild_index, "LOCK_TIMEOUT_S", 0.05)
    with subprocess.Popen(
        [sys.executable, "-uc", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        answer = segtool("rebuild-index", "--store", flushed)
        holder.communicate(b"\n")

    assert answer.code == 3
    assert len(sealed_files(flushed, SEALED[0])) == 2


def test_the_index_of_an_empty_store(segtool: Segtool, empty: Path) -> None:
    answer = segtool("rebuild-index", "--store", empty, "--json")

    assert answer.code == 0
    assert (answer.json["name_count"], answer.json["run"]) == (0, None)
