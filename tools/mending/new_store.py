"""A store that appears when it is complete, or not at all."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lithograph
from lithograph import Graph
from lithograph.errors import CorruptionError, StorageError
from lithograph.formats.moment import decode_moment


class NewStore:
    """A store on its way.

    Attributes
    ----------
    graph : open to be written; None where nothing shall be.
    now_us : when it was begun, µs since 1970 UTC: commits that are made again are not after that.
    """

    def __init__(self, graph: Graph | None) -> None:
        self.graph = graph
        self.now_us = time.time_ns() // 1000
        self.is_finished = False

    def finish(self, floor: int | None) -> None:
        """Put everything on the medium, and check it.

        floor : µs since 1970 UTC; the graph as of older moments cannot be read, as in the store
            that it came from.

        Raises
        ------
        CorruptionError : what was written is not sound.
        """
        graph = self.graph
        if graph is not None:
            graph.checkpoint()
            if floor is not None and floor <= self.now_us:
                graph.compact(drop_history_before=decode_moment(floor))
            findings = graph.verify()
            if findings:
                raise CorruptionError(f"what was written is not sound: {findings[0]}")
        self.is_finished = True


@contextmanager
def new_store(path: str | None) -> Iterator[NewStore]:
    """Make a store that is at `path` when this ends after `finish`; None makes none.

    Whatever else ends this, an interruption too, leaves nothing behind.
    """
    if path is None:
        yield NewStore(None)
        return
    target = Path(path)
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    try:
        with lithograph.open(partial, mode="x", durability="off") as graph:
            made = NewStore(graph)
            yield made
        if made.is_finished:
            try:
                partial.rename(target)
                _sync_directory(target.parent)
            except OSError as error:
                raise StorageError(f"cannot make {target}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _sync_directory(path: Path) -> None:
    """Put the entries of a directory on the medium."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
