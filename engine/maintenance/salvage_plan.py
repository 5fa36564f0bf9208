"""What a damaged store says of itself: CURRENT, and the manifest that is in force.

A manifest with one wrong byte is put right by trying which one it was: CURRENT has its hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lithograph.catalog.current_file import read_current
from lithograph.catalog.file_numbers import manifest_numbers, partition_files, run_numbers
from lithograph.catalog.manifest_file import read_manifest
from lithograph.errors import CorruptionError, NotAStoreError
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_header import FileHeader, FileKind
from lithograph.formats.file_names import (
    CURRENT,
    manifest_name,
)
from lithograph.formats.manifest import MANIFEST_SIZE_MAX, Manifest, hash_manifest
from lithograph.maintenance.salvage_finding import Findings

_MEND_SIZE_MAX: Final = 4096
"""Bytes of a manifest that is tried to be put right: 255 hashes for each."""


@dataclass(frozen=True, slots=True)
class SalvagePlan:
    """What there is to read.

    store_uuid : of the store; None where no file says.
    manifest : the one in force; None where that cannot be had.
    types : type names by code, as far as any manifest says.
    promised : bytes of logs that CURRENT says were synced, by file number.
    promised_all : nothing that CURRENT promised is lost.
    """

    store_uuid: bytes | None
    manifest: Manifest | None
    types: tuple[str, ...]
    promised: dict[int, int]
    promised_all: bool


def plan_salvage(files: Files, findings: Findings) -> SalvagePlan:
    """Return what there is to read.

    Raises
    ------
    FormatVersionError : a newer lithograph wrote the store.
    """
    slot = _current(files, findings)
    is_whole = slot is not None and not findings.damage
    manifest = _named_manifest(files, slot, findings) if slot is not None else None
    promised = {} if slot is None else {slot.wal_number: slot.wal_synced}
    if manifest is not None and slot is not None:
        return SalvagePlan(slot.store_uuid, manifest, manifest.types, promised, is_whole)
    store_uuid, newest, is_newest = _newest_manifest(
        files, slot.store_uuid if slot is not None else None, findings
    )
    types = newest.types if newest is not None else ()
    in_force = newest if slot is None and is_newest else None
    return SalvagePlan(store_uuid, in_force, types, promised, is_whole)


def _current(files: Files, findings: Findings) -> CurrentSlot | None:
    try:
        reading = read_current(files)
    except CorruptionError as error:
        findings.add(error, "CURRENT")
        return None
    for damage in reading.damage:
        findings.add(damage, "CURRENT")
    return reading.newest


def _named_manifest(files: Files, slot: CurrentSlot, findings: Findings) -> Manifest | None:
    """Return the manifest that CURRENT names, put right if one byte of it is damaged."""
    try:
        return read_manifest(files, slot)
    except CorruptionError as error:
        findings.add(error, "manifest")
    try:
        data = _bytes_of(files, manifest_name(slot.manifest_number))
    except CorruptionError:
        return None
    mended = _mended(data, lambda tried: hash_manifest(tried) == slot.manifest_hash)
    if mended is None:
        return None
    return Manifest.decode(mended, slot.store_uuid, slot.manifest_number)


def _newest_manifest(
    files: Files, store_uuid: bytes | None, findings: Findings
) -> tuple[bytes | None, Manifest | None, bool]:
    """Return the store's UUID, the sound manifest of the highest generation, and whether no damaged
    one may be newer."""
    is_newest = True
    best: Manifest | None = None
    for number in reversed(manifest_numbers(files)):
        name = manifest_name(number)
        try:
            data = _bytes_of(files, name)
            header = FileHeader.decode(data)
            header.expect(FileKind.MANIFEST, store_uuid, number)
            manifest = Manifest.decode(data, header.store_uuid, number)
        except CorruptionError as error:
            findings.add(error.located(files.path_of(name)), "manifest")
            is_newest = is_newest and best is not None
            continue
        if best is None or manifest.generation > best.generation:
            best, store_uuid = manifest, header.store_uuid
    return store_uuid, best, is_newest


def _bytes_of(files: Files, name: str) -> bytes:
    file = files.open(name)
    try:
        size = file.size()
        if size > MANIFEST_SIZE_MAX:
            raise CorruptionError(f"a manifest of {size} bytes", path=file.path)
        return file.read_at(0, size)
    finally:
        file.close()


def _mended(data: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
    """Return the bytes with the one put right that is damaged, None if more are.

    Cost: 255 hashes per byte.
    """
    if len(data) > _MEND_SIZE_MAX:
        return None
    tried = bytearray(data)
    for place, byte in enumerate(data):
        for value in range(256):
            tried[place] = value
            if value != byte and is_right(bytes(tried)):
                return bytes(tried)
        tried[place] = byte
    return None


def expect_a_store(files: Files) -> None:
    """Raise NotAStoreError where a directory has nothing of a store in it."""
    if not (
        files.exists(CURRENT)
        or manifest_numbers(files)
        or partition_files(files)
        or run_numbers(files)
        or files.entries("wal")
    ):
        raise NotAStoreError(f"{files.root} holds nothing of a store: name another directory")
