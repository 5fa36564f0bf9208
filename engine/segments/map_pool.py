"""The sealed files that are open at one time, out of any number that the store has.

A store may have thousands of files, and a process some hundred descriptors. So readers are opened
when they are first asked for and let go in the order of their last use. Letting go is dropping a
reference: whoever reads from one meanwhile can read on, and the last one to drop it gives the map
and its descriptor back (see `FileMap`). So a reader must not be part of a reference cycle.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar, cast

from lithograph.errors import ClosedError


class Closable(Protocol):
    """What a pool keeps."""

    def close(self) -> None:
        """Give back what it holds, also under a thread that uses it."""


T = TypeVar("T", bound=Closable)


class MapPool:
    """Open things by key, the least recently used first; for any number of threads.

    A key stands for the same thing as long as the pool lives: never for another type.
    """

    def __init__(self, open_max: int) -> None:
        """Keep at most `open_max` things; those that were let go while in use come on top."""
        assert open_max > 0
        self._open_max = open_max
        self._kept: OrderedDict[Hashable, Closable] = OrderedDict()
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def open_count(self) -> int:
        """How many things are kept now."""
        return len(self._kept)

    def get(self, key: Hashable, opener: Callable[[], T]) -> T:
        """Return what is kept under `key`; if there is nothing, what `opener` returns, and keep it.

        Raises
        ------
        ClosedError : the pool was closed.  What `opener` raises; nothing is kept then.

        Cost: two look-ups if it is open.
        """
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return cast(T, kept)
            self._check_open()
        # Not under the lock: it may take long, and a machine that is exhausted calls `shrink`.
        opened = opener()
        try:
            return cast(T, self._keep(key, opened))
        except ClosedError:
            opened.close()
            raise

    def drop(self, key: Hashable) -> None:
        """Let go of what is kept under `key`, if anything is."""
        with self._lock:
            dropped = self._kept.pop(key, None)
        del dropped

    def shrink(self) -> bool:
        """Let go of the half that was not used for longest; return whether there was any.

        It is what `Files.on_exhausted` is for.
        """
        with self._lock:
            dropped = self._evict(len(self._kept) // 2)
        return bool(dropped)

    def close(self) -> None:
        """Close everything that is kept, also under threads that use it, and refuse to open."""
        with self._lock:
            self._is_closed = True
            dropped = self._evict(0)
        for thing in dropped:
            thing.close()

    def _keep(self, key: Hashable, opened: Closable) -> Closable:
        with self._lock:
            self._check_open()
            # Another thread may have been faster: its own is kept, this one nobody else has seen.
            kept = self._kept.setdefault(key, opened)
            self._kept.move_to_end(key)
            dropped = self._evict(self._open_max)
        if kept is not opened:
            opened.close()
        del dropped
        return kept

    def _evict(self, count: int) -> list[Closable]:
        """Take out all but `count` things; the caller drops them when it has let go of the lock."""
        return [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - count)]

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClosedError("the store was closed")
