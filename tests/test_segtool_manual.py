"""docs/segtool.md says what the parsers and the shapes say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lithograph.tools.answer_shape import AnswerShape, answer_shape
from lithograph.tools.exporters.kinds import KINDS as exporters
from lithograph.tools.importers.kinds import KINDS as importers
from lithograph.tools.manual import manual
from lithograph.tools.segtool import VERBS
from lithograph.tools.shape_text import describe_shape, structs_of

PAGE = Path(__file__).parents[1] / "docs" / "segtool.md"


def test_the_page_is_that_of_the_parsers(request: pytest.FixtureRequest) -> None:
    """Written anew by `python -m lithograph.tools.manual docs/segtool.md`."""
    page = manual()
    if request.config.getoption("--rewrite-golden"):
        PAGE.write_text(page, "utf-8")

    assert page == PAGE.read_text("utf-8")


def test_the_page_has_every_verb_and_its_examples() -> None:
    page = manual()

    for verb in VERBS:
        assert f"\n## {verb}\n" in page
        about = page.split(f"\n## {verb}\n")[1].split("\n## ")[0]
        assert "examples:" in about
        assert "JSON: " in about


def test_no_shape_lets_a_field_by_that_it_does_not_name() -> None:
    """Or decoding an answer into its shape would prove little."""
    kinds: dict[str, Iterable[str | None]] = {"import": importers, "export": exporters}
    for verb in VERBS:
        for kind in kinds.get(verb, [None]):
            for struct in structs_of(answer_shape(verb, kind).shape):
                assert struct.__struct_config__.forbid_unknown_fields, (verb, struct)


class Inner(msgspec.Struct):
    """A part.

    size : in bytes,
        perhaps None.
    """

    size: int | None


class Outer(msgspec.Struct, tag="whole", tag_field="kind"):
    """The whole
    of it.

    at, until : times.
    """

    at: datetime
    until: datetime
    parts: dict[str, list[Inner]]
    untold: Any


def test_a_shape_is_told_from_its_docstring_and_its_types() -> None:
    assert list(describe_shape(AnswerShape(Outer, many=True))) == [
        "JSON: a list of `Outer`. NDJSON: one on each line.",
        "",
        "`Outer`: The whole of it.",
        "",
        '* `kind` ("whole")',
        "* `at` (time), `until` (time): times.",
        "* `parts` (map to list of `Inner`)",
        "* `untold` (any value)",
        "",
        "`Inner`: A part.",
        "",
        "* `size` (integer or null): in bytes, perhaps null.",
    ]
