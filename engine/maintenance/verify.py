"""Checking every rule of SPEC.md that spans the store's files: finds all, mends nothing."""

from __future__ import annotations

from dataclasses import dataclass

from lithograph.catalog.current_file import read_current
from lithograph.catalog.manifest_file import read_manifest
from lithograph.errors import CorruptionError, FormatVersionError, LithographError
from lithograph.files import Files
from lithograph.maintenance.recovery import valid_slot
from lithograph.write.journal import Journal
from lithograph.write.log_chain import LogChain
from lithograph.write.memtable import Memtable
from lithograph.write.replay import apply_to, before_log, follow


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, and what."""

    path: str
    offset: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}@{self.offset}: {self.message}"


def verify_store(files: Files, journal: Journal) -> list[Finding]:
    """Read every file that is published and return what contradicts SPEC.md; [] when all is sound.

    Neither blocks nor waits for writers: it checks what was published when it began.
    Cost: O(bytes of the store), and a second memtable while it runs.
    """
    findings: list[Finding] = []
    journal.refresh()
    position = journal.position
    try:
        reading = read_current(files)
        findings += map(_finding, reading.damage)
        current = valid_slot(files, reading)
        manifest = read_manifest(files, current)
        if journal.shared is not None:
            journal.shared.check_owner(current.store_uuid)
            journal.shared.read()
        memtable = Memtable.above(manifest)
        chain = LogChain.read(
            files,
            current.store_uuid,
            position.wal_number,
            manifest.first_wal_number,
            writable=False,
        )
        try:
            end = follow(chain, before_log(manifest), position.offset, apply_to(memtable))
            where = chain.take().path
        finally:
            chain.close()
    except (CorruptionError, FormatVersionError) as error:
        return [*findings, _finding(error)]
    if end.position.sequence != position.sequence:
        findings.append(
            Finding(
                where,
                end.position.offset,
                f"the log ends with commit {end.position.sequence}, "
                f"commit {position.sequence} is published",
            )
        )
    findings += [Finding(where, position.offset, broken) for broken in memtable._check()]
    return findings


def _finding(error: LithographError) -> Finding:
    if isinstance(error, CorruptionError):
        return Finding(error.path, error.offset, error.message)
    return Finding("", 0, str(error))
