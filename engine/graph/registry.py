"""Which stores this process has open: opening a path twice shares one engine.

After a fork the child has none: its engines are abandoned, and it may open the stores anew.
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

_engines: dict[tuple[int, int], Engine] = {}
# Reentrant: collecting a dropped handle in the middle of `acquire` releases it in the same thread.
_guard = threading.RLock()


def acquire(path: str, options: Options) -> Engine:
    """Return the engine of the store at `path`, opened if this process has not opened it yet.

    Raises
    ------
    InvalidArgumentError : this process has it open with other options.
    StoreNotFoundError, StoreExistsError, NotAStoreError, LockedError, CorruptionError,
    FormatVersionError, StorageError
    """
    with _guard:
        files = OsFiles.create_root(path) if options.mode in ("c", "x") else OsFiles(path)
        try:
            identity = files.identity()
            engine = _engines.get(identity)
            if engine is None:
                engine = open_engine(files, Environment(), options)
                engine.graph_count = 1
                _engines[identity] = engine
                return engine
            _check_same(engine, options)
            engine.graph_count += 1
        except BaseException:
            files.close()
            raise
        files.close()
        return engine


def release(engine: Engine) -> None:
    """Let go of one handle; the last one closes the engine. Without effect after a fork."""
    with _guard:
        for identity, known in list(_engines.items()):
            if known is engine:
                engine.graph_count -= 1
                if engine.graph_count == 0:
                    del _engines[identity]
                    engine.close()
                return


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
    for engine in _engines.values():
        engine.abandon()
    _engines.clear()


os.register_at_fork(after_in_child=_abandon_all)
