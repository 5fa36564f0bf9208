"""Bytes of sealed files changed on purpose, with all checksums right again."""

from __future__ import annotations

from pathlib import Path

import xxhash
from tampering import Tamper

from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.name_run import RUN_FOOTER
from lithograph.formats.sealed import (
    BLOCK_SIZE,
    TAIL_SIZE,
    SealedRef,
    decode_footer,
    encode_footer,
    hash_footer,
)
from lithograph.formats.segment_footer import HISTORY_FOOTER, SEGMENT_FOOTER

Sealed = tuple[str, int]
"""Kind, and index in the manifest."""


def sealed_files(path: Path) -> list[Sealed]:
    """Return every sealed file that the manifest names."""
    manifest = Tamper(path).manifest
    found = [("seg", index) for index in range(len(manifest.segments))]
    found += [
        ("his", index) for index, entry in enumerate(manifest.segments) if entry.history is not None
    ]
    return found + [("run", index) for index in range(len(manifest.runs))]


def place_of(path: Path, sealed: Sealed) -> Path:
    """Return where a sealed file stands."""
    entry = _entry(path, sealed)
    if isinstance(entry, RunEntry):
        return path / "names" / f"{entry.number:08}.run"
    return path / "partitions" / entry.partition / f"{entry.number:08}.{sealed[0]}"


def data_of(path: Path, sealed: Sealed) -> tuple[bytes, bytes]:
    """Return the data region of a sealed file, and the body of its footer."""
    whole = place_of(path, sealed).read_bytes()
    size = {"seg": SEGMENT_FOOTER, "his": HISTORY_FOOTER, "run": RUN_FOOTER}[sealed[0]].size
    footer = whole[-size - TAIL_SIZE :]
    body, shape, _ = decode_footer(footer, len(whole))
    return whole[: shape.data_size], body


def reseal(path: Path, sealed: Sealed, data: bytes, body: bytes) -> None:
    """Write a sealed file anew with this data region, and publish a manifest that names it."""
    kind, index = sealed
    levels, level = [], data
    while True:
        level = b"".join(
            xxhash.xxh64_intdigest(level[at : at + BLOCK_SIZE]).to_bytes(8, "little")
            for at in range(0, len(level), BLOCK_SIZE)
        )
        levels.append(level)
        if len(level) <= BLOCK_SIZE:
            break
    footer = encode_footer(body, len(data), xxhash.xxh64_intdigest(level))
    whole = data + b"".join(levels) + footer
    place_of(path, sealed).write_bytes(whole)
    ref = SealedRef(_entry(path, sealed).number, len(whole), hash_footer(footer))
    tamper = Tamper(path)
    if kind == "run":
        tamper.run_entry(index, ref=ref)
    elif kind == "seg":
        tamper.entry(index, ref=ref)
    else:
        tamper.entry(index, history=ref)
    tamper.publish()


def _entry(path: Path, sealed: Sealed) -> RunEntry | SegmentEntry:
    kind, index = sealed
    manifest = Tamper(path).manifest
    return manifest.runs[index] if kind == "run" else manifest.segments[index]
