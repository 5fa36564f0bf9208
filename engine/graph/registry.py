"""Which stores this process has open: opening a path twice shares one engine.

Each store has a lock of its own, so that opening or closing one never waits for another. After a
fork the child has none open: its engines are abandoned, and it may open the stores anew.
"""

from __future__ import annotations

import os
import threading
from dataclasses import fields, replace

from lithograph.environment import Environment
from lithograph.errors import InvalidArgumentError, StoreExistsError
from lithograph.files import OsFiles
from lithograph.graph.engine import Engine, open_engine
from lithograph.options import Options


class _Entry:
    """One store that is open, being opened or being closed.

    engine : under `lock`.   user_count : handles, and threads on their way to one; under `_guard`.
    """

    def __init__(self) -> None:
        # Reentrant: collecting a dropped handle in the middle of an opening releases it in the
        # same thread.
        self.lock = threading.RLock()
        self.engine: Engine | None = None
        self.user_count = 0


_entries: dict[tuple[int, int], _Entry] = {}
_guard = threading.RLock()


def acquire(path: str, options: Options) -> Engine:
    """Return the engine of the store at `path`, opened if this process has not opened it yet.

    Raises
    ------
    InvalidArgumentError : this process has it open with other options.
    StoreNotFoundError, StoreExistsError, NotAStoreError, LockedError, CorruptionError,
    FormatVersionError, StorageError
    """
    files = OsFiles.create_root(path) if options.mode in ("c", "x") else OsFiles(path)
    try:
        entry = _enter(files.identity())
    except BaseException:
        files.close()
        raise
    try:
        with entry.lock:
            if entry.engine is None:
                entry.engine = open_engine(files, Environment(), options)
                return entry.engine
            _check_same(entry.engine, options)
            files.close()
            return entry.engine
    except BaseException:
        files.close()
        _leave(entry)
        raise


def release(engine: Engine) -> None:
    """Let go of one handle; the last one closes the engine. Without effect after a fork."""
    with _guard:
        found = [entry for entry in _entries.values() if entry.engine is engine]
    for entry in found:
        _leave(entry)


def _enter(identity: tuple[int, int]) -> _Entry:
    with _guard:
        entry = _entries.setdefault(identity, _Entry())
        entry.user_count += 1
        return entry


def _leave(entry: _Entry) -> None:
    """Count one user less; without users, close the engine and forget the entry."""
    with entry.lock:
        with _guard:
            entry.user_count -= 1
            last = entry.user_count == 0
            engine = entry.engine
            if last:
                # Whoever comes from here on gets an entry of its own, and the store's locks
                # keep it waiting until this engine is closed.
                for identity, known in list(_entries.items()):
                    if known is entry:
                        del _entries[identity]
        if last and engine is not None:
            engine.close()


def _check_same(engine: Engine, options: Options) -> None:
    """Raise InvalidArgumentError where the options contradict those the store is open with."""
    if options.mode == "x":
        raise StoreExistsError(f"{engine.files.root} holds a store already, and is open here")
    if not options.writable and engine.options.writable:
        return  # A read-only handle on an engine that can write.
    opened = replace(engine.options, mode="w" if engine.options.writable else "r")
    wanted = replace(options, mode="w" if options.writable else "r")
    for option in fields(Options):
        ours, theirs = getattr(opened, option.name), getattr(wanted, option.name)
        if ours != theirs:
            name = option.name.removesuffix("_bytes").removesuffix("_s")
            raise InvalidArgumentError(
                f"{engine.files.root} is open in this process with {name}={ours!r}, not "
                f"{theirs!r}: use the same options, or close it first"
            )


def _abandon_all() -> None:
    global _guard
    _guard = threading.RLock()
    for entry in _entries.values():
        if entry.engine is not None:
            entry.engine.abandon()
    _entries.clear()


os.register_at_fork(after_in_child=_abandon_all)
