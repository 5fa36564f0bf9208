"""How far a long job is, told to whoever asked."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with bytes done, and bytes to do; the first never above the second."""


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
