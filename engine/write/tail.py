"""The tail rule: is what cannot be read the torn end of the log, or damage? (SPEC.md, section 6.3)

A record that cannot be read at X is damage only where something later promises that X was synced: a
later valid record whose `synced_upto` is above X, a later log, or CURRENT. Otherwise everything
from X on was never acknowledged as durable, and does not count.
"""

from __future__ import annotations

from typing import Final

from lithograph.errors import CorruptionError
from lithograph.formats.wal_record import ALIGNMENT, RECORD, WalRecord

_EPOCH_OFFSET: Final = RECORD.offset_of["epoch"]
_HASHED_SHARE_MAX: Final = 16
"""A tail whose look-alike records take more than this times its size to check is no accident."""


def promise_behind(data: bytes, epoch: int) -> int:
    """Return the highest `synced_upto` of any valid record in `data`, which is aligned; 0 if none.

    Raises
    ------
    CorruptionError : so much looks like records that checking it all would take for ever.

    Cost: one search for the epoch, and the hashing of what looks like a record.
    """
    promised = 0
    budget = max(len(data), 4096) * _HASHED_SHARE_MAX
    pattern = epoch.to_bytes(8, "little")
    found = data.find(pattern)
    while found >= 0:
        start = found - _EPOCH_OFFSET
        if start >= 0 and start % ALIGNMENT == 0:
            try:
                record, _, end = WalRecord.decode(data, start)
            except CorruptionError:
                size = int.from_bytes(data[start + 48 : start + 52], "little")
                budget -= size if start + size <= len(data) else 0
            else:
                budget -= end - start
                if record.epoch == epoch:
                    promised = max(promised, record.synced_upto)
            if budget < 0:
                raise CorruptionError("the end of the log is full of records that do not chain")
        found = data.find(pattern, found + 1)
    return promised
