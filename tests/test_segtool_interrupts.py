"""Ctrl-C at any moment of a verb that writes: the store is sound, and the verb can be run again."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import lithograph
from lithograph.tools.exit_code import FINDINGS, INTERRUPTED, OK
from lithograph.tools.segtool import main

# An import of a module that is interrupted leaves its file to the collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

COUNT = 300
DELAYS_S = (0.003, 0.02, 0.08)
"""Until the signal; a verb that is done before it is simply done."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of several files, with a past and commits that are only in the log."""
    path = tmp_path_factory.mktemp("large") / "large.graph"
    with lithograph.open(path, durability="off") as graph:
        for part in range(3):
            with graph.transaction() as tx:
                for number in range(COUNT):
                    name = f"n{number}"
                    tx.put_node(name, type="T", observations=[f"{part} of {name}"])
                    tx.put_edge(name, "a", f"n{number * 7 % COUNT}", create_missing=True)
            graph.checkpoint()
        graph.put_edge("n1", "b", "n2")
    return path


@pytest.fixture(scope="module")
def held(large: Path) -> object:
    return _contents(large)


@pytest.fixture
def store(large: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(large, tmp_path / "s.graph"))


@contextmanager
def _interrupt_after(seconds: float) -> Iterator[None]:
    """Send this process a SIGINT in a while, if it is still inside then."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _run(seconds: float, *words: object) -> int:
    with _interrupt_after(seconds):
        return main([str(word) for word in words])


def _contents(path: Path) -> object:
    with lithograph.open(path, mode="r") as graph:
        assert graph.verify(deep=True) == []
        nodes = [(node.name, node.type, node.observations) for node in graph.nodes()]
        return nodes, sorted((edge.source, edge.type, edge.target) for edge in graph.edges())


@pytest.mark.parametrize("delay_s", DELAYS_S)
@pytest.mark.parametrize(
    "words", [("checkpoint",), ("compact",), ("rebuild-index",)], ids=lambda words: str(words[0])
)
def test_what_changes_no_graph_changes_none_when_it_is_interrupted(
    store: Path, held: object, words: tuple[str, ...], delay_s: float
) -> None:
    assert _run(delay_s, *words, "--store", store) in (OK, INTERRUPTED)

    assert _contents(store) == held
    assert main([*words, "--store", str(store)]) == OK
    assert _contents(store) == held


@pytest.mark.parametrize("delay_s", DELAYS_S)
def test_an_interrupted_purge_leaves_the_node_or_none_of_it(
    store: Path, held: object, delay_s: float
) -> None:
    code = _run(delay_s, "purge", "n1", "--store", store)

    assert code in (OK, INTERRUPTED)
    with lithograph.open(store, mode="r") as graph:
        assert graph.verify(deep=True) == []
        if "n1" in graph:
            assert code == INTERRUPTED
            assert _contents(store) == held
    again = main(["purge", "n1", "--store", str(store)])
    assert again == (OK if code == INTERRUPTED else FINDINGS) or code == INTERRUPTED
    with lithograph.open(store, mode="r") as graph:
        assert "n1" not in graph
        assert graph.node_count == COUNT - 1


@pytest.mark.parametrize("delay_s", DELAYS_S)
@pytest.mark.parametrize("verb", ["repair", "backup", "restore"])
def test_an_interrupted_copy_is_whole_or_none(
    store: Path, held: object, tmp_path: Path, verb: str, delay_s: float
) -> None:
    target = tmp_path / "new.graph"
    words = {
        "repair": ("repair", "--store", store, "--to", target),
        "backup": ("backup", "--store", store, "--copy", target),
        "restore": ("restore", "--copy", store, target),
    }[verb]
    code = _run(delay_s, *words)

    assert code in (OK, INTERRUPTED)
    assert _contents(store) == held
    if code == OK:
        assert _contents(target) == held
        return
    shutil.rmtree(target, ignore_errors=True)
    assert main([str(word) for word in words]) == OK
    assert _contents(target) == held


def _csv(directory: Path) -> list[str]:
    rows = "".join(f"n{number},T\n" for number in range(COUNT))
    (directory / "nodes.csv").write_text("name:ID,:LABEL\n" + rows)
    return ["csv", "--nodes", str(directory / "nodes.csv")]


def _edges(directory: Path) -> list[str]:
    lines = "".join(f"n{number}\tn{number * 7 % COUNT}\n" for number in range(COUNT))
    (directory / "lines.txt").write_text(lines)
    return ["edges", str(directory / "lines.txt")]


def _graphml(directory: Path) -> list[str]:
    nodes = "".join(f'<node id="n{number}"/>' for number in range(COUNT))
    (directory / "g.graphml").write_text(
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        f'<graph edgedefault="directed">{nodes}</graph></graphml>'
    )
    return ["graphml", str(directory / "g.graphml")]


@pytest.mark.parametrize("delay_s", DELAYS_S)
@pytest.mark.parametrize("made", [_csv, _edges, _graphml])
def test_an_interrupted_import_is_completed_by_the_next(
    tmp_path: Path, made: Callable[[Path], list[str]], delay_s: float
) -> None:
    store = tmp_path / "s.graph"
    words = ["import", *made(tmp_path), "--store", str(store)]
    assert _run(delay_s, *words) in (OK, INTERRUPTED)

    with suppress(lithograph.StoreNotFoundError):  # It was not made yet.
        _contents(store)
    assert main(words) == OK
    with lithograph.open(store, mode="r") as graph:
        assert graph.verify(deep=True) == []
        assert graph.node_count == COUNT
