"""The code graph of Python sources: one small tree for each rule, then a part of the real thing."""

from __future__ import annotations

import ast
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lithograph.tools.importers import python_names
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
    graph = graph_of(tmp_path, {**files, "x.py": "", "x/__init__.py": "", "a/bad.py": "("})

    assert set(modules(graph).values()) == {"a/setup.py", "x/__init__.py"}
    assert graph.skipped == [
        ("a/bad.py", "syntax error on line 1: '(' was never closed"),
        ("b/setup.py", "module setup was read from a/setup.py"),
        ("x.py", "module x was read from x/__init__.py"),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, {"p/__init__.py": "", "p/x.py": ""})
    (tmp_path / "p" / "loop").symlink_to(tmp_path / "p", target_is_directory=True)
    (tmp_path / "p" / "up.py").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "p" / "alias.py").symlink_to(tmp_path / "p" / "x.py")
    graph = read_python([tmp_path])

    assert set(modules(graph)) == {"p", "p.alias", "p.x"}
    assert graph.skipped == []


# What is set aside.


UNREADABLE = {
    "syntax": (b"x =\n", "syntax error on line 1: invalid syntax"),
    "python-2": (b"print 'old'\n", "syntax error on line 1: Missing parentheses"),
    "nul": (b"x = 1\0\n", "source code string cannot contain null bytes"),
    "unknown-encoding": (b"# coding: uft-8\n", "syntax error: unknown encoding: uft-8"),
    "mark-against-encoding": (b"\xef\xbb\xbf# coding: latin-1\n", "syntax error: encoding problem"),
    "undecodable": (b"x = '\xff'\n", "syntax error on line 1: (unicode error)"),
    "deep-operators": (b"-" * 100_000 + b"1", "too deeply nested"),
    "deep-attributes": (b"a" + b".b" * 100_000, "too deeply nested"),
    "deep-scopes": (b"lambda: " * 150 + b"1", "too deeply nested"),
    "deep-parentheses": (
        b"(" * 500 + b")" * 500,
        "syntax error on line 1: too many nested parentheses",
    ),
    "long-definition": (
        b"def " + b"f" * 1000 + b"(): ...",
        "a dotted name is longer than 1000 characters",
    ),
    "long-import": (
        b"import " + b"a." * 600 + b"a",
        "a dotted name is longer than 1000 characters",
    ),
    "endless-import": (
        b"import a, " + b"a." * 500_000 + b"a",
        "an imported module's name has more than 1000",
    ),
    "large": (b"x = 1 #" + b" " * 2**22, "larger than 4194304 bytes"),
}


@pytest.mark.parametrize(("content", "reason"), UNREADABLE.values(), ids=UNREADABLE)
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


@pytest.mark.parametrize("error", [ValueError, LookupError, RecursionError, MemoryError])
def test_every_failure_of_the_parser_sets_the_file_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """Which one it raises for what is different from version to version."""

    def fail(_: bytes) -> ast.Module:
        raise error("the parser's reason")

    monkeypatch.setattr(ast, "parse", fail)
    reason = "too deeply nested" if error in (RecursionError, MemoryError) else "parser's reason"
    ((file, found),) = graph_of(tmp_path, {"m.py": ""}).skipped

    assert file == "m.py"
    assert reason in found


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
def test_special_files_are_never_opened(tmp_path: Path) -> None:
    """Opening a FIFO without a writer would wait for ever."""
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "broken.py").symlink_to(tmp_path / "nowhere")
    graph = read_python([tmp_path, tmp_path / "pipe.py"])

    assert graph.skipped == [
        ("broken.py", "No such file or directory"),
        ("pipe.py", "not a regular file"),
    ]


def test_name_that_is_not_unicode_is_set_aside(tmp_path: Path) -> None:
    try:
        (tmp_path / "\udcff.py").touch()
    except OSError:
        pytest.skip("this file system takes only Unicode names")

    assert read_python([tmp_path]).skipped == [("\\udcff.py", "its name is not Unicode")]


def test_directory_that_cannot_be_listed_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions would not do: the tests may run as root."""
    write(tmp_path, {"a.py": "", "closed/b.py": ""})
    listed = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    graph = read_python([tmp_path])

    assert modules(graph) == {"a": "a.py"}
    assert graph.skipped == [("closed", "Permission denied")]


# Imports.


def test_imports_go_to_modules_and_to_what_is_imported_from_them(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "m.py": """\
                import near
                import far.away
                import far.off as o
                from near import f, constant, missing
                from beyond import thing as t
                def g():
                    import late
            """,
            "near.py": "def f(): ...\nconstant = 1",
        },
    )

    assert pairs(graph, "imports") == {
        ("m", target)
        for target in ("near", "near.f", "far.away", "far.off", "beyond", "beyond.thing", "late")
    }
    assert {node.name: node.kind for node in graph.nodes if "external" in node.properties} == {
        "beyond": "module",
        "beyond.thing": "name",
        "far.away": "module",
        "far.off": "module",
        "late": "module",
    }
    assert SourceNode("beyond.thing", "name", {"external": True}) in graph.nodes
    assert SourceEdge("m", "imports", "near.f", {"line": 4}) in graph.edges


def test_relative_imports_start_from_the_package(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "p/__init__.py": "from . import a\nfrom .a import f\ndef top(): f()",
            "p/a.py": "def f(): ...",
            "p/q/__init__.py": "from .b import g",
            "p/q/b.py": """\
                from . import c
                from .. import a as up, top
                from ..a import f as run
                from ... import above
                from ...other import above as more
                def g():
                    c.h(), up.f(), run(), top()
                    above.x(), more()
            """,
            "p/q/c.py": "def h(): ...",
        },
    )

    assert pairs(graph, "imports") == {
        ("p", "p.a"),
        ("p", "p.a.f"),
        ("p.q", "p.q.b"),
        ("p.q", "p.q.b.g"),
        ("p.q.b", "p.q"),
        ("p.q.b", "p.q.c"),
        ("p.q.b", "p"),
        ("p.q.b", "p.a"),
        ("p.q.b", "p.top"),
        ("p.q.b", "p.a.f"),
    }
    assert pairs(graph, "calls") == {
        ("p.top", "p.a.f"),
        ("p.q.b.g", "p.q.c.h"),
        ("p.q.b.g", "p.a.f"),
        ("p.q.b.g", "p.top"),
    }


def test_relative_import_in_a_top_level_module_means_its_sibling(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {"m.py": "from . import a\nfrom .a import f\na.f()", "a.py": "def f(): ..."},
    )

    assert pairs(graph, "imports") == {("m", "a"), ("m", "a.f")}
    assert pairs(graph, "calls") == {("m", "a.f")}


def test_re_exports_are_followed(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "p/__init__.py": "from .inner import Thing as Shown, make\nfrom . import deep",
            "p/inner.py": "from .deep import Thing\ndef make(): return Thing()",
            "p/deep.py": "class Thing:\n def use(self): ...\n def again(self): ...",
            "m.py": """\
                import p
                from p import Shown
                p.deep.Thing.again()
                p.make(), Shown(), p.Shown.use(None)
                class Mine(p.Shown): ...
            """,
        },
    )

    assert pairs(graph, "calls") == {
        ("m", "p.inner.make"),
        ("m", "p.deep.Thing"),
        ("m", "p.deep.Thing.use"),
        ("m", "p.deep.Thing.again"),
        ("p.inner.make", "p.deep.Thing"),
    }
    assert pairs(graph, "inherits") == {("m.Mine", "p.deep.Thing")}
    assert ("m", "p.deep.Thing") in pairs(graph, "imports")


def test_star_imports_are_followed_to_what_they_export(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        from a import *
        from listed import *
        from grown import *
        from twice import *
        f(), deep(), _private(), shown(), _named(), kept(), both(), grown(), first(), len()
        """,
        a="from b import *\ndef f(): ...\ndef _private(): ...",
        b="def deep(): ...",
        listed="__all__ = ['shown', '_named']\ndef shown(): ...\ndef _named(): ...\n"
        "def kept(): ...",
        twice="__all__ = ['first']\n__all__ = [*__all__]\n__all__ = ['other']\ndef first(): ...",
        grown="__all__ = ['both']\n__all__ += ['grown']\ndef both(): ...\ndef grown(): ...",
    )

    assert calls == {
        ("m", "a.f"),
        ("m", "b.deep"),
        ("m", "listed.shown"),
        ("m", "listed._named"),
        ("m", "grown.both"),
        ("m", "grown.grown"),
        ("m", "twice.first"),
    }


def test_star_import_from_outside_explains_attributes_but_no_bare_names(tmp_path: Path) -> None:
    """Else every builtin would seem to come from there."""
    source = "from posix import *\nimport a\na.getpid()\na.f()\nlen()"
    calls = calls_of(tmp_path, source, a="from posix import *\ndef f(): ...")

    assert calls == {("m", "a.getpid"), ("m", "a.f")}


def test_attributes_of_packages_are_their_modules(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/q/__init__.py": "",
            "p/q/r.py": "def f(): ...",
            "namespace/s.py": "",
            "m.py": "import p.q.r\nimport p.compiled\np.q.r.f()\np.compiled.g()\np.nothing.h()",
        },
    )

    assert pairs(graph, "calls") == {("m", "p.q.r.f"), ("m", "p.compiled.g")}


# Calls.


def test_calls_are_followed_through_aliases(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        import a
        import a as b
        import json.decoder as jd
        from a import f as g, K
        from json import dumps as d
        def one(): a.f(), b.f(), g()
        def two(): jd.scan(), d(), d.attribute()
        def three(): K(), K.build(), one(), a.K.missing(), unknown(), len()
        """,
        a="def f(): ...\nclass K:\n @staticmethod\n def build(): ...",
    )

    assert calls == {
        ("m.one", "a.f"),
        ("m.two", "json.decoder.scan"),
        ("m.two", "json.dumps"),
        ("m.two", "json.dumps.attribute"),
        ("m.three", "a.K"),
        ("m.three", "a.K.build"),
        ("m.three", "m.one"),
    }


def test_calls_have_their_first_line_and_count(tmp_path: Path) -> None:
    source = "def f(): ...\ndef g():\n [f() for _ in f()]\n f(\n  f().x()())\nf()"
    graph = graph_of(tmp_path, {"m.py": source})

    assert [edge for edge in graph.edges if edge.type == "calls"] == [
        SourceEdge("m", "calls", "m.f", {"line": 6, "count": 1}),
        SourceEdge("m.g", "calls", "m.f", {"line": 3, "count": 4}),
    ]


def test_code_run_by_the_import_is_called_by_the_module(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        from a import f0, f1, f2, f3, f4, f5, f6, f7, f8, f9
        @f0()
        class A(f1().base, key=f2()):
            x = f3(1)
            @f4(2)
            def method(self, default=f5()) -> f6(): ...
        def outer():
            class Inner:
                y = f7()
            return lambda z=f8(): f9()
        """,
    )

    assert calls == {
        *(("m", f"a.f{i}") for i in range(7)),
        *(("m.outer", f"a.f{i}") for i in range(7, 10)),
    }


@pytest.mark.parametrize(
    "body",
    [
        "def user(f): f()",
        "def user(*f): f()",
        "def user(**f): f()",
        "def user(*, f=None): f()",
        "def user(f, /): f()",
        "def user():\n f = other\n f()",
        "def user():\n f()\n f = other",
        "def user():\n f: int = 1\n f()",
        "def user():\n f += 1\n f()",
        "def user():\n for f in x: f()",
        "def user():\n with x as (y, f): f()",
        "def user():\n try: f()\n except E as f: pass",
        "def user():\n del f\n f()",
        "def user():\n (f := 1)\n f()",
        "def user():\n [(f := 1) for x in y]\n f()",
        "def user():\n match x:\n  case f: f()",
        "def user():\n match x:\n  case [*f]: f()",
        "def user():\n match x:\n  case {**f}: f()",
        "def user():\n match x:\n  case [1 | 2 as f]: f()",
        "def user():\n from a import f\n f = 1\n f()",
        "def user():\n f = 1\n from a import f\n f()",
        "def user():\n return [f() for f in x]",
        "def user():\n return {f(): 1 for y in x for f in y}",
        "def user():\n return lambda f: f()",
        "def user(f):\n def inner(): f()\n return inner",
        "def user(f):\n return lambda: f()",
        "def user(f):\n class A:\n  x = f()",
        "def user():\n def f(): ...\n def inner():\n  nonlocal f\n  f()",
        "class A:\n f = 1\n f()",
    ],
)
def test_shadowed_name_is_not_resolved(tmp_path: Path, body: str) -> None:
    assert calls_of(tmp_path, f"def f(): ...\n{body}") == set()


@pytest.mark.parametrize(
    "body",
    [
        "def user(f=f()): ...",
        "def user(g):\n f()",
        "def user():\n [f for f in f()]",
        "def user():\n [f for f in x]\n f()",
        "def user():\n (lambda f: 1)(f())",
        "def user():\n def inner(f): ...\n f()",
        "def user():\n global f\n f = 1\n f()",
        "class A:\n f = 1\n def user(self): f()",
        "class A:\n f = 1\n x = [f() for y in z]",
        "try: pass\nexcept E: f = None\nf()",
        "f = decorated(f)\nf()",
    ],
)
def test_name_shadowed_elsewhere_is_resolved(tmp_path: Path, body: str) -> None:
    calls = calls_of(tmp_path, f"def f(): ...\n{body}")

    assert {callee for _, callee in calls} == {"m.f"}


def test_fallback_does_not_hide_the_import(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        try:
            from _fast import scan
        except ImportError:
            scan = None
        dump = load = None
        def load(): ...
        from _fast import dump
        scan(), load(), dump()
        """,
    )

    assert calls == {("m", "_fast.scan"), ("m", "_fast.dump"), ("m", "m.load")}


def test_definition_goes_before_the_import_that_speeds_it_up(tmp_path: Path) -> None:
    """So that the callers of `m.late` are found under the name of the node."""
    calls = calls_of(
        tmp_path,
        """\
        def early(): ...
        try:
            from _fast import early, late
        except ImportError:
            def late(): ...
        early(), late()
        """,
    )

    assert calls == {("m", "m.early"), ("m", "m.late")}


def test_class_may_extend_what_it_takes_the_name_of(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "a.py": "class Parser:\n def parse(self): ...",
            "m.py": "from a import Parser\nclass Parser(Parser):\n def f(self): self.parse()",
        },
    )

    assert pairs(graph, "inherits") == {("m.Parser", "a.Parser")}
    assert pairs(graph, "calls") == {("m.Parser.f", "a.Parser.parse")}


def test_names_of_enclosing_functions_are_resolved(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        def f():
            from far import away
            def helper(): ...
            def inner():
                helper(), away(), inner()
            global late
            import late
        def g(): helper(), late.h()
        """,
    )

    assert calls == {
        ("m.f.inner", "m.f.helper"),
        ("m.f.inner", "far.away"),
        ("m.f.inner", "m.f.inner"),
        ("m.g", "late.h"),
    }


# Classes.


def test_self_and_cls_reach_the_class_and_its_bases(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        from base import Base
        class A(Base):
            attribute = None
            fallback = None
            def fallback(self): ...
            def own(self): ...
            def user(this):
                this.own(), this.inherited(), this.attribute(), this.fallback()
                this.unknown(), this()
                return [lambda: this.own() for _ in this.items]
            @classmethod
            def make(cls): cls.own(), cls.inherited(), cls()
            @staticmethod
            def free(self): self.own()
            def __new__(cls): cls.inherited(), cls()
            def second(self, that): that.own()
            def rebound(self):
                self = other
                self.own()
            def passed(self):
                def inner(self): self.own()
            class Nested:
                def user(self): self.own()
        def function(self): self.own()
        def own(): ...
        """,
        base="class Base:\n def inherited(self): ...\n def attribute(self): ...",
    )

    assert calls == {
        ("m.A.user", "m.A.own"),
        ("m.A.user", "m.A.fallback"),
        ("m.A.user", "base.Base.inherited"),
        ("m.A.make", "m.A.own"),
        ("m.A.make", "base.Base.inherited"),
        ("m.A.make", "m.A"),
        ("m.A.__new__", "base.Base.inherited"),
        ("m.A.__new__", "m.A"),
    }


def test_super_starts_after_the_class(tmp_path: Path) -> None:
    calls = calls_of(
        tmp_path,
        """\
        import base
        class A(base.Base):
            def run(self): super().run()
            def old(self): super(A, self).run()
            def skip(self): super(base.Base, self).run(), super(B, self).run()
            def absent(self): super().absent(), super()()
            def nested(self):
                return [lambda: super().run()]
        class B: ...
        def outside(): super().run()
        """,
        base="class Base:\n def run(self): ...",
    )

    assert calls == {(f"m.A.{user}", "base.Base.run") for user in ("run", "old", "nested")}


def test_shadowed_super_is_not_resolved(tmp_path: Path) -> None:
    source = "class B:\n def f(self): ...\nclass A(B):\n def f(self, super): super().f()"

    assert calls_of(tmp_path, source) == set()


def test_members_are_found_in_the_order_of_bases(tmp_path: Path) -> None:
    """In a diamond the second base goes before the base of the first."""
    calls = calls_of(
        tmp_path,
        """\
        class Root:
            def f(self): ...
            def g(self): ...
        class Left(Root):
            def g(self): ...
        class Right(Root):
            def f(self): ...
            def g(self): ...
        class Both(Left, Right):
            def user(self): self.f(), self.g()
        """,
    )

    assert calls == {("m.Both.user", "m.Right.f"), ("m.Both.user", "m.Left.g")}


def test_bases_are_resolved_across_modules(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "p/__init__.py": "",
            "p/a.py": "class A:\n class Inner: ...\ndef function(): ...",
            "m.py": """\
                import p.a
                from p.a import A as Renamed, function
                from typing import Generic
                class One(p.a.A): ...
                class Two(Renamed.Inner, One): ...
                class Three(Generic[T], Renamed[int], dict, function, p.a, made()): ...
                class Three(Two): ...
                class Four(Three.Inner): ...
                class Four(Four): ...
            """,
        },
    )

    assert pairs(graph, "inherits") == {
        ("m.One", "p.a.A"),
        ("m.Two", "p.a.A.Inner"),
        ("m.Two", "m.One"),
        ("m.Three", "typing.Generic"),
        ("m.Three", "p.a.A"),
        ("m.Three", "m.Two"),
        ("m.Four", "p.a.A.Inner"),
    }
    assert SourceEdge("m.One", "inherits", "p.a.A", {"line": 4}) in graph.edges


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters are of Python 3.12")
def test_type_parameters_shadow(tmp_path: Path) -> None:
    source = "class T: ...\ndef f[T](x: T): T()\nclass A[T]:\n x = T()\ntype B = T\nB()"

    assert calls_of(tmp_path, source) == set()


# The module that is not where it is imported from.


def test_os_path_is_the_module_behind_it(tmp_path: Path) -> None:
    """Under its own name on this machine: posixpath, or ntpath on Windows."""
    real = os.path.__name__
    graph = graph_of(
        tmp_path,
        {
            "a.py": "import os\ndef f(): os.path.join()",
            "b.py": "import os.path\ndef f(): os.path.join()",
            "c.py": "import os.path as p\ndef f(): p.join()",
            "d.py": "from os.path import join as j\ndef f(): j()",
            "e.py": "from os import path\ndef f(): path.join(), path.missing()",
            "f.py": "from os.path import *\ndef f(): ...",
            "g.py": "import f\nf.exists()",
        },
    )

    assert pairs(graph, "calls") == {
        *((f"{module}.f", f"{real}.join") for module in "abcde"),
        ("e.f", f"{real}.missing"),
        ("g", "f.exists"),
    }
    assert pairs(graph, "imports") == {
        ("a", "os"),
        ("b", real),
        ("c", real),
        ("d", real),
        ("d", f"{real}.join"),
        ("e", "os"),
        ("e", real),
        ("f", real),
        ("g", "f"),
    }
    assert SourceNode(real, "module", {"external": True}) in graph.nodes


def test_os_path_is_a_module_although_nothing_imports_it(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"m.py": "from os import path\npath()"})

    assert pairs(graph, "imports") == {("m", "os"), ("m", os.path.__name__)}
    assert SourceNode(os.path.__name__, "module", {"external": True}) in graph.nodes


def test_os_path_is_resolved_when_it_is_read(tmp_path: Path) -> None:
    real = os.path.__name__
    graph = graph_of(
        tmp_path,
        {
            "os.py": "path = None\ndef walk(): path.join()",
            f"{real}.py": "from generic import *\ndef join(): ...",
            "generic.py": "def exists(): ...",
            "m.py": "import os\nos.path.join(), os.path.exists(), os.path.absent(), os.walk()",
            "n.py": "from os.path import *\njoin(), exists()",
        },
    )

    assert pairs(graph, "calls") == {
        ("m", f"{real}.join"),
        ("m", "generic.exists"),
        ("m", "os.walk"),
        ("n", f"{real}.join"),
        ("n", "generic.exists"),
    }


# Circles and size.


def test_circles_end(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {
            "a.py": """\
                import b
                from b import ghost, B
                from b import *
                class A(B):
                    def f(self): self.g(), self.nothing(), super().f(), ghost(), b.ghost()
            """,
            "b.py": """\
                import a
                from a import ghost, A
                from a import *
                class B(A):
                    def g(self): self.f(), self.nothing(), undefined(), a.undefined()
                class C(D.X): ...
                class D(C.X): ...
            """,
            "c.py": "from . import c\nfrom c import c as d\nd()",
        },
    )

    assert pairs(graph, "imports") == {("a", "b"), ("a", "b.B"), ("b", "a"), ("b", "a.A")}
    assert pairs(graph, "inherits") == {("a.A", "b.B"), ("b.B", "a.A")}
    assert pairs(graph, "calls") == {("a.A.f", "b.B.g"), ("b.B.g", "a.A.f")}


def test_long_chains_need_no_recursion(tmp_path: Path) -> None:
    """Three thousand modules pass one name on; as many classes inherit from each other."""
    count = 3000
    files = {f"m{i}.py": f"from m{i + 1} import f" for i in range(count)}
    classes = "".join(f"class C{i}(C{i + 1}.X):\n def f(self): self.g()\n" for i in range(count))
    graph = graph_of(
        tmp_path,
        {
            **files,
            f"m{count}.py": "def f(): ...",
            "user.py": "import m0\nm0.f()",
            "classes.py": classes.replace(".X", ""),
            "members.py": classes,
        },
    )

    assert pairs(graph, "calls") == {("user", f"m{count}.f")}
    assert len(pairs(graph, "inherits")) == count - 1


def test_too_many_ancestors_count_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_names, "LINEAGE_COUNT_MAX", 3)
    source = """\
        class A:
            def f(self): ...
        class B(A): ...
        class C(B):
            def user(self): self.f()
        class D(C): ...
        class E(D):
            def user(self): self.f()
        """

    assert calls_of(tmp_path, source) == {("m.C.user", "m.A.f")}


def test_outside_names_have_a_greatest_length(tmp_path: Path) -> None:
    source = f"import x\nx.{'a' * 998}()\nx.{'a' * 999}()\nx{'.bbbb' * 400}()"

    assert calls_of(tmp_path, source) == {("m", f"x.{'a' * 998}")}


def test_same_files_give_the_same_graph(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "import a\na.f()", "a.py": "def f(): ...", "c.py": "("})
    roots = [tmp_path / name for name in ("c.py", "a.py", "b.py")]

    assert read_python(roots) == read_python(reversed(roots)) == read_python(iter(roots))


# The real thing.


def test_part_of_the_standard_library() -> None:
    library = standard_library()
    graph = read_python([library / name for name in ("json", "posixpath.py", "genericpath.py")])
    calls = pairs(graph, "calls")
    kinds = {node.name: node.kind for node in graph.nodes}

    assert graph.skipped == []
    assert kinds["json"] == kinds["json.decoder"] == kinds["posixpath"] == "module"
    assert kinds["json.decoder.JSONDecoder"] == "class"
    assert kinds["json.decoder.JSONDecoder.decode"] == "method"
    assert kinds["posixpath.join"] == "function"
    assert kinds["os"] == "module"
    assert {
        ("json.load", "json.loads"),
        ("json.loads", "json.decoder.JSONDecodeError"),
        ("json", "json.encoder.JSONEncoder"),
        ("json.decoder.JSONDecoder.decode", "json.decoder.JSONDecoder.raw_decode"),
        ("json.encoder.JSONEncoder.encode", "json.encoder.JSONEncoder.iterencode"),
        ("posixpath.abspath", "posixpath.normpath"),
        ("posixpath.abspath", "posixpath.join"),
        ("posixpath.splitext", "genericpath._splitext"),
    } <= calls
    assert ("json", "json.decoder.JSONDecoder") in pairs(graph, "imports")
    assert ("json", "json.tool") in pairs(graph, "contains")
