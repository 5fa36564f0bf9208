"""How far a long job is: on standard error, where somebody looks at it, after a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Report = Callable[[int, int | None], None]
"""Called with how many items are done, and how many there are (None: not known)."""

DELAY_S: Final = 1.0
_INTERVAL_S: Final = 0.1


@contextmanager
def progress(title: str, unit: str = "") -> Iterator[Report]:
    """Show a bar with rate and remaining time, gone at the end; yield what moves it forward.

    title : what is being done, in plain words.
    unit : what is counted: "bytes" are shown as sizes, anything else as numbers.

    Whatever ends within a second shows nothing. Reporting may be done for every item: it is cheap.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    bar = _Bar(title, unit)
    timer = threading.Timer(DELAY_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield bar.report
    finally:
        timer.cancel()
        bar.stop()


class Passes:
    """Several passes through the same input, shown as one job.

    size : of the input.   The passes that are known of so far make up the total: it grows as soon
    as one more is `expected`.
    """

    def __init__(self, report: Report, size: int) -> None:
        self._report = report
        self._size = size
        self._count = 1
        self._over = 0

    def expect(self) -> None:
        """There is one more pass to come."""
        self._count += 1

    def report(self, done: int, total: int | None) -> None:
        """Say how far the present pass is; a `Report`."""
        self._report(self._over + done, self._size * self._count)

    def next(self) -> None:
        """Begin the next pass."""
        self._over += self._size


class _Bar:
    """A bar that a timer starts and the job moves and stops."""

    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._guard = threading.Lock()
        self._shown: tuple[Progress, TaskID] | None = None
        self._stopped = False
        self._next_update = 0.0
        self._done = 0
        self._total: int | None = None

    def report(self, done: int, total: int | None) -> None:
        self._done, self._total = done, total
        shown = self._shown
        if shown is not None and time.monotonic() >= self._next_update:
            self._next_update = time.monotonic() + _INTERVAL_S
            shown[0].update(shown[1], completed=done, total=total)

    def start(self) -> None:
        bar = _columns(self._unit)
        with self._guard:
            if self._stopped:
                return
            task = bar.add_task(self._title, total=self._total, completed=self._done)
            bar.start()
            self._shown = bar, task

    def stop(self) -> None:
        with self._guard:
            self._stopped = True
            if self._shown is not None:
                self._shown[0].stop()


def _columns(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from lithograph.tools.output import human_size

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            of = "" if task.total is None else f" of {int(task.total):,}"
            return Text(f"{int(task.completed):,}{of}")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            if task.speed is None:
                return Text("")
            return Text(f"{human_size(int(task.speed)) if of_bytes else f'{task.speed:,.0f}'}/s")

    of_bytes = unit == "bytes"
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True) if of_bytes else Count(),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
