"""How a store is, and what to do about it: looks at everything, changes nothing.

A store that opens is asked; of one that does not, the files are looked at one by one.
"""

from __future__ import annotations

import logging
import os
import posixpath
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import lithograph
from lithograph.catalog.current_file import read_current
from lithograph.catalog.manifest_file import read_manifest
from lithograph.errors import (
    CorruptionError,
    LithographError,
    LockedError,
    StorageError,
)
from lithograph.files import OsFiles
from lithograph.formats.file_names import (
    CURRENT,
    MANIFEST_DIRECTORY,
    NAMES_DIRECTORY,
    PARTITIONS_DIRECTORY,
    WAL_DIRECTORY,
)
from lithograph.maintenance.compaction_estimate import estimate_compaction
from lithograph.maintenance.creation import check_directory, is_unfinished
from lithograph.maintenance.finding import Finding
from lithograph.maintenance.session import no_store
from lithograph.maintenance.verify_files import FilesCheck, unnamed_files
from lithograph.tools.commands.doctor_answer import Advice, DoctorAnswer
from lithograph.tools.commands.readers import read_pins
from lithograph.tools.filter_look import look_at_filters
from lithograph.tools.output import human_size

if TYPE_CHECKING:
    from lithograph import Graph

Level = Literal["error", "warning", "note"]
Verdict = Literal["sound", "ailing", "damaged", "broken", "locked"]

LOCK_TIMEOUT_S: Final = 1.0
LOG_SIZE_MAX: Final = 32 * 2**20
"""A log that is larger is flushed by the next writer, or nobody has closed the store."""

SEGMENT_COUNT_MAX: Final = 12
"""More are merged by a store itself where a process works with it."""

_TOLD_MAX: Final = 20
_ORDER: Final = {"error": 0, "warning": 1, "note": 2}
_SUMMARIES: Final[dict[Verdict, str]] = {
    "sound": "is sound, as far as a quick look goes.",
    "ailing": "works, and something wants attention.",
    "damaged": "opens, and some of it is damaged.",
    "broken": "does not open.",
    "locked": "is held by another process.",
}


def diagnose(path: str) -> DoctorAnswer:
    """Return how the store at `path` is.

    Raises
    ------
    StoreNotFoundError, NotAStoreError, FormatVersionError : there is none that we know.

    Cost: the log, and a small read per file.
    """
    files = OsFiles(path)
    try:
        check_directory(files)
        if is_unfinished(files):
            raise no_store(files)
        with _quiet():
            verdict, advice = _Diagnosis(path, files).run()
    finally:
        files.close()
    advice.sort(key=lambda each: _ORDER[each.level])
    if len(advice) > _TOLD_MAX:
        more = f"and {len(advice) - _TOLD_MAX} more of this kind"
        advice[_TOLD_MAX:] = [Advice("note", more, f"segtool verify --store {shlex.quote(path)}")]
    return DoctorAnswer(path, verdict, _SUMMARIES[verdict], advice)


class _Diagnosis:
    """One look at one store."""

    def __init__(self, path: str, files: OsFiles) -> None:
        self._path = path
        self._files = files
        self._store = f"--store {shlex.quote(path)}"
        self._advice: list[Advice] = []
        self._opens = True

    def run(self) -> tuple[Verdict, list[Advice]]:
        """Return the verdict and the advice, in no order."""
        verdict: Verdict | None = None
        try:
            with lithograph.open(self._path, mode="r", lock_timeout=LOCK_TIMEOUT_S) as graph:
                self._look_at_graph(graph)
        except LockedError as error:
            verdict = "locked"
            self._locked(error)
        except CorruptionError as error:
            verdict = "broken"
            self._broken(error)
        except StorageError as error:
            verdict = "broken"
            self._say("error", f"{error}", None)
        self._look_at_permissions()
        if verdict is None:
            levels = {each.level for each in self._advice}
            verdict = "damaged" if "error" in levels else "sound"
            if verdict == "sound" and "warning" in levels:
                verdict = "ailing"
        return verdict, self._advice

    def _say(self, level: Level, what: str, command: str | None) -> None:
        if all(each.what != what for each in self._advice):
            self._advice.append(Advice(level, what, command))

    # A store that opens ------------------------------------------------------------------------

    def _look_at_graph(self, graph: Graph) -> None:
        for finding in graph.verify():
            self._damaged(finding)
        manifest = graph._engine.journal.stack.generation.manifest
        self._look_at_log(graph, manifest.last_sequence)
        self._look_at_layers(graph)
        self._look_at_filters(graph)
        self._look_at_pins(manifest.generation)
        self._look_at_debris(graph)

    def _damaged(self, finding: Finding) -> None:
        what = str(finding)
        name = posixpath.relpath(finding.path, self._path) if finding.path else ""
        if name.startswith(f"{NAMES_DIRECTORY}/"):
            self._say(
                "error",
                f"{what}: names are not found; they can be made again from the segments",
                f"segtool rebuild-index {self._store}",
            )
        elif name == CURRENT and self._opens:
            self._say(
                "warning",
                f"{what}: the other slot says all that is needed; the next writer mends it",
                f"segtool checkpoint {self._store}",
            )
        elif name.startswith(f"{PARTITIONS_DIRECTORY}/"):
            self._say(
                "error",
                f"{what}: what this file holds cannot be read; all else can. Restore a backup, or "
                "save what is left into a new store",
                self._repair(),
            )
        else:
            self._say("error", what, self._repair())

    def _look_at_log(self, graph: Graph, flushed: int) -> None:
        stats = graph.stats()
        if stats.wal_total_size_bytes > LOG_SIZE_MAX:
            size, commits = human_size(stats.wal_total_size_bytes), graph.sequence - flushed
            self._say(
                "warning",
                f"the log takes {size}, with "
                f"{_counted(commits, 'commit that is', 'commits that are')} in no other file: "
                "each opening reads it all",
                f"segtool checkpoint {self._store}",
            )

    def _look_at_layers(self, graph: Graph) -> None:
        estimate = estimate_compaction(graph._engine.store)
        stats = graph.stats()
        free = self._files.free_bytes()
        if stats.segment_count > SEGMENT_COUNT_MAX:
            self._say(
                "warning",
                f"the graph lies in {stats.segment_count} segments, and a look-up may visit each: "
                "no process has merged them",
                f"segtool compact {self._store}",
            )
        elif estimate.bytes_out * 5 < estimate.bytes_in * 4:
            freed = human_size(estimate.bytes_in - estimate.bytes_out)
            self._say(
                "note",
                f"merging everything would give back about {freed} of "
                f"{human_size(estimate.bytes_in)}",
                f"segtool compact {self._store}",
            )
        needed = estimate.bytes_in + stats.wal_total_size_bytes
        if free < needed:
            self._say(
                "warning",
                f"{human_size(free)} are free on this medium; a merge of everything takes up to "
                f"{human_size(needed)} for a while. Make room, or move the store",
                None,
            )

    def _look_at_filters(self, graph: Graph) -> None:
        try:
            for look in look_at_filters(graph._engine.store):
                name = posixpath.relpath(look.path, self._path)
                command = "rebuild-index" if look.is_run else "compact"
                what = "names" if look.is_run else "ids"
                if look.is_too_empty:
                    self._say(
                        "error",
                        f"{name}: {look.fullness:.0%} of the filter's bits are set, {what} in it "
                        f"should set {look.fullness_usual:.0%}: some of them are not found",
                        f"segtool {command} {self._store}",
                    )
                elif look.is_too_full:
                    self._say(
                        "warning",
                        f"{name}: the filter lets {look.passing:.1%} of absent {what} pass, "
                        f"{look.passing_usual:.1%} are usual: looking for them reads the file in "
                        "vain",
                        f"segtool {command} {self._store}",
                    )
        except CorruptionError as error:
            self._damaged(Finding.of(error))

    def _look_at_pins(self, generation: int) -> None:
        try:
            pins = list(read_pins(self._files))
        except StorageError:
            return  # Without permission: said elsewhere.
        dead = [pin for pin in pins if pin.state == "dead"]
        if dead:
            count = _counted(
                len(dead), "pin of a process that died is", "pins of dead processes are"
            )
            self._say(
                "note", f"{count} left: that keeps nothing, and goes with the next merge", None
            )
        for pin in pins:
            if pin.state == "alive" and pin.generation < generation:
                self._say(
                    "note",
                    f"process {pin.process} still reads generation {pin.generation}, "
                    f"the newest is {generation}: files that only it needs are kept until it "
                    "reads again or ends",
                    f"segtool readers {self._store}",
                )

    def _look_at_debris(self, graph: Graph) -> None:
        names = unnamed_files(self._files, graph._engine.journal.store_uuid)
        size = 0
        for name in names:
            try:
                size += Path(self._path, name).stat().st_size
            except OSError:
                continue  # Gone: it was another process's.
        if size:
            self._say(
                "note",
                f"{_counted(len(names), 'file', 'files')}, {human_size(size)}, "
                f"{'is' if len(names) == 1 else 'are'} in no manifest: a process works there now, "
                "or died; the next process that is alone with the store removes what is left",
                None,
            )

    # A store that does not open ----------------------------------------------------------------

    def _locked(self, error: LockedError) -> None:
        who = "another process" if error.pid is None else f"process {error.pid}"
        self._say(
            "warning",
            f"{who} keeps everybody out: it opened the store with exclusive=True, or is at work "
            "that takes it; wait for it, or end it",
            None if error.pid is None else f"ps -p {error.pid}",
        )

    def _broken(self, error: CorruptionError) -> None:
        self._opens = False
        self._damaged(Finding.of(error))
        files = self._files
        try:
            reading = read_current(files)
        except LithographError as failure:
            self._damaged(Finding.of(failure))
            return
        if reading.newest is None:
            return
        try:
            manifest = read_manifest(files, reading.newest)
        except LithographError as failure:
            self._damaged(Finding.of(failure))
            return
        for found in FilesCheck(files, reading.newest.store_uuid, manifest).run():
            self._damaged(Finding.of(found))

    def _repair(self) -> str:
        return f"segtool repair {self._store} --to {shlex.quote(self._path.rstrip('/'))}.repaired"

    # Both --------------------------------------------------------------------------------------

    def _look_at_permissions(self) -> None:
        denied = []
        for name in ("", CURRENT, MANIFEST_DIRECTORY, WAL_DIRECTORY):
            path = Path(self._path, name)
            if path.exists() and not os.access(path, os.W_OK):
                denied.append(name or "the directory itself")
        if denied:
            self._say(
                "warning",
                f"this user may not write to {', '.join(denied)}: the store can be read, not "
                "written; ask its owner, or copy it",
                None,
            )


def _counted(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from telling what the diagnosis tells in its own words."""
    log = logging.getLogger("lithograph")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
