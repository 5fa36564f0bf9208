"""What the verbs share: how they are declared, and which store they are about."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Final

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph import Snapshot
    from lithograph.graph.engine import Engine

STORE_VARIABLE: Final = "LITHOGRAPH_STORE"
TERMINAL_ROWS_MAX: Final = 1_000
"""What a terminal shows of a long sequence where no --limit is given."""

Run = Callable[[argparse.Namespace, Output], int]
Verbs = argparse._SubParsersAction  # The type of what add_subparsers() returns has no public name.


def add_page(
    parsers: Verbs[argparse.ArgumentParser], name: str, summary: str, description: str, details: str
) -> argparse.ArgumentParser:
    """Declare a verb, or a kind of one, whose help ends with `details` as they stand."""
    return parsers.add_parser(
        name,
        help=summary,
        description=description,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_verb(
    verbs: Verbs[argparse.ArgumentParser], name: str, run: Run, summary: str, details: str
) -> argparse.ArgumentParser:
    """Declare a verb with --store, --json and --ndjson.

    summary : as in the table of verbs; the description begins with it.
    details : shown below the options: what rows in a pipe hold, then examples.
    """
    parser = add_page(verbs, name, summary, summary[0].upper() + summary[1:] + ".", details)
    add_options(parser, run)
    return parser


def add_verb_of_kinds(
    verbs: Verbs[argparse.ArgumentParser],
    name: str,
    summary: str,
    details: str,
    modules: Iterable[str],
) -> None:
    """Declare a verb whose kinds are declared by these modules, in this order."""
    parser = add_page(verbs, name, summary, summary.capitalize() + ".", details)
    kinds = parser.add_subparsers(metavar="KIND", required=True, title="kinds")
    for module in modules:
        import_module(module).declare(kinds)


def add_options(parser: argparse.ArgumentParser, run: Run) -> None:
    """Declare --store, --json and --ndjson, and what runs the verb."""
    parser.add_argument(
        "--store", metavar="DIR", help=f"the store; default: the variable {STORE_VARIABLE}"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write one JSON value")
    form.add_argument("--ndjson", action="store_true", help="write JSON, one object on each line")
    parser.set_defaults(run=run)


def store_path(arguments: argparse.Namespace) -> str:
    """Return the path of the store that the command is about.

    Raises
    ------
    InvalidArgumentError : neither --store nor the variable names one.
    """
    path: str | None = arguments.store
    if path is None:
        path = os.environ.get(STORE_VARIABLE)
    if not path:
        raise InvalidArgumentError(
            f"no store is named: pass --store DIR, or set {STORE_VARIABLE}=DIR"
        )
    return path


def open_to_read(arguments: argparse.Namespace) -> lithograph.Graph:
    """Return the store, opened to be looked at: no lock, nothing written."""
    return lithograph.open(store_path(arguments), mode="r")


@contextmanager
def open_engine(arguments: argparse.Namespace) -> Iterator[Engine]:
    """Open the store as `open_to_read` does and yield its engine: for what is in which file."""
    from lithograph.graph import registry
    from lithograph.options import Options

    engine = registry.acquire(store_path(arguments), Options(mode="r"))
    try:
        yield engine
    finally:
        registry.release(engine)


def add_direction(parser: argparse.ArgumentParser) -> None:
    """Declare --direction of edges."""
    parser.add_argument(
        "--direction",
        choices=("out", "in", "both"),
        default="out",
        help="edges that leave, that arrive, or both; default: out",
    )


def add_edge_types(parser: argparse.ArgumentParser) -> None:
    """Declare --type of edges: `arguments.types` is a list, None for all."""
    parser.add_argument(
        "--type",
        dest="types",
        metavar="T",
        action="append",
        help="only edges of this type; may be given several times",
    )


def add_as_of(parser: argparse.ArgumentParser) -> None:
    """Declare --as-of, for `open_view`."""
    parser.add_argument(
        "--as-of",
        metavar="WHEN",
        type=moment,
        help="the graph as it was: a time (2026-11-21, 2026-11-21T14:30+01:00; UTC where no"
        " offset is given), or the sequence of a commit",
    )


@contextmanager
def open_view(arguments: argparse.Namespace) -> Iterator[Snapshot]:
    """Open the store and yield one view of it: as it is, or as --as-of says.

    Raises
    ------
    InvalidArgumentError : newer than the newest commit, or older than what is kept.
    """
    with open_to_read(arguments) as graph:
        when = arguments.as_of
        with graph.snapshot() if when is None else graph.as_of(when) as view:
            yield view


def moment(text: str) -> datetime | int:
    """Return an option's value that is a time or a sequence; wrong usage otherwise.

    >>> moment("12"), moment("2026-11-21").isoformat()
    (12, '2026-11-21T00:00:00+00:00')
    """
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a time such as 2026-11-21T14:30 nor the sequence of a commit"
        ) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def count(text: str) -> int:
    """Return an option's value that is a number, 0 or more; wrong usage otherwise."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: use a number, 0 or more")
    return int(text)
