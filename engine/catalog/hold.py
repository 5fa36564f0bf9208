"""What this process may still read: its live generations, its snapshots, and the pin that says so.

Files are removed only when no pin of any process needs them (SPEC.md, section 10.1). The pin lags
behind what is really needed, which is safe: it never names a generation that is too new.
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter, deque

from lithograph.catalog.generation import Generation
from lithograph.catalog.pins import Pin
from lithograph.formats.pin import NO_SEQUENCE


class Hold:
    """One process's claim on old files and old versions.

    pin : tells other processes; None where a reader may not write one.
    """

    def __init__(self, pin: Pin | None) -> None:
        self._pin = pin
        self._said: tuple[int, int] | None = None
        self._generations: weakref.WeakSet[Generation] = weakref.WeakSet()
        self._sequences: Counter[int] = Counter()
        # Sequences to let go, from finalizers: these may run anywhere, under the guard too.
        self._forsaken: deque[int] = deque()
        self._guard = threading.RLock()

    @property
    def is_pinned(self) -> bool:
        """Whether other processes know what this one reads."""
        return self._pin is not None

    def track(self, generation: Generation) -> None:
        """Count a generation as needed for as long as somebody holds it."""
        with self._guard:
            self._generations.add(generation)

    def keep(self, sequence: int) -> None:
        """Keep everything that a view at `sequence` reads, until `let_go`.

        Raises
        ------
        StorageError : other processes cannot be told; nothing is kept.
        """
        with self._guard:
            self._sequences[sequence] += 1
        try:
            self.update()
        except BaseException:
            self.forsake(sequence)
            raise

    def let_go(self, sequence: int) -> None:
        """Undo one `keep`."""
        self.forsake(sequence)
        self.update()

    def forsake(self, sequence: int) -> None:
        """Undo one `keep` with the next `update`; for finalizers: takes no lock."""
        self._forsaken.append(sequence)

    def oldest_generation(self) -> int:
        """Return the number of the oldest generation that is still held."""
        with self._guard:
            return min(generation.number for generation in list(self._generations))

    def oldest_sequence(self) -> int:
        """Return the oldest commit that a snapshot needs, NO_SEQUENCE if none does."""
        with self._guard:
            while self._forsaken:
                sequence = self._forsaken.popleft()
                self._sequences[sequence] -= 1
                if self._sequences[sequence] <= 0:
                    del self._sequences[sequence]
            return min(self._sequences, default=NO_SEQUENCE)

    def update(self) -> None:
        """Tell other processes. Cost: one small write if anything changed."""
        with self._guard:
            needed = (self.oldest_generation(), self.oldest_sequence())
            if self._pin is not None and needed != self._said:
                self._pin.update(*needed)
                self._said = needed

    def release(self) -> None:
        """Need nothing any more."""
        with self._guard:
            pin, self._pin = self._pin, None
            if pin is not None:
                pin.release()
