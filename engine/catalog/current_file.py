"""The file CURRENT: reading both slots, overwriting the older one (SPEC.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from lithograph.errors import CorruptionError
from lithograph.files import File, Files
from lithograph.formats.current import CURRENT_SIZE, SLOT_COUNT, SLOT_SIZE, CurrentSlot
from lithograph.formats.file_names import CURRENT


@dataclass(frozen=True, slots=True)
class CurrentReading:
    """What CURRENT holds.

    newest : the valid slot with the highest turn, or None.
    damage : one error per slot that cannot be read. A slot torn by a power cut while it was being
        written looks the same as one that rotted.
    """

    newest: CurrentSlot | None
    damage: tuple[CorruptionError, ...]


def read_current(files: Files) -> CurrentReading:
    """Read both slots.

    Raises
    ------
    CorruptionError : CURRENT is missing, or its slots are of different stores.
    FormatVersionError : a newer lithograph wrote it.
    """
    file = files.open(CURRENT)
    try:
        data = file.read_at(0, CURRENT_SIZE)
        if file.size() > CURRENT_SIZE:
            raise CorruptionError(
                f"CURRENT takes {CURRENT_SIZE} bytes, {file.size()} are there",
                path=file.path,
                offset=CURRENT_SIZE,
            )
    finally:
        file.close()
    slots: list[CurrentSlot] = []
    damage: list[CorruptionError] = []
    for index in range(SLOT_COUNT):
        start = index * SLOT_SIZE
        try:
            slots.append(CurrentSlot.decode(data[start : start + SLOT_SIZE], index))
        except CorruptionError as error:
            damage.append(error.located(file.path, start))
    if len({slot.store_uuid for slot in slots}) > 1:
        raise CorruptionError("the two slots belong to different stores", path=file.path, offset=16)
    return CurrentReading(max(slots, key=lambda slot: slot.turn, default=None), tuple(damage))


def write_current(files: Files, slot: CurrentSlot) -> None:
    """Overwrite the slot of this turn and return when it is on the medium.

    A crash leaves the slot old, new or torn; the other slot, one turn older, is untouched.
    """
    file = files.open(CURRENT, writable=True)
    try:
        write_slot(file, slot)
    finally:
        file.close()


def write_slot(file: File, slot: CurrentSlot) -> None:
    """Do what `write_current` does, in CURRENT that is open already."""
    file.write_at(slot.index * SLOT_SIZE, slot.encode())
    file.sync_data()


def create_current(files: Files, slot: CurrentSlot) -> None:
    """Write the file for the first time, both slots alike in all but their turn."""
    # A creation that a crash cut short may have left a CURRENT that names nothing.
    exists = files.exists(CURRENT)
    file = files.open(CURRENT, writable=True) if exists else files.create(CURRENT)
    try:
        other = CurrentSlot(
            slot.store_uuid,
            slot.turn + 1,
            slot.generation,
            slot.manifest_number,
            slot.manifest_hash,
            slot.wal_number,
            slot.wal_synced,
        )
        pages = sorted((slot, other), key=lambda page: page.index)
        file.write_at(0, b"".join(page.encode() for page in pages))
        file.truncate(CURRENT_SIZE)
        file.sync_data()
    finally:
        file.close()
