"""segtool readers: which processes have the store open, and what they keep from being removed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lithograph.tools.commands.common import Verbs, add_verb, store_path
from lithograph.tools.exit_code import OK
from lithograph.tools.output import Output

if TYPE_CHECKING:
    from lithograph.files import Files

_DETAILS = """\
Each process that has the store open pins the generation whose files it may still
read, and the oldest commit that a snapshot of it needs: no file and no version
behind them is removed meanwhile. Neither the store is opened nor a lock waited
for, so that this also answers where another process keeps everybody else out.
Rows in a pipe: process, state ("alive", or "dead": its pin holds nothing and is
removed by the next process that removes files), generation, sequence, seconds
since it last pinned something else.

examples:
  segtool readers --store my.graph
  segtool readers --store my.graph --ndjson"""

_COLUMNS: Final = ("process", "state", "generation", "sequence", "seconds")


class ReadersRecord(msgspec.Struct, forbid_unknown_fields=True):
    """What a process pins.

    process : its number, as it knows itself; None where the pin cannot be read.
    state : "alive" or "dead".
    generation : the oldest whose files it may read; 0 pins all files.
    sequence : the oldest commit that a snapshot needs, None without snapshots; 0 pins all versions.
    pinned_at : time of the pin's last change.
    age_seconds : since then.
    file : the pin, by its name in the store.
    """

    process: int | None
    state: str
    generation: int
    sequence: int | None
    pinned_at: datetime
    age_seconds: float
    file: str


RECORD_SHAPE = ReadersRecord


def declare(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_verb(verbs, "readers", run, "show which processes have a store open", _DETAILS)


def run(arguments: argparse.Namespace, output: Output) -> int:
    from lithograph.files import OsFiles
    from lithograph.maintenance.creation import check_directory, is_unfinished
    from lithograph.maintenance.session import no_store

    files = OsFiles(store_path(arguments))
    try:
        check_directory(files)
        if is_unfinished(files):
            raise no_store(files)
        output.records(_COLUMNS, list(read_pins(files)), _row)
    finally:
        files.close()
    return OK


def read_pins(files: Files) -> Iterator[ReadersRecord]:
    """Yield every pin that is there, also of dead processes; changes nothing."""
    from lithograph.errors import CorruptionError, StorageError
    from lithograph.formats.file_names import PINS_DIRECTORY, is_pin
    from lithograph.formats.pin import NO_SEQUENCE, PIN_SIZE, PINS_EVERYTHING, PinState
    from lithograph.tools.regular_file import RegularFile

    now = time.time()
    for entry in files.entries(PINS_DIRECTORY):
        if not is_pin(entry):
            continue
        name = f"{PINS_DIRECTORY}/{entry}"
        try:
            with RegularFile(files.path_of(name)) as file:
                is_alive = file.is_locked()
                data, changed_at = file.read_at(0, PIN_SIZE), file.changed_at
        except StorageError:
            if files.exists(name):
                raise
            continue  # Just released.
        try:
            pin = PinState.decode(data)
        except CorruptionError:
            pin = PINS_EVERYTHING
        yield ReadersRecord(
            process=pin.process or None,
            state="alive" if is_alive else "dead",
            generation=pin.generation,
            sequence=pin.sequence if pin.sequence != NO_SEQUENCE else None,
            pinned_at=datetime.fromtimestamp(changed_at, UTC),
            age_seconds=round(max(now - changed_at, 0.0), 3),
            file=name,
        )


def _row(record: ReadersRecord) -> tuple[Any, ...]:
    # Numbers of processes, generations and commits are no amounts.
    sequence = None if record.sequence is None else str(record.sequence)
    process = None if record.process is None else str(record.process)
    seconds = f"{record.age_seconds:.0f}"
    return process, record.state, str(record.generation), sequence, seconds
