"""How far a long job is, told to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Progress = Callable[[int, int], None]
"""Called with bytes done, and bytes to do; the first never above the second."""

_ITEMS_TOLD: Final = 1024


class Meter:
    """Adds up what a job has done. `total` is an estimate: what goes beyond it is not told."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def advance(self, size: int) -> None:
        """Count `size` bytes more."""
        self._done = min(self._done + size, self._total)
        if self._progress is not None:
            self._progress(self._done, self._total)

    def finish(self) -> None:
        """Count what is left as done."""
        self.advance(self._total)


class Pace:
    """Spreads bytes over a known number of items, and tells them as the items pass.

    A context manager: what is left when it ends is told then.
    """

    def __init__(self, meter: Meter, size: int, item_count: int) -> None:
        self._meter = meter
        self._left = size
        self._item_count = max(item_count, 1)
        self._size = size
        self._passed = 0

    def step(self, count: int = 1) -> None:
        """Count items. Cost: a call, and a report for every 1,024 or more."""
        self._passed += count
        if self._passed >= _ITEMS_TOLD:
            size = min(self._size * self._passed // self._item_count, self._left)
            self._passed = 0
            self._left -= size
            self._meter.advance(size)

    def __enter__(self) -> Pace:
        return self

    def __exit__(self, *_: object) -> None:
        self._meter.advance(self._left)
        self._left = 0
