"""What the verbs share: how they are declared, and which store they are about."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Final

import lithograph
from lithograph.errors import InvalidArgumentError
from lithograph.tools.output import Output

STORE_VARIABLE: Final = "LITHOGRAPH_STORE"

Run = Callable[[argparse.Namespace, Output], int]
Verbs = argparse._SubParsersAction  # The type of what add_subparsers() returns has no public name.


def add_verb(
    verbs: Verbs[argparse.ArgumentParser], name: str, run: Run, summary: str, details: str
) -> argparse.ArgumentParser:
    """Declare a verb with --store and --json; `details` is shown below its options."""
    parser = verbs.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(parser, run)
    return parser


def add_options(parser: argparse.ArgumentParser, run: Run) -> None:
    parser.add_argument(
        "--store", metavar="DIR", help=f"the store; default: the variable {STORE_VARIABLE}"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
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
    return lithograph.open(store_path(arguments), mode="r")


def count(text: str) -> int:
    """Return an option's value that is a number, 0 or more; wrong usage otherwise."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: use a number, 0 or more")
    return int(text)
