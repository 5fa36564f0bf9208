"""Everything that the report of a store shows, gathered in one look at it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from lithograph.errors import CorruptionError
from lithograph.formats.moment import decode_moment
from lithograph.graph.stats import Stats
from lithograph.maintenance.compaction_plan import CompactionTuning, plan_major, plan_segments
from lithograph.maintenance.finding import Finding
from lithograph.maintenance.verify import verify_store
from lithograph.tools.commands.map_answer import MapAnswer
from lithograph.tools.commands.stats_answer import StatsAnswer
from lithograph.tools.progress import progress
from lithograph.tools.store_look import Look
from lithograph.tools.store_map import read_map
from lithograph.tools.store_stats import read_stats

_HUBS: Final = 15

Depth = Literal["files", "checksums", "deep"]
"""As `segtool verify` has it."""


@dataclass(frozen=True, slots=True)
class Merges:
    """What there is to merge.

    segment_count_max, run_count_max : what the store keeps itself to.
    next_merge : in words, what would be merged behind the next commits; "" for nothing.
    full_merge : in words, what `segtool compact` would do; "" for nothing.
    """

    segment_count_max: int
    run_count_max: int
    next_merge: str
    full_merge: str


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What the report shows.

    made_at : when the look was taken.   last_time : of the newest commit; None without one.
    stats : None where damage stands in the way of counting; then `findings` says more.
    figures : of the handle that the report was made with.
    check_seconds : what checking took.   depth : how much was read for it.
    """

    path: str
    made_at: datetime
    last_time: datetime | None
    map: MapAnswer
    stats: StatsAnswer | None
    figures: Stats
    merges: Merges
    findings: list[Finding]
    check_seconds: float
    depth: Depth


def read_report(look: Look, made_at: datetime, depth: Depth) -> StoreReport:
    """Look at everything; damage is a finding, not an error.

    Cost: as `read_stats`, and as `Graph.verify`.
    """
    engine = look.engine
    begun = time.perf_counter()
    with progress("verifying", "bytes") as moved:
        findings = verify_store(
            engine.files,
            engine.journal,
            engine.shelf,
            deep=depth == "deep",
            checksums=depth == "checksums",
            progress=moved,
        )
    check_seconds = time.perf_counter() - begun
    stats = None
    try:
        stats = read_stats(look, by_type=True, hub_count=_HUBS)
    except CorruptionError as error:
        found = Finding.of(error)
        if found not in findings:
            findings = [*findings, found]
    sequence = look.view.sequence
    last_time = look.stack.commit_row(sequence)[0] if sequence else None
    return StoreReport(
        path=look.path,
        made_at=made_at,
        last_time=None if last_time is None else decode_moment(last_time),
        map=read_map(look),
        stats=stats,
        figures=look.stats(),
        merges=_merges(look, last_time),
        findings=findings,
        check_seconds=check_seconds,
        depth=depth,
    )


def _merges(look: Look, last_time: int | None) -> Merges:
    manifest, unit = look.stack.generation.manifest, look.engine.options.partition
    segments, runs, tuning = manifest.segments, manifest.runs, CompactionTuning()
    next_merge, full = "", []
    if segments and last_time is not None:
        planned = plan_segments(segments, unit, last_time, tuning)  # type: ignore[arg-type]
        if planned is not None:
            next_merge = f"{_several(planned.end - planned.start, 'segment')} into one"
        segment_merge, run_merge = plan_major(segments, runs, unit)  # type: ignore[arg-type]
        if segment_merge is not None:
            full.append(f"{_several(len(segments), 'segment')} into one")
        if run_merge is not None:
            full.append(f"{_several(len(runs), 'run')} into one")
    return Merges(tuning.segment_count_max, tuning.run_count_max, next_merge, " and ".join(full))


def _several(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
