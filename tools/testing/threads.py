"""Doing something in a thread of its own, and learning how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_thread(action: Callable[[], object]) -> object:
    """Return what `action` returns or raises in a thread of its own."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(action())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]
