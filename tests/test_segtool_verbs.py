"""Every verb of segtool on an empty, a small, a large, a locked, a damaged and a foreign store."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from segtool_cases import CASES, Case

import lithograph
from lithograph import kernel
from lithograph.formats.wal_header import WAL_START
from lithograph.formats.wal_record import RECORD
from lithograph.graph import registry
from lithograph.options import Options
from lithograph.tools.answer_shape import answer_shape
from lithograph.tools.segtool import VERBS, Parser, load_verb, main

STORES: Final = ("empty", "small", "large", "locked", "damaged", "foreign")
ROWS: Final = [(verb, case) for verb, cases in CASES.items() for case in cases]
ROW_NAMES: Final = [" ".join(case.arguments) for _, case in ROWS]
LARGE: Final = 3_000 if kernel.backend == "compiled" else 300
Prepare = Callable[[str, Case], tuple[Path, list[str]]]


def people(graph: lithograph.Graph) -> None:
    with graph.transaction() as tx:
        tx.put_node("Ada", type="Person", observations=["first"], properties={"born": 1815})
        tx.put_node("Charles", type="Person")
        tx.put_edge("Ada", "knows", "Charles", properties={"since": 1833})


def make_large(path: Path) -> None:
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(LARGE):
                tx.put_node(f"n{number:04}", type="number", properties={"number": number})
            for number in range(1, LARGE):
                tx.put_edge(f"n{number:04}", "half", f"n{number // 2:04}")
        people(graph)
        graph.compact()
        graph.add_observations("Ada", ["second"])
        graph.delete_node("n0003")
        graph.checkpoint()
        graph.put_node("late")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of every kind; the locked one is held as long as the module runs."""
    folder = tmp_path_factory.mktemp("stores")
    lithograph.open(folder / "empty").close()
    with lithograph.open(folder / "small") as graph:
        people(graph)
    make_large(folder / "large")
    shutil.copytree(folder / "small", folder / "damaged")
    log = folder / "damaged/wal/00000001.wal"
    data = bytearray(log.read_bytes())
    data[WAL_START + RECORD.size + 30] ^= 1
    log.write_bytes(data)
    (folder / "foreign").mkdir()
    (folder / "foreign/notes.txt").write_text("mine")
    shutil.copytree(folder / "small", folder / "locked")
    hold = f"import lithograph; g = lithograph.open({str(folder / 'locked')!r}, exclusive=True)"
    with subprocess.Popen(
        [sys.executable, "-uc", hold + "; print(1); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield folder
        holder.communicate(b"\n")


@pytest.fixture
def prepare(templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Make a store for a row to work on; return it and the arguments."""
    acquire = registry.acquire

    def acquire_soon(name: str, options: Options) -> Any:
        return acquire(name, replace(options, lock_timeout_s=0.05))

    monkeypatch.setattr(registry, "acquire", acquire_soon)
    monkeypatch.chdir(tmp_path)

    def make(kind: str, case: Case) -> tuple[Path, list[str]]:
        store = templates / kind
        if kind != "locked":
            store = tmp_path / "a.graph"
            shutil.copytree(templates / kind, store)
        files = tmp_path / "files"
        files.mkdir()
        for name, text in case.files.items():
            (files / name).write_text(text)
        monkeypatch.setenv("LITHOGRAPH_STORE", str(store))
        places = {"store": store, "out": tmp_path / "out", "files": files}
        return store, [word.format(**places) for word in case.arguments]

    return make


def contents(store: Path) -> dict[str, bytes]:
    """Return what is in the store's files, but for those of its locks."""
    files = (path for path in store.rglob("*") if path.is_file() and "locks" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


def test_every_verb_has_a_row() -> None:
    assert set(CASES) == set(VERBS)


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize(("verb", "case"), ROWS, ids=ROW_NAMES)
def test_a_verb_ends_as_its_row_says(
    prepare: Prepare, capsys: pytest.CaptureFixture[str], verb: str, case: Case, kind: str
) -> None:
    store, arguments = prepare(kind, case)
    before = contents(store)
    code = main(arguments)
    out, err = capsys.readouterr()

    assert code == getattr(case, kind), (out, err)
    assert "Traceback" not in out + err
    assert all(line.startswith("segtool: ") for line in err.splitlines())
    assert err.count("\n") <= 1 or code < 2
    assert err or out or code == 0
    if not case.writes or kind in ("locked", "damaged", "foreign"):
        assert contents(store) == before


@pytest.mark.parametrize(
    ("kind", "option"), [("empty", "--json"), ("large", "--json"), ("small", "--ndjson")]
)
@pytest.mark.parametrize(("verb", "case"), ROWS, ids=ROW_NAMES)
def test_json_has_the_shape_that_is_promised(
    prepare: Prepare,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    case: Case,
    kind: str,
    option: str,
) -> None:
    if not case.answers or getattr(case, kind) > 1:
        return
    _, arguments = prepare(kind, case)
    code = main([*arguments, option])
    out = capsys.readouterr().out

    assert code == getattr(case, kind)
    if code and not out:
        return
    answer = answer_shape(verb, case.arguments[1] if verb in ("import", "export") else None)
    shape, many = answer.shape, answer.many
    if option == "--ndjson":
        texts = out.splitlines()
        assert many or len(texts) == 1
        for text in texts:
            msgspec.json.decode(text, type=shape)
    else:
        whole: Any = types.GenericAlias(list, (shape,)) if many else shape
        msgspec.json.decode(out, type=whole)
    assert out.isascii()


def declared(verb: str) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    parser: argparse.ArgumentParser = Parser(prog="segtool")
    verbs = parser.add_subparsers()
    load_verb(verb).declare(verbs)
    return verbs


@pytest.mark.parametrize("verb", VERBS)
def test_the_table_and_the_module_of_a_verb_agree(verb: str) -> None:
    verbs = declared(verb)

    assert list(verbs.choices) == [verb]
    (shown,) = verbs._choices_actions
    assert shown.help == VERBS[verb]


def kinds_of(verb: str) -> list[str]:
    """Return the kinds that a verb has, such as those of files to import; often none."""
    verbs = declared(verb)
    actions = verbs.choices[verb]._actions
    below = [each for each in actions if isinstance(each, argparse._SubParsersAction)]
    return [kind for action in below for kind in action.choices]


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = kinds_of(verb)
    for words in [[verb, kind] for kind in kinds] or [[verb]]:
        assert main([*words, "--help"]) == 0
        out = capsys.readouterr().out

        assert f"examples:\n  segtool {' '.join(words)}" in out
        assert "--ndjson" in out
        epilog = out[out.index("examples:") :].splitlines()
        assert all(len(line) <= 80 for line in epilog)
