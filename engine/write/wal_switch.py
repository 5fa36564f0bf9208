"""Starting a new log (SPEC.md, section 6.4).

The caller holds the commit lock, or is alone. A crash at any step leaves CURRENT naming the old
log or the new one, and both then hold every commit that counts:

1. new log written and synced, with copies of what the old one may lose   -> CURRENT names the old
2. its directory synced                                                  -> CURRENT names the old
3. slot of CURRENT written and synced                                    -> old or new, or torn
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lithograph.catalog.current_file import write_current
from lithograph.environment import Environment
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.wal_record import WalRecord
from lithograph.write.wal_file import LogPosition, WalFile


def switch_wal(
    files: Files,
    environment: Environment,
    current: CurrentSlot,
    previous: LogPosition,
    copies: Sequence[WalRecord],
    at_least: int,
) -> tuple[WalFile, LogPosition, CurrentSlot]:
    """Make a log that continues `previous` and name it in CURRENT; return it, its end, the slot.

    previous : what is before it in the old log is on the medium.
    copies : the records behind it that count.
    """
    log, position = WalFile.create(
        files,
        current.store_uuid,
        at_least=at_least,
        epoch=environment.random_u64() or 1,
        previous=previous,
        copies=list(copies),
    )
    slot = replace(
        current, turn=current.turn + 1, wal_number=log.number, wal_synced=position.offset
    )
    try:
        write_current(files, slot)
    except BaseException:
        log.close()
        raise
    return log, position, slot
