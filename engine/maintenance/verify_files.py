"""The files that a manifest names, each by itself: it opens, and is what the manifest says.

SPEC.md, sections 5.1, 12 and 13.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import chain
from typing import Final

from lithograph.catalog.file_numbers import manifest_numbers, partition_files, run_numbers
from lithograph.catalog.manifest_file import read_manifest_file
from lithograph.errors import CorruptionError, FormatVersionError, LithographError
from lithograph.files import Files
from lithograph.formats.file_names import history_name, run_name, segment_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.manifest_entries import RunEntry, SegmentEntry
from lithograph.formats.sealed import SealedRef
from lithograph.maintenance.meter import Meter, Pace
from lithograph.maintenance.obsolete import sealed_files
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.name_sum import NameSum
from lithograph.segments.run_reader import RunReader
from lithograph.segments.segment_check import check_history, check_segment
from lithograph.segments.segment_reader import SegmentReader

_log = logging.getLogger("lithograph")

_CACHE_SIZE: Final = 2**20

Findings = Iterator[LithographError]


class FilesCheck:
    """Opens every sealed file of a generation anew, one at a time.

    checksums : every byte of each is read, and its checksum looked at.
    deep : the same, and everything in it is decoded.
    contents : with `deep`, decode the records of segments and histories, too; without it somebody
        else does.
    names : with `deep`, every name of every run is added to it.
    meter : is told the bytes of each file.

    Attributes
    ----------
    segments_are_sound, runs_are_sound : whether nothing was found in them.
    """

    def __init__(
        self,
        files: Files,
        store_uuid: bytes,
        manifest: Manifest,
        *,
        deep: bool = False,
        checksums: bool = False,
        contents: bool = True,
        names: NameSum | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.segments_are_sound = True
        self.runs_are_sound = True
        self._files = files
        self._store_uuid = store_uuid
        self._manifest = manifest
        self._deep = deep
        self._checksums = checksums and not deep
        self._contents = contents
        self._names = names
        self._meter = meter or Meter(None, 0)

    def run(self) -> Findings:
        """Yield everything that is wrong. Cost: a few blocks per file; else all of them."""
        for segment in self._manifest.segments:
            for error in _caught(self._check_segment(segment)):
                self.segments_are_sound = False
                yield error
        for run in self._manifest.runs:
            for error in _caught(self._check_run(run)):
                self.runs_are_sound = False
                yield error

    def _check_segment(self, entry: SegmentEntry) -> Findings:
        cache = BlockCache(_CACHE_SIZE)
        reader = SegmentReader.open(
            self._files, entry.partition, entry.ref, self._store_uuid, cache
        )
        try:
            is_sound = True
            checks = [_compare_segment(reader, entry)]
            if self._deep:
                checks.append(check_segment(reader, contents=self._contents))
            elif self._checksums:
                checks.append(reader.file.check_blocks())
            for error in chain.from_iterable(checks):
                is_sound = False
                yield error
            self._meter.advance(entry.ref.size)
            if entry.history is not None:
                yield from _caught(self._check_history(entry, entry.history, reader, is_sound))
        finally:
            reader.close()

    def _check_history(
        self, entry: SegmentEntry, ref: SealedRef, segment: SegmentReader, segment_is_sound: bool
    ) -> Findings:
        cache = BlockCache(_CACHE_SIZE)
        reader = HistoryReader.open(self._files, entry.partition, ref, self._store_uuid, cache)
        try:
            footer = reader.footer
            count = footer.node_version_count + footer.edge_version_count
            if count != entry.version_count:
                yield _differs(reader, "versions", count, entry.version_count)
            if self._deep and segment_is_sound:
                yield from check_history(reader, segment, contents=self._contents)
            elif self._deep or self._checksums:
                # Beside a damaged segment, what its versions say is not known.
                yield from reader.file.check_blocks()
            self._meter.advance(ref.size)
        finally:
            reader.close()

    def _check_run(self, entry: RunEntry) -> Findings:
        reader = RunReader.open(self._files, entry.ref, self._store_uuid)
        try:
            for what, found, expected in (
                ("first commit", reader.first_sequence, entry.first_sequence),
                ("last commit", reader.last_sequence, entry.last_sequence),
                ("names", reader.entry_count, entry.entry_count),
            ):
                if found != expected:
                    yield _differs(reader, what, found, expected)
            if self._deep:
                with Pace(self._meter, entry.size, reader.entry_count) as pace:
                    yield from reader.check(self._names, pace.step)
            elif self._checksums:
                yield from reader.file.check_blocks()
            if not self._deep:
                self._meter.advance(entry.size)
        finally:
            reader.close()


def check_blocks(files: Files, store_uuid: bytes, manifest: Manifest) -> Findings:
    """Yield every block that is damaged, of all sealed files. Cost: every byte once."""
    cache = BlockCache(_CACHE_SIZE)
    for run in manifest.runs:
        yield from _checked_blocks(RunReader.open(files, run.ref, store_uuid))
    for entry in manifest.segments:
        segment = SegmentReader.open(files, entry.partition, entry.ref, store_uuid, cache)
        yield from _checked_blocks(segment)
        if entry.history is not None:
            yield from _checked_blocks(
                HistoryReader.open(files, entry.partition, entry.history, store_uuid, cache)
            )


def _checked_blocks(reader: RunReader | SegmentReader | HistoryReader) -> Findings:
    try:
        yield from reader.file.check_blocks()
    finally:
        reader.close()


def note_unnamed(files: Files, store_uuid: bytes) -> None:
    """Say in the log which sealed files no manifest names."""
    for name in unnamed_files(files, store_uuid):
        _log.info("%s: no manifest names it", files.path_of(name))


def unnamed_files(files: Files, store_uuid: bytes) -> list[str]:
    """Return the sealed files that no manifest names: another process's work, or debris."""
    named: set[str] = set()
    for number in manifest_numbers(files):
        try:
            named.update(sealed_files(read_manifest_file(files, store_uuid, number)[0]))
        except CorruptionError:
            continue  # Being written, or never named: what is damaged and in force was found.
    found = [run_name(number) for number in run_numbers(files)]
    for partition, number, kind in partition_files(files):
        name_of = segment_name if kind == "seg" else history_name
        found.append(name_of(partition, number))
    return sorted(set(found) - named)


def _compare_segment(reader: SegmentReader, entry: SegmentEntry) -> Findings:
    footer = reader.footer
    older, edges = footer.sparse_node_count, footer.edge_count
    for what, found, expected in (
        ("first commit", footer.first_sequence, entry.first_sequence),
        ("last commit", footer.last_sequence, entry.last_sequence),
        ("first id", footer.first_id, entry.first_id),
        ("end of the ids", footer.end_id, entry.end_id),
        ("entries", older + footer.dense_node_count + edges, entry.entry_count),
        ("superseding", older + footer.superseding_edge_count, entry.superseding_count),
    ):
        if found != expected:
            yield _differs(reader, what, found, expected)


def _caught(findings: Findings) -> Findings:
    """Yield what a check finds, and what stops it."""
    try:
        yield from findings
    except (CorruptionError, FormatVersionError) as error:
        yield error


def _differs(
    reader: SegmentReader | HistoryReader | RunReader, what: str, found: int, expected: int
) -> CorruptionError:
    return CorruptionError(
        f"{what}: the footer says {found}, the manifest {expected}", path=reader.path
    )
