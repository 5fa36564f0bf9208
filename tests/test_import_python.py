"""Sources into a store: the same graph, once or many times, whole or in parts."""

from __future__ import annotations

import json
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

import lithograph
from lithograph.tools.importers.load import load_source
from lithograph.tools.importers.python_source import SourceGraph, read_python
from lithograph.tools.segtool import main

SOURCES = {
    "shop/__init__.py": "",
    "shop/prices.py": """
        import json
        class Price:
            def show(self):
                return json.dumps(self.value())
            def value(self):
                return 1
        """,
    "shop/orders.py": """
        from shop.prices import Price
        class Order(Price):
            def total(self):
                return Price()
        """,
}
OTHER = {"json/__init__.py": "def dumps(value):\n    return str(value)\n"}


def write(root: Path, sources: dict[str, str]) -> Path:
    for name, text in sources.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def contents(graph: lithograph.Graph) -> tuple[object, object]:
    nodes = {node.name: (node.type, node.properties) for node in graph.nodes()}
    edges = {(edge.source, edge.type, edge.target): edge.properties for edge in graph.edges()}
    assert (len(nodes), len(edges)) == (graph.node_count, graph.edge_count)
    return nodes, edges


def of(source: SourceGraph) -> tuple[object, object]:
    return (
        {node.name: (node.kind, node.properties) for node in source.nodes},
        {(edge.source, edge.type, edge.target): edge.properties for edge in source.edges},
    )


@pytest.fixture
def source(tmp_path: Path) -> SourceGraph:
    return read_python([write(tmp_path / "src", SOURCES)])


@pytest.mark.parametrize("items_per_commit", [1, 3, 1_000])
def test_the_store_holds_what_was_read(
    tmp_path: Path, source: SourceGraph, items_per_commit: int
) -> None:
    reports: list[tuple[int, int | None]] = []
    with lithograph.open(tmp_path / "a.graph") as graph:
        loaded = load_source(
            graph, source, lambda done, total: reports.append((done, total)), items_per_commit
        )
        held = contents(graph)
        sequence = graph.sequence

    total = len(source.nodes) + len(source.edges)
    assert held == of(source)
    assert (loaded.node_count, loaded.edge_count) == (len(source.nodes), len(source.edges))
    assert loaded.written_count == total
    assert loaded.commit_count == sequence
    assert reports[-1] == (total, total)
    assert all(after[0] > before[0] for before, after in pairwise(reports))


def test_importing_again_writes_nothing(tmp_path: Path, source: SourceGraph) -> None:
    with lithograph.open(tmp_path / "a.graph") as graph:
        load_source(graph, source)
        before, sequence = contents(graph), graph.sequence
        again = load_source(graph, source)

        assert (again.written_count, again.commit_count) == (0, 0)
        assert (contents(graph), graph.sequence) == (before, sequence)


def test_an_import_that_was_cut_short_is_completed(tmp_path: Path, source: SourceGraph) -> None:
    def stop(done: int, total: int | None) -> None:
        if done >= len(source.nodes) + 4:
            raise KeyboardInterrupt

    with lithograph.open(tmp_path / "a.graph") as graph:
        with pytest.raises(KeyboardInterrupt):
            load_source(graph, source, stop, items_per_commit=2)
        assert contents(graph) != of(source)
        load_source(graph, source)

        assert contents(graph) == of(source)


def test_a_changed_source_writes_what_changed(tmp_path: Path, source: SourceGraph) -> None:
    with lithograph.open(tmp_path / "a.graph") as graph:
        load_source(graph, source)
        graph.put_node("mine", observations=["kept"])
        write(tmp_path / "src", {"shop/orders.py": "\n" + SOURCES["shop/orders.py"]})
        loaded = load_source(graph, read_python([tmp_path / "src"]))

        # Order and Order.total; imports of shop.prices and of Price, inherits, calls.
        assert loaded.written_count == 6
        assert graph.node("shop.orders.Order").properties["line"] == 4
        assert graph.node("mine").observations == ("kept",)


@pytest.mark.parametrize("order", [("src", "lib", "src"), ("lib", "src", "lib", "src")])
def test_an_outside_name_never_replaces_a_definition(
    tmp_path: Path, order: tuple[str, ...]
) -> None:
    write(tmp_path / "src", SOURCES)
    write(tmp_path / "lib", OTHER)
    with lithograph.open(tmp_path / "a.graph") as graph:
        for part in order:
            load_source(graph, read_python([tmp_path / part]))

        assert graph.node("json.dumps").type == "function"
        assert graph.node("json.dumps").properties["file"] == "json/__init__.py"
        assert graph.neighbors("json.dumps", "in", "calls") == ["shop.prices.Price.show"]


# The verb -----------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["import", "python", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_verb_creates_the_store_and_tells_figures(
    tmp_path: Path, source: SourceGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "a.graph"
    code, out, err = run(capsys, tmp_path / "src", "--store", store)

    assert (code, err) == (0, "")
    figures = dict(line.split("\t") for line in out.splitlines())
    assert figures["files"] == "3"
    assert figures["nodes"] == str(len(source.nodes))
    assert figures["edges:inherits"] == "1"
    with lithograph.open(store, mode="r") as graph:
        assert contents(graph) == of(source)


def test_a_file_that_is_no_python_is_told_and_set_aside(
    tmp_path: Path, source: SourceGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "src", {"bad.py": "def :\n"})
    code, out, _ = run(capsys, tmp_path / "src", "--store", tmp_path / "a.graph")

    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()][-1] == ["skipped", "bad.py"]


def test_as_json(tmp_path: Path, source: SourceGraph, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "src", {"bad.py": "def :\n"})
    _, out, _ = run(capsys, tmp_path / "src", "--store", tmp_path / "a.graph", "--json")
    figures = json.loads(out)

    assert figures["nodes"] == len(source.nodes)
    assert figures["nodes_by_type"]["method"] == 3
    assert figures["written"] == len(source.nodes) + len(source.edges)
    assert [skipped["file"] for skipped in figures["skipped"]] == ["bad.py"]
    assert figures["read_seconds"] >= 0


def test_nothing_to_read_makes_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "void").mkdir()
    write(tmp_path, {"bad.py": "def :\n"})
    for path in ("missing", "void", "bad.py"):
        code, out, err = run(capsys, tmp_path / path, "--store", tmp_path / "a.graph")

        assert (code, out) == (5, "")
        assert err.startswith("segtool: ")
        assert err.count("\n") == 1
        assert not (tmp_path / "a.graph").exists()


def test_a_foreign_directory_is_left_alone(
    tmp_path: Path, source: SourceGraph, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, tmp_path / "src", "--store", tmp_path / "src")

    assert code == 5
    assert "not a lithograph store" in err
    assert sorted(path.name for path in (tmp_path / "src").iterdir()) == ["shop"]
