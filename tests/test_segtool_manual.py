"""docs/segtool.md says what the parsers and the shapes say, and shells complete what they know."""

from __future__ import annotations

import shutil
import subprocess
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
from lithograph.tools.segtool import VERBS, main
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


def script_for(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "script"
    path.write_text(script_for(shell, capsys), "utf-8")
    text = path.read_text("utf-8")

    assert all(verb in text for verb in VERBS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script was not read by it")
    subprocess.run([shell, "-n", str(path)], check=True)


def completed(script: Path, words: list[str], folder: Path) -> set[str]:
    """Return what bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"""
        source {script}
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        COMP_LINE="{" ".join(words)}"; COMP_POINT=${{#COMP_LINE}}
        _shtab_segtool
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", ask], capture_output=True, text=True, check=True, cwd=folder
    )
    return {line.strip() for line in done.stdout.splitlines()} - {""}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_verbs_options_and_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script"
    script.write_text(script_for("bash", capsys), "utf-8")
    (tmp_path / "notes.wal").touch()

    assert completed(script, ["segtool", "neigh"], tmp_path) == {"neighbors"}
    assert completed(script, ["segtool", "ls", "pa"], tmp_path) == {"partitions"}
    assert {"--max-hops", "--direction"} <= completed(script, ["segtool", "path", "--"], tmp_path)
    assert "notes.wal" in completed(script, ["segtool", "dump", "no"], tmp_path)
