"""What the tests of stats, map and report share: a store with a past, and how segtool is run."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

from lithograph import Graph
from lithograph.graph import registry
from lithograph.options import Options, Tuning
from lithograph.tools.segtool import main

HOSTILE: Final = "</text></svg><script>alert(1)</script>&amp;\x1b[31m\u202e\"'>"
START: Final = datetime(2026, 1, 15, tzinfo=UTC)


class Answer:
    """What a command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """A terminal that keeps what it is shown."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def segtool(*arguments: object, screen: io.StringIO | None = None) -> Answer:
    """Run a command in this process."""
    out, err = screen if screen is not None else io.StringIO(), io.StringIO()
    environment = {"NO_COLOR": "1", "TERM": "dumb"}
    with mock.patch.dict(os.environ, environment), redirect_stdout(out), redirect_stderr(err):
        os.environ.pop("LITHOGRAPH_STORE", None)
        code = main([str(argument) for argument in arguments])
    return Answer(code, out.getvalue(), err.getvalue())


def seen(*arguments: object) -> str:
    """Return what somebody sees on a terminal 80 columns wide, without blank ends of lines."""
    answer = segtool(*arguments, screen=Terminal())
    assert (answer.code, answer.err) == (0, "")
    return "".join(line.rstrip() + "\n" for line in answer.out.splitlines())


def make_past(path: Path) -> Path:
    """Make a store of three months: two types, a hub, changes, and commits in the log only.

    The same each time: no thread merges in the background.
    """
    tuning = Tuning(background=False, compaction=False)
    options = Options(durability="off", tuning=tuning)
    with Graph(registry.acquire(str(path), options), writable=True) as graph:
        for month in range(3):
            with graph.transaction(at=START + timedelta(days=30 * month)) as tx:
                for number in range(50):
                    name, kind = f"{month}-{number:02}", ("Document", "Person")[number % 2]
                    tx.put_node(name, type=kind)
                    tx.put_edge(name, ("names", "cites")[number % 2], "hub", create_missing=True)
                for number in range(20 * month):
                    tx.put_node(f"0-{number:02}", properties={"month": month})
            with graph.transaction(at=START + timedelta(days=30 * month + 5)) as tx:
                for number in range(10):
                    tx.put_node(f"{month}-{number:02}", observations=["seen again"])
            graph.checkpoint()
        with graph.transaction(at=START + timedelta(days=75)) as tx:
            tx.put_node(HOSTILE, type=HOSTILE)
            tx.put_edge(HOSTILE, HOSTILE, "hub")
            tx.put_edge(HOSTILE, HOSTILE, HOSTILE)
    return path
