"""Checking every rule of SPEC.md that spans the store's files: finds all, mends nothing.

The cheap check reads CURRENT, the manifest and the logs, and opens every file that is named. The
deep one reads every byte and compares what the files say with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lithograph.catalog.current_file import CurrentReading, read_current
from lithograph.catalog.manifest_file import read_manifest
from lithograph.catalog.shelf import Shelf
from lithograph.errors import CorruptionError, FormatVersionError
from lithograph.files import Files
from lithograph.formats.current import CurrentSlot
from lithograph.formats.manifest import Manifest
from lithograph.maintenance.finding import Finding as Finding
from lithograph.maintenance.meter import Meter, Progress
from lithograph.maintenance.obsolete import sealed_sizes
from lithograph.maintenance.recovery import valid_slot
from lithograph.maintenance.verify_deep import verify_graph
from lithograph.maintenance.verify_files import FilesCheck, note_unnamed
from lithograph.maintenance.verify_quick import names_of
from lithograph.segments.name_sum import NameSum
from lithograph.write.empty_memtable import memtable_above
from lithograph.write.journal import Journal
from lithograph.write.layer_stack import LayerStack
from lithograph.write.log_chain import LogChain
from lithograph.write.memtable import Memtable
from lithograph.write.replay import LogEnd, apply_to, before_log, follow
from lithograph.write.wal_file import LogPosition

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class _Begun:
    """What was published when the check began.

    stack : held so that no file of its generation is removed meanwhile.
    """

    stack: LayerStack
    position: LogPosition
    reading: CurrentReading
    current: CurrentSlot


def verify_store(
    files: Files,
    journal: Journal,
    shelf: Shelf,
    *,
    deep: bool = False,
    checksums: bool = False,
    progress: Progress | None = None,
) -> list[Finding]:
    """Return what contradicts SPEC.md in the files that are published; [] when all is sound.

    Neither blocks nor waits for writers: it checks what was published when it began. Sealed files
    that nothing names are only noted in the log.

    checksums : every byte of every file is read and checked; deep: the same, and compared.

    Cost: the logs, a second memtable while it runs, and a small read per file; checksums: each byte
    once; deep: the store is read several times, in bounded memory, with a descriptor for every
    file.
    """
    findings: list[Finding] = []
    try:
        begun = _begin(files, journal)
        findings += map(Finding.of, begun.reading.damage)
        manifest = read_manifest(files, begun.current)
        _check_map(journal, begun.current)
    except (CorruptionError, FormatVersionError) as error:
        return [*findings, Finding.of(error)]
    memtable = memtable_above(manifest)
    log_findings, log_path = _check_log(files, begun, manifest, memtable)
    meter = Meter(progress, sum(sealed_sizes(manifest).values()) * (1 + deep))
    findings += log_findings

    def compared(quick: NameSum | None) -> list[Finding] | None:
        """Return what is wrong with the files; with `quick` None where that way does not say."""
        check = FilesCheck(
            files,
            begun.current.store_uuid,
            manifest,
            deep=deep,
            checksums=checksums,
            contents=quick is None,
            names=quick,
            meter=meter,
        )
        found = [Finding.of(error) for error in check.run()]
        if quick is not None and found:
            return None
        if not deep or not check.segments_are_sound:
            return found
        between = verify_graph(
            shelf,
            begun.current.store_uuid,
            manifest,
            # What a damaged log holds cannot be compared with anything.
            None if log_findings else (memtable, log_path),
            place=files.root,
            runs_are_sound=check.runs_are_sound,
            quick=quick,
            meter=meter,
        )
        return None if between is None else [*found, *between]

    quick = names_of(manifest) if deep else None
    found = compared(quick) if quick is not None else None
    findings += (found if found is not None else compared(None)) or []
    note_unnamed(files, begun.current.store_uuid)
    meter.finish()
    return findings


def _begin(files: Files, journal: Journal) -> _Begun:
    """Return what is published, of one moment: CURRENT may move on while it is read."""
    for _ in range(_ATTEMPTS):
        journal.refresh()
        stack, position = journal.stack, journal.position
        reading = read_current(files)
        current = valid_slot(files, reading)
        if current.generation == stack.generation.number:
            break
    # Else somebody published and died before shared.map said so: what CURRENT names is in force.
    return _Begun(stack, position, reading, current)


def _check_map(journal: Journal, current: CurrentSlot) -> None:
    if journal.shared is not None:
        journal.shared.check_owner(current.store_uuid)
        journal.shared.read()


def _check_log(
    files: Files, begun: _Begun, manifest: Manifest, memtable: Memtable
) -> tuple[list[Finding], str]:
    """Apply the logs to a memtable; return what is wrong, and the path of the newest log."""
    position = begun.position
    try:
        chain = LogChain.read(
            files,
            begun.current.store_uuid,
            position.wal_number,
            manifest.first_wal_number,
            writable=False,
        )
        try:
            end = follow(chain, before_log(manifest), position.offset, apply_to(memtable))
            path = chain.take().path
        finally:
            chain.close()
    except (CorruptionError, FormatVersionError) as error:
        return [Finding.of(error)], ""
    broken = [Finding(path, position.offset, message) for message in memtable._check()]
    return [*_check_end(end, position, path), *broken], path


def _check_end(end: LogEnd, published: LogPosition, path: str) -> list[Finding]:
    if end.position.sequence == published.sequence:
        return []
    message = (
        f"the log ends with commit {end.position.sequence}, "
        f"commit {published.sequence} is published"
    )
    return [Finding(path, end.position.offset, message)]
