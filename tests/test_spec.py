"""SPEC.md and formats/ say the same: its tables are the declarations, row by row."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from lithograph.formats.file_header import FORMAT_VERSION
from lithograph.formats.layout import Layout
from lithograph.formats.optional_fields import OptionalFields

REPO = Path(__file__).resolve().parents[1]
SPEC = (REPO / "SPEC.md").read_text()
TABLES = re.findall(r"<!-- table of (\S+) -->\n((?:\|.*\n)+)", SPEC)


def _rows(table: str) -> list[tuple[str, ...]]:
    lines = [line.strip("|\n ").split(" | ") for line in table.splitlines()]
    return [tuple(cell.strip() for cell in line) for line in lines[2:]]


@pytest.mark.parametrize(("name", "table"), TABLES, ids=[name for name, _ in TABLES])
def test_a_table_of_the_spec_is_the_declaration(name: str, table: str) -> None:
    module, _, attribute = name.rpartition(".")
    declared = getattr(importlib.import_module(module), attribute)

    assert isinstance(declared, (Layout, OptionalFields))
    assert _rows(table) == declared.table()


def test_every_declaration_has_its_table() -> None:
    declared = set()
    for path in sorted((REPO / "formats").glob("*.py")):
        module = importlib.import_module(f"lithograph.formats.{path.stem}")
        for attribute, value in vars(module).items():
            here = f"\n{attribute}: Final = " in path.read_text()
            if isinstance(value, (Layout, OptionalFields)) and here:
                declared.add(f"lithograph.formats.{path.stem}.{attribute}")

    assert declared == {name for name, _ in TABLES}


def test_every_formats_module_is_named_in_the_spec() -> None:
    shared = {"__init__", "layout", "optional_fields"}
    modules = {path.stem for path in (REPO / "formats").glob("*.py")} - shared

    assert {name for name in modules if f"`formats/{name}.py`" not in SPEC} == set()


def test_the_spec_and_the_library_write_the_same_version() -> None:
    assert f"Format version **{FORMAT_VERSION}**" in SPEC
