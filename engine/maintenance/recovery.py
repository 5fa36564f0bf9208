"""What the store is, from its files alone; and making that durable (SPEC.md, section 11.2).

Done by a process that is alone; shared.map does not count then. Recovering twice is recovering
once: the second time finds everything promised and writes nothing but shared.map.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from lithograph.catalog.current_file import CurrentReading, read_current, write_current
from lithograph.catalog.file_numbers import manifest_numbers, wal_numbers
from lithograph.catalog.manifest_file import read_manifest, read_manifest_file
from lithograph.environment import Environment
from lithograph.errors import CorruptionError
from lithograph.files import Files
from lithograph.formats.current import SLOT_COUNT, CurrentSlot
from lithograph.formats.file_names import CURRENT
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.orphans import remove_orphans
from lithograph.write.empty_memtable import memtable_above
from lithograph.write.log_chain import LogChain
from lithograph.write.memtable import Memtable
from lithograph.write.replay import LogEnd, apply_to, before_log, follow
from lithograph.write.wal_file import LogPosition, WalFile
from lithograph.write.wal_switch import switch_wal

_log = logging.getLogger("lithograph")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the files say: the store's state, and the newest log, open.

    logs : file numbers of all logs that count.   repair_current : one of the slots is damaged.
    """

    current: CurrentSlot
    manifest: Manifest
    memtable: Memtable
    log: WalFile
    logs: tuple[int, ...]
    end: LogEnd
    repair_current: bool


def read_store(files: Files, *, writable: bool) -> Recovered:
    """Read the store's state from its files; writes nothing.

    Raises
    ------
    CorruptionError, FormatVersionError, StorageError
    """
    reading = read_current(files)
    current = valid_slot(files, reading)
    manifest = read_manifest(files, current)
    damaged = bool(reading.damage)
    if damaged:
        current, manifest = _adopt_newer(files, current, manifest)
    memtable = memtable_above(manifest)
    chain = LogChain.read(
        files,
        current.store_uuid,
        current.wal_number,
        manifest.first_wal_number,
        writable=writable,
    )
    try:
        end = follow(
            chain, before_log(manifest), None, apply_to(memtable), promised=current.wal_synced
        )
    except BaseException:
        chain.close()
        raise
    logs = tuple([header.file_number for header in chain.headers])
    return Recovered(current, manifest, memtable, chain.take(), logs, end, damaged)


def recover(
    files: Files, environment: Environment
) -> tuple[Recovered, WalFile, LogPosition, CurrentSlot]:
    """Read the store and make everything it will serve durable; the caller is alone.

    Records that nothing promises were synced are copied into a new log: after a failed sync the old
    one's pages may look written and not be.
    """
    found = read_store(files, writable=True)
    end, current, log, position = found.end, found.current, found.log, found.end.position
    if current.turn <= SLOT_COUNT:
        # Nobody has recovered the store yet: its creation, which wrote both slots, ends here.
        files.sync_directory("")
        files.sync_directory("..")
    if end.copies or end.tail_size:
        _log.warning(
            "%s: recovered; commits kept that nobody knew to be synced: %d; torn bytes cut: %d",
            log.path,
            len(end.copies),
            end.tail_size,
        )
        number = max(found.manifest.next_file_number, current.wal_number + 1)
        log.close()
        log, position, current = switch_wal(
            files, environment, current, end.unsynced, end.copies, number
        )
    else:
        if found.repair_current:
            _log.warning("%s: one of the two slots was damaged and is written again", CURRENT)
        # The slot in force may have been read from the cache: its writer may have died before it
        # was synced, or its sync may have failed. Only a slot written and synced here is sure.
        current = replace(current, turn=current.turn + 1, wal_synced=position.offset)
        write_current(files, current)
    remove_orphans(files, current, found.manifest, found.logs)
    return found, log, position, current


def valid_slot(files: Files, reading: CurrentReading) -> CurrentSlot:
    """Return the newest slot; raise CorruptionError if there is none."""
    if reading.newest is None:
        damage = reading.damage[0]
        raise CorruptionError(
            f"neither slot can be read: {damage.message}; restore the store from a backup",
            path=files.path_of(CURRENT),
            offset=damage.offset,
        )
    return reading.newest


def _adopt_newer(
    files: Files, current: CurrentSlot, manifest: Manifest
) -> tuple[CurrentSlot, Manifest]:
    """Return what the damaged slot may have named, if it is there; else what the sound one names.

    The damaged slot was either being written when the power went, or it rotted later. In both cases
    the newest sound files that continue what the other slot names hold every commit that counts.
    """
    for number in reversed(manifest_numbers(files)):
        if number <= current.manifest_number:
            break
        try:
            candidate, digest = read_manifest_file(files, current.store_uuid, number)
        except CorruptionError:
            continue  # Torn: it was never named.
        if candidate.generation > current.generation:
            manifest = candidate
            current = replace(
                current,
                generation=candidate.generation,
                manifest_number=number,
                manifest_hash=digest,
            )
            break
    best = (_last_sequence(files, current, manifest, current.wal_number), current.wal_number)
    for number in wal_numbers(files):
        if number > current.wal_number and _continues(files, current, number):
            best = max(best, (_last_sequence(files, current, manifest, number), number))
    if best[1] != current.wal_number:
        current = replace(current, wal_number=best[1], wal_synced=0)
    return current, manifest


def _continues(files: Files, current: CurrentSlot, number: int) -> bool:
    """Return whether the log's header is sound and its links lead to the log that CURRENT names."""
    while number > current.wal_number:
        try:
            log = WalFile.open(files, number, current.store_uuid)
        except CorruptionError:
            return False  # Torn: it was never named.
        number = log.header.previous_number
        log.close()
    return number == current.wal_number


def _last_sequence(files: Files, current: CurrentSlot, manifest: Manifest, number: int) -> int:
    """Return the newest commit that the logs up to `number` hold; CorruptionError if damaged."""
    chain = LogChain.read(
        files, current.store_uuid, number, manifest.first_wal_number, writable=False
    )
    try:
        end = follow(chain, before_log(manifest), None, lambda record: None)
        return end.position.sequence
    finally:
        chain.close()
