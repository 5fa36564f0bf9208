"""Salvage: what is left of a damaged store, read without writing anything.

Every file is read block by block, whatever the manifest says of it: what a sound block holds is
given back, what a damaged one held is noted. What comes out is a log made again: what each commit
made of nodes and edges, in the order of the commits, as far as it is known. Whoever writes it to a
new store resolves ids to names by `name_of`.

Where the same is said twice, the other place is asked: names are in the name index too, edges in
the lists of their targets, the end of a node in the name index.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lithograph.files import Files
from lithograph.formats.manifest import Manifest
from lithograph.formats.operations import DefineType, InsertNode
from lithograph.ids import ID_END
from lithograph.maintenance.salvage_files import (
    missing_commits,
    open_runs,
    open_segments,
)
from lithograph.maintenance.salvage_finding import Findings
from lithograph.maintenance.salvage_log import LoggedCommit, salvaged_commits
from lithograph.maintenance.salvage_names import lives, salvaged_names
from lithograph.maintenance.salvage_plan import expect_a_store, plan_salvage
from lithograph.maintenance.salvage_segment import SalvageSegment
from lithograph.maintenance.salvage_version import SalvagedVersion, Step

_NAMES_KEPT_MAX: Final = 300_000
_NAMES_SIZE_MAX: Final = 32 * 2**20
"""Letters of names that are kept. To read one takes 16 µs, and each edge needs two."""


@dataclass(frozen=True, slots=True)
class SalvagePart:
    """Versions of one range of commits, in any order; parts follow each other.

    size_bytes : of the file they are read from.
    changed : ids of older nodes of which a change in these commits may be lost.
    """

    path: str
    size_bytes: int
    versions: Iterator[SalvagedVersion]
    changed: frozenset[int] = frozenset()


class Salvage:
    """One reading of a damaged store.

    Attributes
    ----------
    findings : what is damaged and lost; complete when `parts` has been read to the end.
    manifest : the one in force, None where it is lost.
    size_bytes : of all that is to be read.
    """

    def __init__(self, files: Files) -> None:
        """Choose the files to read, and look for what is lost in them.

        Raises
        ------
        NotAStoreError : nothing of a store is there.
        FormatVersionError : a newer lithograph wrote it.  StorageError : it cannot be read.

        Cost: a checksum of every block of the segments.
        """
        expect_a_store(files)
        self.findings = Findings()
        plan = plan_salvage(files, self.findings)
        self.manifest: Manifest | None = plan.manifest
        self._files = files
        self._plan = plan
        self._types = dict(enumerate(plan.types))
        self._opened = open_segments(files, plan, self.findings)
        self._segments = [
            SalvageSegment(one.segment, one.history, one.first_time, self.findings)
            for one in self._opened
        ]
        self._first_ids = [one.segment.footer.first_id for one in self._segments]
        self._names: dict[int, str] = {}
        self._kept: dict[int, str | None] = {}
        self._kept_size = 0
        self._last_read = -2
        self._ended: dict[int, list[SalvagedVersion]] = {}
        for segment in self._segments:
            segment.survey()
            self.findings.older_nodes |= segment.changed
        self.size_bytes = sum(one.segment.ref.size for one in self._opened)
        last = plan.manifest.last_sequence if plan.manifest is not None else 0
        self.findings.commits += missing_commits(self._opened, last)
        self._find_names()
        if plan.manifest is None:
            self._find_types()

    def close(self) -> None:
        for one in self._opened:
            one.close()

    @property
    def is_hopeless(self) -> bool:
        """Whether neither a manifest nor a segment can be read; there may be logs."""
        return self.manifest is None and not self._segments

    @property
    def floor(self) -> int | None:
        """The oldest moment that the store kept, µs since 1970 UTC; None where it kept all, or
        nobody knows."""
        manifest = self.manifest
        return None if manifest is None or not manifest.floor_sequence else manifest.floor_time

    def parts(self) -> Iterator[SalvagePart]:
        """Yield everything that is left, in the order of the commits."""
        logged = self._logged()
        commit = next(logged, None)
        for number, segment in enumerate(self._segments):
            first = segment.segment.footer.first_sequence
            while commit is not None and commit.sequence < first:
                yield self._part_of(commit)
                commit = next(logged, None)
            yield SalvagePart(
                segment.segment.path,
                segment.segment.ref.size,
                self._versions(number),
                frozenset(segment.changed),
            )
        while commit is not None:
            yield self._part_of(commit)
            commit = next(logged, None)

    def name_of(self, node_id: int) -> str | None:
        """Return the name that a node has or had; None where it is lost."""
        kept = self._kept.get(node_id)
        if kept is not None:
            return kept
        known = self._names.get(node_id)
        if known is not None:
            return known
        if node_id in self._kept:
            return None
        if len(self._kept) >= _NAMES_KEPT_MAX or self._kept_size >= _NAMES_SIZE_MAX:
            self._kept.clear()
            self._kept_size = 0
        name = self._read_name(node_id)
        self._kept[node_id] = name
        self._kept_size += len(name or "")
        return name

    def _read_name(self, node_id: int) -> str | None:
        """Read a name from the segment it was born in; where one after the other is asked for, with
        those behind it in its block, in 3 µs each."""
        place = bisect_right(self._first_ids, node_id) - 1
        if place < 0:
            return None
        follows = node_id == self._last_read + 1
        self._last_read = node_id
        if follows:
            near = self._segments[place].names_from(node_id)
            if near:
                self._kept.update(near)
                self._kept_size += sum(map(len, near.values()))
                self._last_read = max(near)
                return near.get(node_id)
        return self._segments[place].name_of(node_id)

    def type_name(self, code: int) -> str:
        """Return the name of a type; where it is lost, one made of its code."""
        name = self._types.get(code)
        if name is None:
            self.findings.types.add(code)
            return f"lost type {code}"
        return name

    def _versions(self, number: int) -> Iterator[SalvagedVersion]:
        segment = self._segments[number]
        yield from segment.nodes()
        yield from segment.edges()
        yield from self._ended.get(number, [])

    def _part_of(self, commit: LoggedCommit) -> SalvagePart:
        return SalvagePart("", 0, commit.versions())

    def _logged(self) -> Iterator[LoggedCommit]:
        """Yield the commits of the logs that no segment holds; note those that are missing."""
        reached = 0
        for one in self._segments:
            reached = max(reached, one.segment.footer.last_sequence)
        if self.manifest is not None:
            reached = max(reached, self.manifest.last_sequence)
        first_log = self.manifest.first_wal_number if self.manifest is not None else 0
        plan = self._plan
        for commit in salvaged_commits(
            self._files,
            plan.store_uuid,
            first_log,
            plan.promised,
            self.findings,
            promised_all=plan.promised_all,
        ):
            if self._is_held(commit.sequence):
                continue
            if commit.sequence > reached + 1:
                self.findings.commits.append((reached + 1, commit.sequence - 1))
            reached = max(reached, commit.sequence)
            for operation in commit.operations:
                if isinstance(operation, InsertNode):
                    self._names[operation.node_id] = operation.name
                elif isinstance(operation, DefineType):
                    self._types[operation.code] = operation.name
            yield commit

    def _is_held(self, sequence: int) -> bool:
        return any(
            one.segment.footer.first_sequence <= sequence <= one.segment.footer.last_sequence
            for one in self._segments
        )

    def _find_names(self) -> None:
        """Ask the name index for names that segments have lost, and for ends of nodes."""
        missing = [ids for segment in self._segments for ids in segment.nameless]
        gaps = self._missing_ids()
        self.findings.nodes += gaps
        missing += gaps
        if not (missing or self.findings.older_nodes):
            return
        for run, pages in open_runs(self._files, self._plan, self.findings):
            try:
                for name, versions in salvaged_names(run, pages, self.findings):
                    for node_id, ended in lives(versions):
                        if any(node_id in ids for ids in missing):
                            self._names.setdefault(node_id, name)
                        if ended and node_id in self.findings.older_nodes:
                            self._note_end(node_id, ended)
            finally:
                run.close()

    def _find_types(self) -> None:
        """Ask all logs for names of types that no manifest says, also those that a flush has left
        behind; what is wrong with them is told when their commits are read."""
        for commit in salvaged_commits(
            self._files, self._plan.store_uuid, 0, {}, Findings(), promised_all=False
        ):
            for operation in commit.operations:
                if isinstance(operation, DefineType):
                    self._types.setdefault(operation.code, operation.name)

    def _note_end(self, node_id: int, sequence: int) -> None:
        """Note the end of a node of which a segment may have lost it."""
        for number, segment in enumerate(self._segments):
            footer = segment.segment.footer
            if footer.first_sequence <= sequence <= footer.last_sequence:
                end = SalvagedVersion(sequence, Step.END_NODE, 0, 0, node_id, None, None, None)
                self._ended.setdefault(number, []).append(end)

    def _missing_ids(self) -> list[range]:
        """Return the ids that were born in segments that cannot be read."""
        expected = 0
        gaps = []
        for one in self._segments:
            footer = one.segment.footer
            if footer.first_id > expected:
                gaps.append(range(expected, footer.first_id))
            expected = max(expected, footer.end_id)
        end = self.manifest.next_id if self.manifest is not None else expected
        if expected < end <= ID_END:
            gaps.append(range(expected, end))
        return gaps
