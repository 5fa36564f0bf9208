"""docs/segtool.md: every verb with its options, its examples and the shape of its answers.

`python -m lithograph.tools.manual docs/segtool.md` writes it from the parsers and the shapes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lithograph.tools.answer_shape import answer_shape
from lithograph.tools.exit_code import EXPLANATION
from lithograph.tools.segtool import VERBS, full_parser
from lithograph.tools.shape_text import describe_shape

_HEAD: Final = """\
# segtool

Look into a lithograph store, fill it and mend it. This page is made from the parsers of the verbs
and the shapes of their answers: `python -m lithograph.tools.manual docs/segtool.md`.

    segtool VERB [options]

Every verb takes these:

* `--store DIR`: the store; without it, the variable `LITHOGRAPH_STORE` names it.
* `--json`: write one JSON value, in the shape told below.
* `--ndjson`: write JSON, one object on each line.
* `--help`

On a terminal answers are tables, in a pipe bare rows with tabs between their cells. Control
characters are shown as escapes. Errors are one line on standard error that starts with "segtool:".
Long jobs show a bar on standard error, where that is a terminal. `NO_COLOR` is honored. Times are
in ISO 8601, sizes in bytes.
"""
_COMMON: Final = frozenset(("store", "json", "ndjson", "help"))


def manual() -> str:
    """Return the page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for name, summary in VERBS.items():
        yield f"* [{name}](#{name}): {summary}"
    title, *codes = EXPLANATION.splitlines()
    yield ""
    yield f"## {title.removesuffix(':').capitalize()}"
    yield ""
    for line in codes:
        code, _, meaning = line.strip().partition("  ")
        yield f"* {code}: {meaning}"
    for name, parser in _choices(full_parser()).items():
        yield ""
        yield f"## {name}"
        kinds = _choices(parser)
        yield from _about(name, parser)
        if not kinds:
            yield from describe_shape(answer_shape(name))
        for kind, below in kinds.items():
            yield ""
            yield f"### {name} {kind}"
            yield from _about(f"{name} {kind}", below)
            yield from describe_shape(answer_shape(name, kind))


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers below this one, by what leads to them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _about(words: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the usage, what it does, its arguments, and what its help says below them."""
    actions = [action for action in parser._actions if action.dest not in _COMMON]
    places = [_place(action) for action in actions if not action.option_strings]
    yield ""
    yield f"    segtool {' '.join([words, *places])} [options]"
    yield ""
    yield parser.description or ""
    yield ""
    told = [each for each in actions if not isinstance(each, argparse._SubParsersAction)]
    yield from (f"* `{_spelling(action)}`: {_help(action)}" for action in told)
    if told:
        yield ""
    yield "```text"
    yield parser.epilog or ""
    yield "```"
    yield ""


def _place(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest)
    if action.nargs == "?":
        return f"[{name}]"
    return f"{name}…" if action.nargs in ("*", "+") else name


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return _place(action)
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
    value = action.metavar or choices or action.dest.upper()
    return f"{names} {value}"


def _help(action: argparse.Action) -> str:
    return (action.help or "") % (vars(action) | {"prog": "segtool"})


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manual(), "utf-8")
