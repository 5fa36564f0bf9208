"""segtool: look into a store, and fill it, from the command line.

Promises:

1. Answers go to standard output; whatever goes wrong is one line on standard error that starts with
   "segtool:", and an exit code that says of which kind it is.
2. Looking changes nothing: only `import` and `rebuild-index` write.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import lithograph
from lithograph.errors import LithographError
from lithograph.tools.commands import dump, get, import_, info, neighbors, rebuild_index
from lithograph.tools.exit_code import EXPLANATION, INTERRUPTED, OK, STORAGE, USAGE, exit_code
from lithograph.tools.output import Output, complain

_DESCRIPTION = "Look into a lithograph store, and fill it."
_EPILOG = f"""\
Every verb takes --store DIR, or the variable LITHOGRAPH_STORE, and --json.
"segtool VERB --help" has more, with an example.

{EXPLANATION}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code.

    arguments : without the program's name; None takes the process's own.
    """
    if sys.stdout is None:
        complain("standard output is closed")
        return STORAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter gets its number.
            stream.reconfigure(errors="backslashreplace")
    try:
        parsed = _parser().parse_args(arguments)
    except SystemExit as end:  # How argparse ends --help, --version and wrong usage.
        return end.code if isinstance(end.code, int) else USAGE
    try:
        with _events_on_stderr():
            code: int = parsed.run(parsed, Output(as_json=parsed.json))
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return OK
    except LithographError as error:
        complain(str(error))
        return exit_code(error)
    except OSError as error:
        complain(f"cannot write the answer: {error.strerror or error}")
        return exit_code(error)


class _Parser(argparse.ArgumentParser):
    """Tells wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see: {self.prog} --help)")
        raise SystemExit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="segtool",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"lithograph {lithograph.__version__}"
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs")
    for verb in (import_, info, get, neighbors, dump, rebuild_index):
        verb.declare(verbs)
    return parser


class _Events(logging.Handler):
    """Passes on what the library tells operators, such as a recovery."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


@contextmanager
def _events_on_stderr() -> Iterator[None]:
    handler = _Events(logging.WARNING)
    logger = logging.getLogger("lithograph")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _drop_output() -> None:
    """Let the interpreter flush into nothing at its end: nobody reads any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
