"""One row or more for each verb of segtool: how it is called, and how it ends on which store.

`test_segtool_verbs.py` runs every row on each of six stores, as text and as JSON. A verb without a
row fails there. In `arguments`, {store} is the store, {out} a path at which there is nothing yet,
and {files} a directory with the row's `files` in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """A command, and its exit code on each store.

    empty : no commit was ever made.
    small : two people in the log; "Ada" knows "Charles".
    large : thousands of nodes "n0000"… (hundreds on the reference kernel) and the two people, in
        segments, histories and runs, and a log.
    locked : the small one, held by another process with exclusive=True.
    damaged : the small one, with a flipped bit in its log, so that it does not open.
    foreign : a directory with somebody's notes in it.
    answers : it writes JSON in the shape of its module where it succeeds.
    writes : it may change the store, or create one.
    files : texts by the names of files.
    """

    arguments: tuple[str, ...]
    empty: int = 0
    small: int = 0
    large: int = 0
    locked: int = 3
    damaged: int = 4
    foreign: int = 5
    answers: bool = True
    writes: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


CASES: Final[dict[str, tuple[Case, ...]]] = {
    "info": (Case(("info",)),),
    "ls": tuple(
        Case(("ls", *what)) for what in ((), ("partitions",), ("segments",), ("runs",), ("wal",))
    ),
    "stats": (Case(("stats",)), Case(("stats", "--by-type", "--hubs", "3"))),
    "map": (Case(("map",)), Case(("map", "--svg", "{out}"))),
    "report": (Case(("report", "-o", "{out}")),),
    "get": (
        Case(("get", "Ada"), empty=1),
        Case(("get", "nobody"), empty=1, small=1, large=1),
        Case(("get", "Ada", "--as-of", "1"), empty=2, large=1),
    ),
    "neighbors": (
        Case(("neighbors", "Ada"), empty=1),
        Case(("neighbors", "Ada", "--direction", "both", "--type", "knows"), empty=1),
    ),
    "path": (
        Case(("path", "Ada", "Charles"), empty=1),
        Case(("path", "Charles", "Ada"), empty=1, small=1, large=1),
        Case(("path", "Charles", "Ada", "--direction", "both", "--max-hops", "1"), empty=1),
    ),
    "history": (Case(("history", "Ada"), empty=1),),
    "scan": (
        Case(("scan",)),
        Case(("scan", "--prefix", "n1", "--type", "number", "--limit", "7")),
    ),
    "readers": (Case(("readers",), locked=0, damaged=0),),
    "dump": (
        Case(("dump", "{store}/CURRENT"), locked=0, damaged=0),
        Case(("dump", "wal/00000001.wal"), large=5, locked=0),
    ),
    "import": (
        Case(
            ("import", "python", "{files}/module.py"),
            files={"module.py": "def work() -> None: ...\n"},
            writes=True,
        ),
        Case(("import", "python", "{files}/none.py"), 5, 5, 5, 5, 5, 5, writes=True),
        Case(
            ("import", "edges", "{files}/edges.txt"),
            files={"edges.txt": "Ada Charles\n"},
            writes=True,
        ),
        Case(
            ("import", "graphml", "{files}/graph.xml"),
            files={"graph.xml": "<graphml><graph><node id='Ada'/></graph></graphml>"},
            writes=True,
        ),
        Case(("import", "git", "{files}/none"), 5, 5, 5, 5, 5, 5, writes=True),
        Case(("import", "parquet", "--nodes", "{files}/none"), 5, 5, 5, 5, 5, 5, writes=True),
        Case(
            ("import", "csv", "{files}/people.csv"),
            files={"people.csv": "name:ID,:LABEL\nEve,Person\n"},
            writes=True,
        ),
        Case(("import", "csv", "{files}/none.csv"), 5, 5, 5, 5, 5, 5),
        Case(
            ("import", "jsonl", "{files}/memory.jsonl"),
            files={"memory.jsonl": '{"name": "Eve", "entityType": ""}\n'},
            writes=True,
        ),
        Case(
            ("import", "jsonl", "{files}/half.jsonl"),
            *(1, 1, 1),
            files={"half.jsonl": '{"name": "Eve", "entityType": ""}\nnonsense\n'},
            writes=True,
        ),
        Case(
            ("import", "jsonl", "{files}/memory.jsonl", "--strict"),
            *(1, 1, 1, 1, 1, 1),
            files={"memory.jsonl": "nonsense\n"},
        ),
    ),
    "export": (
        Case(("export", "csv", "-o", "{out}")),
        Case(("export", "csv"), 2, 2, 2, 2, 2, 2),
        Case(("export", "jsonl"), answers=False),
        Case(("export", "jsonl", "--type", "Person", "--dialect", "plain", "-o", "{out}")),
        Case(("export", "edges", "-o", "{out}")),
        Case(("export", "graphml", "--prefix", "A", "-o", "{out}")),
        Case(("export", "parquet", "-o", "{out}")),
        Case(("export", "parquet"), 2, 2, 2, 2, 2, 2),
        Case(("export", "dot", "--around", "Ada", "-o", "{out}"), empty=1),
        Case(("export", "mermaid", "--around", "Ada"), empty=1, answers=False),
    ),
    "doctor": (Case(("doctor",), locked=1, damaged=1),),
    "verify": (Case(("verify",)), Case(("verify", "--checksums")), Case(("verify", "--deep"))),
    "checkpoint": (Case(("checkpoint",), writes=True),),
    "backup": (Case(("backup", "{out}")), Case(("backup", "--copy", "{out}"))),
    "restore": (
        Case(("restore", "{store}", "{out}")),
        Case(("restore", "--copy", "--deep", "{store}", "{out}")),
        Case(("restore", "{store}", "{store}"), 2, 2, 2),
    ),
    "compact": (
        Case(("compact",), writes=True),
        Case(("compact", "--dry-run")),
        Case(("compact", "--drop-history-before", "2020-01-01"), writes=True),
    ),
    "repair": (
        Case(("repair", "--dry-run"), damaged=1),
        Case(("repair", "--to", "{out}"), damaged=1),
        Case(("repair",), 2, 2, 2, 2, 2, 2),
    ),
    "diff": (
        Case(("diff", "--as-of", "0"), small=1, large=1),
        Case(("diff", "--as-of", "1", "--as-of", "1"), empty=2),
        Case(("diff",), 2, 2, 2, 2, 2, 2),
    ),
    "purge": (
        Case(("purge", "Ada"), empty=1, writes=True),
        Case(("purge", "nobody"), empty=1, small=1, large=1, writes=True),
    ),
    "rebuild-index": (Case(("rebuild-index",), writes=True),),
    "completion": (
        Case(("completion", "bash"), locked=0, damaged=0, foreign=0),
        Case(("completion", "zsh"), locked=0, damaged=0, foreign=0),
        Case(("completion", "fish"), locked=0, damaged=0, foreign=0),
        Case(("completion", "sh"), 2, 2, 2, 2, 2, 2),
    ),
}
