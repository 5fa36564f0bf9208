"""segtool report: a store as one page for a browser."""

from __future__ import annotations

import argparse
from typing import Final

from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import FINDINGS, OK
from lithograph.tools.output import Output, escape_name, human_size

_DETAILS = """\
The page stands alone: no script, nothing is loaded, so it can be sent to
somebody. It shows the map of the store over time, sizes by part and type, the
distribution of degrees, the nodes of most edges, what is to merge, and what
verify finds: in every file, with --checksums or --deep in every byte. Exit code
1 if it finds anything.
Rows in a pipe: figure, value.

examples:
  segtool report -o report.html --store my.graph
  segtool report -o report.html --deep --store my.graph"""

_OUTPUT: Final = "report.html"


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    parser = add_verb(verbs, "report", run, "write a page about a store, with charts", _DETAILS)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default=_OUTPUT,
        help=f"the page, in place of one that is there; default: {_OUTPUT}",
    )
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--checksums", action="store_true", help="check every byte")
    depth.add_argument(
        "--deep", action="store_true", help="decode every byte, and compare the files"
    )


def run(arguments: argparse.Namespace, output: Output) -> int:
    from datetime import UTC, datetime

    from lithograph.tools.commands.report_answer import ReportAnswer
    from lithograph.tools.output_file import write_whole
    from lithograph.tools.page.report_page import report_page
    from lithograph.tools.store_look import look_at
    from lithograph.tools.store_report import Depth, read_report

    depth: Depth = "deep" if arguments.deep else "checksums" if arguments.checksums else "files"
    with look_at(store_path(arguments)) as look:
        report = read_report(look, datetime.now(UTC), depth)
    size = write_whole(arguments.output, report_page(report))
    answer = ReportAnswer(arguments.output, size, report.map.sequence, len(report.findings))
    if output.as_json:
        output.answer(answer)
    elif output.is_terminal:
        found = f"{answer.finding_count:,} findings" if report.findings else "nothing is wrong"
        said = f"{escape_name(answer.page)}: {human_size(size)}, {found}; open it in a browser"
        output.line(said)
    else:
        output.table(
            ("figure", "value"),
            (
                ("page", answer.page),
                ("size_bytes", answer.size_bytes),
                ("sequence", answer.sequence),
                ("finding_count", answer.finding_count),
            ),
        )
    return FINDINGS if report.findings else OK
