"""A ledger: entries that two streams make in different orders must cancel out.

What one side lists and the other does not is found in two rounds over both, in memory that does not
grow with them. The first round adds up hashes, in buckets. Where all are zero, the sides agree; the
chance that they look so and do not is one in 2**64. Otherwise the second round counts the keys of
the first few buckets that are wrong, which names what differs.
"""

from __future__ import annotations

from typing import Final

from lithograph.kernel import xxh64

BUCKET_COUNT: Final = 2**16
WATCHED_MAX: Final = 8
"""Buckets of which the second round keeps the keys: of so many entries, one in 8,192."""


class Ledger:
    """Entries by key; one side adds them, the other takes them away."""

    def __init__(self, bucket_count: int = BUCKET_COUNT) -> None:
        self._sums = [0] * bucket_count
        self._watched: frozenset[int] = frozenset()
        self._counts: dict[bytes, int] | None = None

    def add(self, key: bytes, weight: int) -> None:
        """Enter a key with a weight, negative on the other side."""
        digest = xxh64(key)
        bucket = digest % len(self._sums)
        if self._counts is None:
            self._sums[bucket] += weight * digest
        elif bucket in self._watched:
            count = self._counts.get(key, 0) + weight
            if count:
                self._counts[key] = count
            else:
                self._counts.pop(key, None)

    @property
    def is_balanced(self) -> bool:
        """Whether the first round came out even."""
        return not any(self._sums)

    def begin_second_round(self) -> None:
        """Make ready for the same entries once more, to see which keys are left over."""
        wrong = [bucket for bucket, total in enumerate(self._sums) if total]
        self._watched = frozenset(wrong[:WATCHED_MAX])
        self._counts = {}

    def left_over(self) -> list[tuple[bytes, int]]:
        """Return keys that did not cancel out, with their weights, ascending: all of them where
        few differ, else some."""
        return sorted((self._counts or {}).items())
