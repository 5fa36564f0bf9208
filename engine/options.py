"""How a store is opened: the arguments of `lithograph.open`, checked once, then trusted."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from lithograph.errors import InvalidArgumentError

MODES: Final = ("r", "w", "c", "x")
DURABILITIES: Final = ("full", "normal", "off")
PARTITIONS: Final = ("day", "month", "year")

VERIFY_VARIABLE: Final = "LITHOGRAPH_VERIFY"

_UNITS: Final = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE: Final = re.compile(r"(\d{1,15})\s*([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes that tests shrink so that every path is reached in ten operations.

    wal_size_bytes_max : a commit that finds the log larger first starts a new log file.
    transaction_bytes_max : encoded size above which a transaction is refused.
    memtable_size_bytes_max : memory that new commits take before they are flushed.
    open_file_count_max : segments, histories and runs that are mapped at one time.
    close_wal_bytes_max : log that the last process to close leaves behind; more is flushed.
    background : flush and compact in a thread; without it, commits that need it do it themselves.
    compaction : merge files after flushes; without it, only `compact()` does.
    check_outputs : read every segment and run back and check it in full before it is published; on
        where the variable LITHOGRAPH_VERIFY is 1.
    """

    wal_size_bytes_max: int = 64 * 2**20
    transaction_bytes_max: int = 64 * 2**20
    memtable_size_bytes_max: int = 32 * 2**20
    open_file_count_max: int = 128
    close_wal_bytes_max: int = 2**20
    background: bool = True
    compaction: bool = True
    check_outputs: bool = field(default_factory=lambda: os.environ.get(VERIFY_VARIABLE) == "1")


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `lithograph.open`; see there."""

    mode: str = "c"
    durability: str = "full"
    cache_size_bytes: int = 64 * 2**20
    partition: str = "month"
    history: timedelta | None = None
    lock_timeout_s: float = 10.0
    exclusive: bool = False
    tuning: Tuning = Tuning()

    @property
    def writable(self) -> bool:
        return self.mode != "r"


def parse_options(
    mode: str,
    durability: str,
    cache_size: int | str,
    partition: str,
    history: timedelta | None,
    lock_timeout: float,
    exclusive: bool,
) -> Options:
    """Return the checked options; raise InvalidArgumentError that names the first bad one."""
    _check_choice("mode", mode, MODES)
    _check_choice("durability", durability, DURABILITIES)
    _check_choice("partition", partition, PARTITIONS)
    if history is not None and (type(history) is not timedelta or history < timedelta(0)):
        raise InvalidArgumentError(
            f"history={history!r}: use None to keep everything, or a timedelta of zero or more"
        )
    if type(lock_timeout) not in (int, float) or not 0 <= lock_timeout <= 10**6:
        raise InvalidArgumentError(f"lock_timeout={lock_timeout!r}: use 0 to 1,000,000 seconds")
    if not isinstance(exclusive, bool):
        raise InvalidArgumentError(f"exclusive={exclusive!r}: use True or False")
    if exclusive and mode == "r":
        raise InvalidArgumentError(
            "exclusive=True needs a mode that writes: a reader has no use for it"
        )
    return Options(
        mode, durability, parse_size(cache_size), partition, history, float(lock_timeout), exclusive
    )


def parse_path(name: str, path: str | os.PathLike[str]) -> str:
    """Return the path that argument `name` gives; raise InvalidArgumentError where it is none."""
    try:
        text = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidArgumentError(f"{name}={path!r:.80}: use a str or a path object")
    return text


def parse_size(size: int | str) -> int:
    """Return a size in bytes from an int of bytes or a text such as "64MiB".

    >>> parse_size("64MiB")
    67108864
    """
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63:
        return size
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or int(match[1]) * unit >= 2**63:
        raise InvalidArgumentError(
            f'cache_size={size!r}: use bytes as an int, or a text such as "64MiB" or "1GiB"'
        )
    return int(match[1]) * unit


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices or not isinstance(value, str):
        listed = ", ".join(repr(choice) for choice in choices)
        raise InvalidArgumentError(f"{name}={value!r}: use one of {listed}")
