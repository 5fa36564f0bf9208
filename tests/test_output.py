"""One sequence in four forms, and what a table makes of little room."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from lithograph.tools.output import Output

HOSTILE = "\x1b[31m\u202e\x7f\t"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Person(msgspec.Struct):
    name: str
    born: datetime
    children: int


PEOPLE = [
    Person("Ada", datetime(1815, 12, 10, tzinfo=UTC), 3),
    Person(HOSTILE, datetime(1791, 12, 26, 1, 30, tzinfo=timezone(timedelta(hours=1))), 1_234),
]


def written(stream: io.StringIO, people: list[Person], **form: Any) -> str:
    Output(stream=stream, **form).records(
        ("name", "born", "children"), iter(people), lambda one: (one.name, one.born, one.children)
    )
    return stream.getvalue()


def test_records_in_json_are_a_list() -> None:
    text = written(io.StringIO(), PEOPLE, as_json=True)

    found = json.loads(text)
    assert [each["name"] for each in found] == ["Ada", HOSTILE]
    assert found[0]["born"] == "1815-12-10T00:00:00+00:00"
    assert found[1]["born"] == "1791-12-26T01:30:00+01:00"
    assert text.isascii()
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}
    assert json.loads(written(io.StringIO(), [], as_json=True)) == []


def test_records_in_ndjson_are_lines() -> None:
    lines = written(io.StringIO(), PEOPLE, as_lines=True).splitlines()

    assert [json.loads(line)["children"] for line in lines] == [3, 1_234]
    assert written(io.StringIO(), [], as_lines=True) == ""


def test_records_in_a_pipe_are_rows() -> None:
    assert written(io.StringIO(), PEOPLE).splitlines() == [
        "Ada\t1815-12-10T00:00:00+00:00\t3",
        "\\u001b[31m\\u202e\\u007f\\t\t1791-12-26T01:30:00+01:00\t1234",
    ]


def test_each_record_is_written_before_the_next_is_asked_for() -> None:
    for form in ({}, {"as_json": True}, {"as_lines": True}):
        stream = io.StringIO()
        seen: list[str] = []

        def people(stream: io.StringIO = stream, seen: list[str] = seen) -> Iterator[Person]:
            for person in PEOPLE:
                seen.append(stream.getvalue())
                yield person

        Output(stream=stream, **form).records(("name",), people(), lambda one: (one.name,))
        assert "Ada" in seen[1]


def test_records_on_a_terminal_are_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    text = written(Terminal(), PEOPLE)

    assert "1815-12-10 00:00:00Z" in text
    assert "1791-12-26T01:30:00+01:00" in text
    assert "1,234" in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_a_table_loses_nothing_where_there_is_little_room(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    cells = ("a" * 50, 12_345, "b" * 30, "c" * 4)
    Output(stream=stream).table(("first", "second", "third", "fourth"), [cells])
    text = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue())

    assert all(len(line) <= width for line in text.splitlines())
    below = text.partition("─")[2]
    assert [below.count(letter) for letter in "abc"] == [50, 30, 4]
    assert all(digit in below for digit in "12345")
    if width >= 60:
        assert "12,345" in text
        assert "cccc" in text


def test_a_terminal_stops_where_it_is_told_to() -> None:
    stream = Terminal()
    Output(stream=stream).records(
        ("name",), iter(PEOPLE), lambda one: (one.name,), terminal_rows_max=1
    )
    assert "the first 1; --limit N shows more" in stream.getvalue()
    assert "31m" not in stream.getvalue()


@pytest.mark.parametrize(("empty", "shown"), [("none", "none\n"), ("no one", "no one\n"), ("", "")])
def test_no_rows_are_no_table(empty: str, shown: str) -> None:
    stream = Terminal()
    Output(stream=stream).table(("name", "age"), iter(()), empty)

    assert stream.getvalue() == shown


def test_one_object_is_one_line_in_ndjson() -> None:
    long, short = io.StringIO(), io.StringIO()
    Output(as_json=True, stream=long).answer(PEOPLE[0])
    Output(as_lines=True, stream=short).answer(PEOPLE[0])

    assert json.loads(long.getvalue()) == json.loads(short.getvalue())
    assert short.getvalue().count("\n") == 1 < long.getvalue().count("\n")
