"""A commit on its way into the log and the memtable."""

from __future__ import annotations

from typing import NamedTuple

from lithograph.formats.operations import Operation, decode_operations


class Commit(NamedTuple):
    """A commit that is resolved.

    time : µs since 1970 UTC.
    payload : its operations as the log has them; there are `operation_count`.
    decoded : the same operations, where somebody has them already.
    """

    sequence: int
    time: int
    payload: bytes
    operation_count: int
    decoded: list[Operation] | None = None

    def operations(self) -> list[Operation]:
        """Return what the commit does.

        Raises
        ------
        CorruptionError : the payload contradicts SPEC.md; offsets count from its start.
        """
        if self.decoded is not None:
            return self.decoded
        return decode_operations(self.payload, 0, len(self.payload), self.operation_count)
