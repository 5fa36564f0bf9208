"""segtool: look into a store, fill it and mend it, from the command line.

Promises:

1. Answers go to standard output; whatever goes wrong is one line on standard error that starts with
   "segtool:", and an exit code that says of which kind it is.
2. Looking changes nothing: a verb that only looks opens the store with mode="r".
3. A command loads the module of its own verb and no other, so that help comes at once.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Final, NoReturn, Protocol, cast

import lithograph
from lithograph.errors import LithographError, StoreNotFoundError
from lithograph.tools.commands.common import Verbs
from lithograph.tools.exit_code import EXPLANATION, INTERRUPTED, OK, STORAGE, USAGE, exit_code
from lithograph.tools.output import Output, complain

VERBS: Final = {
    "info": "show counts and sizes of a store",
    "ls": "list the files of a store",
    "stats": "count nodes and edges by type and degree, and bytes by part",
    "map": "draw the partitions of a store over time",
    "report": "write a page about a store, with charts",
    "get": "show one node",
    "neighbors": "show the edges at a node",
    "path": "show a shortest path between two nodes",
    "history": "show what became of a node",
    "scan": "list nodes in the order of their names",
    "readers": "show which processes have a store open",
    "dump": "show files of a store, field by field",
    "import": "read data of another kind into a store",
    "export": "write the graph as data of another kind",
    "doctor": "say how a store is, and what to run next",
    "verify": "check the files of a store",
    "checkpoint": "put what is only in the log into files",
    "compact": "merge everything into one segment and one run",
    "repair": "save what is left of a damaged store",
    "purge": "erase a node and all its past for good",
    "rebuild-index": "make the name index again",
    "backup": "copy a store as it is now, while others write",
    "restore": "make a new store from a backup",
    "diff": "compare two stores, or one with its past",
    "completion": "write what makes a shell complete commands",
}
"""Every verb and what it does; its module in `lithograph.tools.commands` has the same name."""

_PROGRAMS_HINT = '; open it with mode="c" to create one'
_DESCRIPTION = "Look into a lithograph store, fill it and mend it."
_EPILOG = f"""\
Every verb takes --store DIR, or the variable LITHOGRAPH_STORE, and --json or
--ndjson. "segtool VERB --help" has more, with examples.

{EXPLANATION}"""


class Verb(Protocol):
    """What the module of a verb has to offer."""

    __name__: str

    def declare(self, verbs: Verbs[argparse.ArgumentParser]) -> None:
        """Add the verb's parser, by `commands.common.add_verb`."""


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
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _answer(words)
    except SystemExit as end:  # How argparse ends --help, --version and wrong usage.
        return end.code if isinstance(end.code, int) else USAGE
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return OK
    except StoreNotFoundError as error:
        # The engine speaks to programs, which make a store by opening it.
        found = str(error).removesuffix(_PROGRAMS_HINT)
        complain(f"{found}; check the path, or make one: segtool import")
        return exit_code(error)
    except LithographError as error:
        complain(str(error))
        return exit_code(error)
    except OSError as error:
        complain(f"cannot write the answer: {error.strerror or error}")
        return exit_code(error)


def _answer(words: Sequence[str]) -> int:
    parsed = verb_parser(words).parse_args(words)
    output = Output(as_json=parsed.json, as_lines=parsed.ndjson)
    with _events_on_stderr():
        code: int = parsed.run(parsed, output)
        sys.stdout.flush()
    return code


class Parser(argparse.ArgumentParser):
    """Tells wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see: {self.prog} --help)")
        raise SystemExit(USAGE)


def full_parser() -> argparse.ArgumentParser:
    """Return the parser with every verb complete. Cost: their modules are loaded."""
    return _parser(lambda name: True)


def verb_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of a command; of its verbs, only the one that `words` name is complete."""
    # No option before the verb takes a value.
    asked = next((word for word in words if not word.startswith("-")), None)
    return _parser(lambda name: name == asked)


def _parser(is_asked: Callable[[str], bool]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
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
    for name, summary in VERBS.items():
        if is_asked(name):
            load_verb(name).declare(verbs)
        else:
            verbs.add_parser(name, help=summary, add_help=False)
    return parser


def load_verb(name: str) -> Verb:
    """Return the module of a verb of the table."""
    module = name.replace("-", "_") + ("_" if iskeyword(name) else "")
    return cast(Verb, import_module(f"lithograph.tools.commands.{module}"))


@contextmanager
def _events_on_stderr() -> Iterator[None]:
    """Pass on what the library tells operators, such as a recovery."""
    import logging

    class Events(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complain(record.getMessage())

    handler = Events(logging.WARNING)
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
