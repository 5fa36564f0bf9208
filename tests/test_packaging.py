"""The wheel, the repository and pyproject.toml agree about what the package is."""

from __future__ import annotations

import ast
import itertools
import tomllib
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((REPO / "pyproject.toml").read_text())


def _sources(folder: str) -> list[Path]:
    """Python files of a folder, without those that the links of `make dev` show again."""
    root = REPO / folder
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]


def test_every_package_directory_is_listed() -> None:
    folder_of = CONFIG["tool"]["setuptools"]["package-dir"]
    found = {
        ".".join((name, *path.parent.relative_to(REPO / folder).parts))
        for name, folder in folder_of.items()
        for path in _sources(folder)
        if path.name == "__init__.py"
    }

    assert set(CONFIG["tool"]["setuptools"]["packages"]) == found


def test_every_dependency_has_its_row_in_the_readme() -> None:
    readme = (REPO / "README.md").read_text()
    project = CONFIG["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    names = {line.split(">")[0] for line in wanted}

    assert {name for name in names if f"| {name} |" not in readme} == set()


def test_only_the_files_package_touches_files() -> None:
    """No other module of the engine imports what could open, map, remove or lock a file."""
    forbidden = {"io", "mmap", "pathlib", "shutil", "tempfile", "fcntl", "subprocess", "pickle"}
    allowed_of_os = {"fspath", "PathLike", "register_at_fork", "environ", "getpid", "urandom"}
    broken = []
    for path in [*_sources("engine"), *_sources("formats")]:
        if "files" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used = node.value.id == "os" and node.attr not in allowed_of_os
                names = {f"os.{node.attr}"} if used else set()
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called = node.func.id in ("open", "eval", "exec", "compile")
                names = {node.func.id} if called else set()
            else:
                continue
            bad = names & forbidden | {name for name in names if name.startswith("os.")}
            bad |= names & {"open", "eval", "exec", "compile"}
            broken += [f"{path.relative_to(REPO)}: {name}" for name in sorted(bad)]

    assert broken == []


def test_formats_never_imports_what_does_input_or_output() -> None:
    """`formats` turns bytes into values and back; import-linter checks the rest of the layers."""
    for path in _sources("formats"):
        imported = {
            (node.module or "")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
        }
        upward = {
            name
            for name in imported
            if name.startswith("lithograph.")
            and not name.startswith(("lithograph.formats", "lithograph.errors", "lithograph.ids"))
        }

        assert upward == set(), path.name
