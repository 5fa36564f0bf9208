"""Manifest files: written once and synced, read whole and checked (SPEC.md, section 5)."""

from __future__ import annotations

from lithograph.errors import ChecksumError, CorruptionError
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.file_names import MANIFEST_DIRECTORY, manifest_name
from lithograph.formats.manifest import MANIFEST_SIZE_MAX, Manifest, hash_manifest


def write_manifest(files: Files, store_uuid: bytes, number: int, manifest: Manifest) -> bytes:
    """Write and sync a manifest and its directory; return its hash."""
    data = manifest.encode(store_uuid, number)
    file = files.create(manifest_name(number))
    try:
        file.write_at(0, data)
        file.sync_data()
    finally:
        file.close()
    files.sync_directory(MANIFEST_DIRECTORY)
    return hash_manifest(data)


def read_manifest(files: Files, slot: CurrentSlot) -> Manifest:
    """Return the manifest that a slot of CURRENT names.

    Raises
    ------
    CorruptionError : it is missing, damaged, or not the one the slot was written for.
    FormatVersionError : a newer lithograph wrote it.
    """
    manifest, digest = read_manifest_file(files, slot.store_uuid, slot.manifest_number)
    if digest != slot.manifest_hash or manifest.generation != slot.generation:
        raise ChecksumError(
            f"manifest: blake2b {digest.hex()[:16]}…, CURRENT names "
            f"{slot.manifest_hash.hex()[:16]}…",
            path=files.path_of(manifest_name(slot.manifest_number)),
        )
    return manifest


def read_manifest_file(files: Files, store_uuid: bytes, number: int) -> tuple[Manifest, bytes]:
    """Return a manifest and its hash, checked only against itself and the store."""
    file = files.open(manifest_name(number))
    try:
        size = file.size()
        if size > MANIFEST_SIZE_MAX:
            raise CorruptionError(f"a manifest of {size} bytes", path=file.path)
        data = file.read_at(0, size)
        return Manifest.decode(data, store_uuid, number), hash_manifest(data)
    except CorruptionError as error:
        raise error.located(file.path) from None
    finally:
        file.close()
