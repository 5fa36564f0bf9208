"""Pins of processes: which files and versions nobody may remove yet (SPEC.md, section 10.1).

Each process that has the store open keeps one pin, and holds the lock on it as long as it lives. So
that nothing is removed under a reader, both sides keep an order:

* Whoever reads first pins what it is about to read, then looks whether CURRENT still names the
  generation that it pinned, and starts over if not. A pin is raised only when nothing below it is
  read any more.
* Whoever removes first publishes a generation that does without the files, then reads all pins.
"""

from __future__ import annotations

import contextlib
import errno

from lithograph.environment import Environment
from lithograph.errors import CorruptionError, StorageError
from lithograph.files import File, Files, Lock
from lithograph.formats.file_names import PINS_DIRECTORY, is_pin, pin_name
from lithograph.formats.pin import PIN_SIZE, PINS_EVERYTHING, PinState


class Pin:
    """The pin of this process, from `take` to `release`."""

    def __init__(self, files: Files, name: str, lock: Lock, file: File, process: int) -> None:
        self.name = name
        self._files = files
        self._lock = lock
        self._file = file
        self._process = process
        self._is_written = False

    @classmethod
    def take(cls, files: Files, environment: Environment, generation: int, sequence: int) -> Pin:
        """Pin the files from `generation` on, and the versions that `sequence` and later ones see.

        sequence : NO_SEQUENCE if there is no snapshot.

        Raises
        ------
        StorageError : the machine failed, or lets this process write nothing here.
        """
        files.make_directory(PINS_DIRECTORY)
        while True:
            name = pin_name(environment.random_u64())
            lock = files.lock(name, None)
            try:
                # Only who reads the pins can be in the way, and takes the new one for a dead one's.
                if lock.try_acquire(exclusive=True):
                    return cls._locked(files, environment, name, lock, generation, sequence)
            except BaseException:
                lock.close()
                raise
            lock.close()

    @classmethod
    def _locked(
        cls,
        files: Files,
        environment: Environment,
        name: str,
        lock: Lock,
        generation: int,
        sequence: int,
    ) -> Pin:
        file = files.open(name, writable=True)
        pin = cls(files, name, lock, file, environment.process_id())
        try:
            pin.update(generation, sequence)
        except BaseException:
            file.close()
            raise
        return pin

    def update(self, generation: int, sequence: int) -> None:
        """Pin something else from now on; if that fails, everything or what was pinned before.

        On a full disk the first write fails, and goes on failing: a pin without bytes pins
        everything, which is safe, so that the store can be opened and read.
        """
        try:
            self._file.write_at(0, PinState(generation, sequence, self._process).encode())
        except StorageError as error:
            if self._is_written or not _is_full(error):
                raise
        else:
            self._is_written = True

    def release(self) -> None:
        """Pin nothing any more."""
        try:
            # What cannot be removed is no longer locked: whoever reads the pins next removes it.
            with contextlib.suppress(StorageError):
                self._files.unlink(self.name)
        finally:
            self._file.close()
            self._lock.close()


def _is_full(error: StorageError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def read_pins(files: Files) -> list[PinState]:
    """Return what the processes pin that live, this one included; remove the pins of dead ones.

    Only what a generation that is published does without may be removed by the answer.

    Raises
    ------
    StorageError : the directory cannot be read.

    Cost: 30 µs per pin.
    """
    names = [f"{PINS_DIRECTORY}/{name}" for name in files.entries(PINS_DIRECTORY) if is_pin(name)]
    found = (_read_pin(files, name) for name in names)
    return [state for state in found if state is not None]


def _read_pin(files: Files, name: str) -> PinState | None:
    """Return what a process pins, or None if it is dead or has just released its pin."""
    try:
        if _remove_dead(files, name):
            return None
        file = files.open(name)
    except (StorageError, CorruptionError):
        return PINS_EVERYTHING if files.exists(name) else None
    try:
        return PinState.decode(file.read_at(0, PIN_SIZE))
    except (StorageError, CorruptionError):
        return PINS_EVERYTHING
    finally:
        file.close()


def _remove_dead(files: Files, name: str) -> bool:
    """Return whether nobody holds the lock on a pin; then it is gone."""
    lock = files.lock(name, None)
    try:
        if not lock.try_acquire(exclusive=True):
            return False
        with contextlib.suppress(StorageError):
            files.unlink(name)
        return True
    finally:
        lock.close()
