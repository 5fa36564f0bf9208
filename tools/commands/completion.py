"""segtool completion: a script that makes a shell complete segtool's commands."""

from __future__ import annotations

import argparse
from typing import Any, Final

import msgspec

from lithograph.tools.commands.common import Verbs, add_verb
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

SHELLS: Final = ("bash", "zsh", "fish")

_DETAILS = """\
The script knows verbs, kinds, options and their values, and completes the names
of files and directories; no process is started for it. Write it anew after an
upgrade. It names no store: --store does nothing here.

examples:
  segtool completion bash > ~/.local/share/bash-completion/completions/segtool
  segtool completion zsh > ~/.zfunc/_segtool
  segtool completion fish > ~/.config/fish/completions/segtool.fish"""


class CompletionAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A script.

    shell : that it is for.
    script : its text.
    """

    shell: str
    script: str


SHAPE = CompletionAnswer


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    summary = "write what makes a shell complete commands"
    parser = add_verb(verbs, "completion", run, summary, _DETAILS)
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def run(arguments: argparse.Namespace, output: Output) -> int:
    import shtab

    from lithograph.tools.segtool import full_parser

    parser = full_parser()
    _mark_paths(parser, {"DIR": shtab.DIRECTORY, "FILE": shtab.FILE, "PATH": shtab.FILE})
    answer = CompletionAnswer(arguments.shell, shtab.complete(parser, arguments.shell))
    if output.as_json:
        output.answer(answer)
    else:
        output.line(answer.script)
    return OK


def _mark_paths(parser: argparse.ArgumentParser, completers: dict[str, Any]) -> None:
    """Say which arguments are paths, by the names they are shown under."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _mark_paths(below, completers)
        elif action.metavar in completers:
            # An attribute of shtab's own on other people's objects: that is its interface.
            vars(action)["complete"] = completers[action.metavar]
