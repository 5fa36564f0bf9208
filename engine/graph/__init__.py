"""The public face: `open` and `Graph`."""

from __future__ import annotations

import os
from datetime import timedelta

from lithograph.graph import registry
from lithograph.graph.graph import Graph
from lithograph.options import parse_options, parse_path

__all__ = ["Graph", "open"]


def open(
    path: str | os.PathLike[str],
    mode: str = "c",
    durability: str = "full",
    cache_size: int | str = "64MiB",
    partition: str = "month",
    history: timedelta | None = None,
    lock_timeout: float = 10.0,
    exclusive: bool = False,
) -> Graph:
    """Open the store in directory `path` and return its graph, a context manager.

    Parameters
    ----------
    mode : "c" creates the store if there is none (the directory above must exist), "w" needs one,
        "x" needs that there is none, "r" reads and writes nothing.
    durability : of a commit, when it returns. "full": it is on the medium. "normal": it survives
        this process's death, and the machine's after the next full commit or checkpoint. "off": as
        normal, and `close` does not sync either.
    cache_size : bytes for decompressed blocks, as an int or a text such as "64MiB".
    partition : "day", "month" or "year", the windows of commit time that files are split by.
    history : how long superseded versions are kept; None for ever.
    lock_timeout : seconds to wait for another process's lock.
    exclusive : keep every other process out until this one closes.

    Opening a path that this process has open shares the engine; the options must agree then.

    Raises
    ------
    StoreNotFoundError, StoreExistsError, NotAStoreError : by mode and what is at `path`.
    LockedError : another process keeps this one out; `.pid` names it.
    CorruptionError, FormatVersionError, StorageError, InvalidArgumentError

    Cost: O(the log behind the last checkpoint), whatever the size of the store.

    >>> import tempfile
    >>> with open(tempfile.mkdtemp() + "/demo.graph") as g:
    ...     g.put_node("Ada", type="Person", observations=["wrote the first program"])
    ...     g.node("Ada").observations
    ('wrote the first program',)
    """
    options = parse_options(
        mode, durability, cache_size, partition, history, lock_timeout, exclusive
    )
    engine = registry.acquire(parse_path("path", path), options)
    return Graph(engine, writable=options.writable)
