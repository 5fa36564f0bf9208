"""segtool doctor: how a store is, in words, and which command to run next."""

from __future__ import annotations

import argparse

from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.output import Output, escape_controls

_DETAILS = """\
Looks at files, the log, filters, locks, pins, permissions and the room on the
disk, also of a store that does not open, and changes nothing. It does not read
every byte: that is segtool verify --deep.
Exit code 1 where there is more than notes; 5 where there is no store.
Rows in a pipe: level (error, warning, note), what was noticed, what to run.

examples:
  segtool doctor --store my.graph
  segtool doctor --store my.graph --json"""


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "doctor", run, "say how a store is, and what to run next", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.tools.diagnosis import diagnose

    answer = diagnose(store_path(arguments))
    if output.as_json:
        output.answer(answer)
    elif output.is_terminal:
        output.line(f"{escape_controls(answer.path)} {escape_controls(answer.summary)}")
        for advice in answer.advice:
            output.line(f"\n{advice.level}: {escape_controls(advice.what)}")
            if advice.command is not None:
                output.line(f"  {escape_controls(advice.command)}")
    else:
        output.table(
            ("level", "what", "command"),
            [(advice.level, advice.what, advice.command) for advice in answer.advice],
        )
    return OK if answer.verdict == "sound" else FINDINGS
