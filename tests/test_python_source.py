"""The code graph of Python sources: one small tree for each rule, then a part of the real thing."""

from __future__ import annotations

import os
import socket
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from lithograph.tools.importers import python_names, python_syntax
from lithograph.tools.importers.python_source import (
    SourceEdge,
    SourceGraph,
    SourceNode,
    read_python,
    standard_library,
)

Pairs = set[tuple[str, str]]


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write `files` (source by path) under `root`; return `root`."""
    for file, source in files.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    return root


def graph_of(root: Path, files: Mapping[str, str]) -> SourceGraph:
    """Return the graph of `files`; check what holds for every graph."""
    graph = read_python([write(root, files)])
    names = [node.name for node in graph.nodes]
    ends = [(edge.source, edge.type, edge.target) for edge in graph.edges]
    assert names == sorted(set(names))
    assert ends == sorted(set(ends))
    assert {end for edge in graph.edges for end in (edge.source, edge.target)} <= set(names)
    assert all(node.properties.keys() in ({"file", "line"}, {"external"}) for node in graph.nodes)
    return graph


def pairs(graph: SourceGraph, kind: str) -> Pairs:
    return {(edge.source, edge.target) for edge in graph.edges if edge.type == kind}


def calls_of(root: Path, source: str, **others: str) -> Pairs:
    """Return the calls made in the module `m`, which is beside the modules `others`."""
    files = {f"{name}.py": text for name, text in others.items()}
    found = pairs(graph_of(root, {"m.py": source, **files}), "calls")
    return {(user, callee) for user, callee in found if user.split(".")[0] == "m"}


def modules(graph: SourceGraph) -> dict[str, str]:
    """Return the files of the modules read, by dotted name."""
    return {
        node.name: node.properties["file"]
        for node in graph.nodes
        if node.kind == "module" and "file" in node.properties
    }


# Nodes, and who contains them.


def test_definitions_become_nodes_with_file_and_line(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "pkg/__init__.py": "",
            "pkg/shapes.py": """\
                class Circle:
                    def area(self):
                        def square(x):
                            return x * x
                    class Radius:
                        async def grow(self): ...
                @decorated
                def draw(): ...
            """,
        },
    )

    def node(name: str, kind: str, line: int, file: str = "pkg/shapes.py") -> SourceNode:
        return SourceNode(name, kind, {"file": file, "line": line})

    assert graph.nodes == [
        node("pkg", "module", 1, "pkg/__init__.py"),
        node("pkg.shapes", "module", 1),
        node("pkg.shapes.Circle", "class", 1),
        node("pkg.shapes.Circle.Radius", "class", 5),
        node("pkg.shapes.Circle.Radius.grow", "method", 6),
        node("pkg.shapes.Circle.area", "method", 2),
        node("pkg.shapes.Circle.area.square", "function", 3),
        node("pkg.shapes.draw", "function", 8),
    ]
    assert graph.edges == [
        SourceEdge("pkg", "contains", "pkg.shapes", {}),
        SourceEdge("pkg.shapes", "contains", "pkg.shapes.Circle", {}),
        SourceEdge("pkg.shapes", "contains", "pkg.shapes.draw", {}),
        SourceEdge("pkg.shapes.Circle", "contains", "pkg.shapes.Circle.Radius", {}),
        SourceEdge("pkg.shapes.Circle", "contains", "pkg.shapes.Circle.area", {}),
        SourceEdge("pkg.shapes.Circle.Radius", "contains", "pkg.shapes.Circle.Radius.grow", {}),
        SourceEdge("pkg.shapes.Circle.area", "contains", "pkg.shapes.Circle.area.square", {}),
    ]
    assert graph.skipped == []


def test_first_definition_gives_the_node_and_all_give_edges(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "m.py": """\
            def low(): ...
            def high(): ...
            if low:
                def pick(): low()
            else:
                def pick(): high()
            class Level:
                @property
                def value(self): low()
                @value.setter
                def value(self, new): high()
            """
        },
    )
    lines = {node.name: node.properties["line"] for node in graph.nodes}

    assert (lines["m.pick"], lines["m.Level.value"]) == (4, 9)
    assert pairs(graph, "calls") == {
        ("m.pick", "m.low"),
        ("m.pick", "m.high"),
        ("m.Level.value", "m.low"),
        ("m.Level.value", "m.high"),
    }


def test_module_goes_before_a_definition_of_its_name(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"p/__init__.py": "def x(): ...\nx()", "p/x.py": ""})

    assert [(node.name, node.kind) for node in graph.nodes] == [("p", "module"), ("p.x", "module")]
    assert pairs(graph, "calls") == set()


# Files.


def test_package_file_and_directory_give_the_same_names(tmp_path: Path) -> None:
    write(tmp_path, {"a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "", "top.py": ""})

    assert modules(read_python([tmp_path])) == {
        "a": "a/__init__.py",
        "a.b": "a/b/__init__.py",
        "a.b.c": "a/b/c.py",
        "top": "top.py",
    }
    assert modules(read_python([tmp_path / "a"])) == {
        "a": "__init__.py",
        "a.b": "b/__init__.py",
        "a.b.c": "b/c.py",
    }
    assert modules(read_python([tmp_path / "a" / "b"])) == {"a.b": "__init__.py", "a.b.c": "c.py"}
    assert modules(read_python([tmp_path / "a" / "b" / "c.py"])) == {"a.b.c": "c.py"}
    assert modules(read_python([tmp_path / "a" / "b" / "__init__.py"])) == {"a.b": "__init__.py"}


def test_directory_without_init_is_part_of_a_name_only_in_a_package(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {"src/p/__init__.py": "", "src/p/data/more/x.py": "", "scripts/run.py": ""},
    )

    assert set(modules(graph)) == {"p", "p.data.more.x", "run"}
    assert pairs(graph, "contains") == {("p", "p.data.more.x")}


def test_installed_cached_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    hidden = ["site-packages/x.py", "dist-packages/x.py", "__pycache__/x.py", ".git/x.py", ".x.py"]
    graph = graph_of(tmp_path, dict.fromkeys([*hidden, "kept.py", "notes.txt", "p/.v/x.py"], ""))

    assert modules(graph) == {"kept": "kept.py"}
    assert graph.skipped == []


def test_overlapping_roots_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"p/__init__.py": "", "p/x.py": "def f(): ...\nf()"})
    graph = read_python([tmp_path / "p" / "x.py", tmp_path / "p", tmp_path, tmp_path])

    assert graph == read_python([tmp_path])
    assert graph.skipped == []


def test_second_file_of_one_module_name_is_set_aside(tmp_path: Path) -> None:
    files = {"a/setup.py": "def first(): ...", "b/setup.py": "def second(): ..."}
    graph = graph_of(tmp_path, {**files, "x.py": "", "x/__init__.py": ""})

    assert set(modules(graph).values()) == {"a/setup.py", "x/__init__.py"}
    assert graph.skipped == [
        ("b/setup.py", "module setup was read from a/setup.py"),
        ("x.py", "module x was read from x/__init__.py"),
    ]


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"p/__init__.py": "", "p/x.py": ""})
    (tmp_path / "p" / "loop").symlink_to(tmp_path / "p", target_is_directory=True)
    (tmp_path / "p" / "up.py").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "p" / "alias.py").symlink_to(tmp_path / "p" / "x.py")
    graph = read_python([tmp_path])

    assert set(modules(graph)) == {"p", "p.alias", "p.x"}
    assert graph.skipped == []


# What is set aside.


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x =\n", "syntax error on line 1: invalid syntax"),
        (b"print 'old'\n", "syntax error on line 1: Missing parentheses"),
        (b"x = 1\0\n", "source code string cannot contain null bytes"),
        (b"# coding: uft-8\n", "syntax error: unknown encoding: uft-8"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "syntax error: encoding problem"),
        (b"x = '\xff'\n", "syntax error on line 1: (unicode error)"),
        (b"-" * 100_000 + b"1", "too deeply nested"),
        (b"a" + b".b" * 100_000, "too deeply nested"),
        (b"lambda: " * 150 + b"1", "too deeply nested"),
        (b"(" * 500 + b")" * 500, "syntax error on line 1: too many nested parentheses"),
        (b"def " + b"f" * 1000 + b"(): ...", "a dotted name is longer than 1000 characters"),
        (b"import " + b"a." * 600 + b"a", "a dotted name is longer than 1000 characters"),
        (b"import a, " + b"a." * 500_000 + b"a", "an imported module's name has more than 1000"),
        (b"x = 1 #" + b" " * 2**22, "larger than 4194304 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unreadable_file_is_set_aside_and_the_others_are_read(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    graph = graph_of(tmp_path, {"good.py": "import bad"})
    (file, found) = graph.skipped[0]

    assert len(graph.skipped) == 1
    assert file == "bad.py"
    # Python 3.12 counts NUL bytes among the syntax errors.
    assert found.removeprefix("syntax error: ").startswith(reason.removeprefix("syntax error: "))
    assert modules(graph) == {"good": "good.py"}
    assert pairs(graph, "imports") == {("good", "bad")}


def test_declared_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes("# coding: latin-1\ndef é(): ...\n".encode("latin-1"))
    (tmp_path / "b.py").write_bytes(b"\xef\xbb\xbfdef f(): ...\r\n")
    graph = read_python([tmp_path])

    assert [node.name for node in graph.nodes] == ["a", "a.é", "b", "b.f"]
    assert graph.skipped == []


def test_warnings_about_the_sources_are_not_ours(tmp_path: Path) -> None:
    """The tests turn warnings into errors, and the compiler warns of both lines."""
    graph = graph_of(tmp_path, {"m.py": "x = '\\d'\ny = 1 is 1\n"})

    assert graph.skipped == []


def test_missing_path_is_set_aside(tmp_path: Path) -> None:
    graph = read_python([tmp_path / "absent.py", tmp_path / "gone"])

    assert graph.skipped == [
        ("absent.py", "No such file or directory"),
        ("gone", "No such file or directory"),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout_independent if False else pytest.mark.usefixtures()
def test_special_files_are_never_opened(tmp_path: Path) -> None:
    """Opening a FIFO without a writer would wait for ever."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nowhere")
    graph = read_python([tmp_path, tmp_path / "pipe.py"])

    assert graph.skipped == [
        ("broken.py", "No such file or directory"),
        ("pipe.py", "not a regular file"),
    ]
