"""The sealed files of a damaged store, opened for what can be read of them.

Those that the manifest in force names count. Where it is lost, or one of them cannot be opened,
every sealed file that stands by itself does: of those that hold the same commits, the one with the
highest number, which was written last.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lithograph.catalog.file_numbers import partition_files, run_numbers
from lithograph.errors import CorruptionError, FormatVersionError
from lithograph.files import Files
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import (
    history_name,
    run_name,
    segment_name,
)
from lithograph.formats.manifest_entries import SegmentEntry
from lithograph.formats.name_run import RUN_FOOTER, RunFooter
from lithograph.formats.sealed import SealedRef
from lithograph.formats.segment_footer import (
    HISTORY_FOOTER,
    SEGMENT_FOOTER,
    HistoryFooter,
    SegmentFooter,
)
from lithograph.maintenance.salvage_finding import Findings
from lithograph.maintenance.salvage_plan import SalvagePlan
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.run_pages import RunPages
from lithograph.segments.run_reader import RunReader
from lithograph.segments.salvaged_file import SalvagedFile
from lithograph.segments.segment_reader import SegmentReader

_CACHE_SIZE: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class OpenedSegment:
    """A segment that can be read in parts, and its history if it has one that can.

    first_time : µs since 1970 UTC, of its first commit, as far as is known; else 0.
    """

    segment: SegmentReader
    history: HistoryReader | None
    first_time: int

    def close(self) -> None:
        self.segment.close()
        if self.history is not None:
            self.history.close()


def open_segments(files: Files, plan: SalvagePlan, findings: Findings) -> list[OpenedSegment]:
    """Return the segments to read, oldest first: no two hold the same commit."""
    opened: list[OpenedSegment] = []
    taken: set[tuple[str, int]] = set()
    if plan.manifest is not None:
        for entry in plan.manifest.segments:
            taken.add((entry.partition, entry.number))
            found = _open_entry(files, plan, entry, findings)
            if found is not None:
                opened.append(found)
        if len(opened) == len(plan.manifest.segments):
            return opened
        # What nothing names may be half written: that is no damage.
        findings = Findings()
    # Files that nothing names may still hold what is lost: those that were merged last, first.
    for partition, number, kind in sorted(partition_files(files), key=_number, reverse=True):
        if kind != "seg" or (partition, number) in taken:
            continue
        found = _open_segment(files, plan, partition, number, None, None, findings)
        if found is None:
            continue
        last = found.segment.footer.last_sequence
        is_old = plan.manifest is None or last <= plan.manifest.last_sequence
        if is_old and not any(_overlap(found, other) for other in opened):
            opened.append(found)
        else:
            found.close()
    return sorted(opened, key=lambda one: one.segment.footer.first_sequence)


def missing_commits(
    opened: Iterable[OpenedSegment], last_sequence: int
) -> Iterable[tuple[int, int]]:
    """Yield (first, last) of the commits up to `last_sequence` that no segment holds."""
    expected = 1
    for one in opened:
        footer = one.segment.footer
        if footer.first_sequence > expected:
            yield expected, footer.first_sequence - 1
        expected = footer.last_sequence + 1
    if expected <= last_sequence:
        yield expected, last_sequence


def open_runs(
    files: Files, plan: SalvagePlan, findings: Findings
) -> list[tuple[RunReader, RunPages]]:
    """Return the runs that can be read in parts, newest first."""
    refs: dict[int, SealedRef | None] = dict.fromkeys(run_numbers(files))
    if plan.manifest is not None:
        refs = {entry.number: entry.ref for entry in plan.manifest.runs}
    found = []
    for number, known in refs.items():
        try:
            file = SalvagedFile.salvage(
                files,
                run_name(number),
                number,
                FileKind.RUN,
                plan.store_uuid,
                RUN_FOOTER.size,
                known,
            )
        except (CorruptionError, FormatVersionError) as error:
            findings.add(error, "name index")
            continue
        _note(file, findings, "name index")
        try:
            pages = RunPages(file, RunFooter.decode(file.body, file.data_size))
            found.append((RunReader(file.ref, pages), pages))
        except CorruptionError as error:
            findings.add(error.located(file.path, file.footer_offset), "name index")
            file.close()
    return sorted(found, key=lambda one: (one[0].last_sequence, one[0].ref.number), reverse=True)


def _open_entry(
    files: Files, plan: SalvagePlan, entry: SegmentEntry, findings: Findings
) -> OpenedSegment | None:
    return _open_segment(files, plan, entry.partition, entry.number, entry, entry.history, findings)


def _open_segment(
    files: Files,
    plan: SalvagePlan,
    partition: str,
    number: int,
    entry: SegmentEntry | None,
    history_ref: SealedRef | None,
    findings: Findings,
) -> OpenedSegment | None:
    """Open a segment and its history; None where the segment cannot be had."""
    name = segment_name(partition, number)
    known = entry.ref if entry is not None else None
    cache = BlockCache(_CACHE_SIZE)
    try:
        file = SalvagedFile.salvage(
            files, name, number, FileKind.SEGMENT, plan.store_uuid, SEGMENT_FOOTER.size, known
        )
        _note(file, findings, "segment")
        try:
            footer = SegmentFooter.decode(file.body, file.data_size)
            segment = SegmentReader(file, file.ref, footer, cache)
        except CorruptionError as error:
            file.close()
            raise error if error.path else error.located(file.path, file.footer_offset) from None
    except (CorruptionError, FormatVersionError) as error:
        findings.add(error, "segment", entry.entry_count if entry is not None else None)
        return None
    history = None
    if history_ref is not None or (entry is None and files.exists(history_name(partition, number))):
        history = _open_history(files, plan, partition, number, history_ref, cache, findings)
    return OpenedSegment(segment, history, entry.first_time if entry is not None else 0)


def _open_history(
    files: Files,
    plan: SalvagePlan,
    partition: str,
    number: int,
    known: SealedRef | None,
    cache: BlockCache,
    findings: Findings,
) -> HistoryReader | None:
    name = history_name(partition, number)
    try:
        file = SalvagedFile.salvage(
            files, name, number, FileKind.HISTORY, plan.store_uuid, HISTORY_FOOTER.size, known
        )
        _note(file, findings, "history")
        try:
            footer = HistoryFooter.decode(file.body, file.data_size)
            return HistoryReader(file, file.ref, footer, cache)
        except CorruptionError as error:
            file.close()
            raise error if error.path else error.located(file.path, file.footer_offset) from None
    except (CorruptionError, FormatVersionError) as error:
        findings.add(error, "history")
        findings.past = True
        return None


def _note(file: SalvagedFile, findings: Findings, part: str) -> None:
    for error in file.damage:
        findings.add(error, f"header or footer of a {part}", 0)


def _overlap(one: OpenedSegment, other: OpenedSegment) -> bool:
    first, second = one.segment.footer, other.segment.footer
    return (
        first.first_sequence <= second.last_sequence
        and second.first_sequence <= first.last_sequence
    )


def _number(found: tuple[str, int, str]) -> int:
    return found[1]
