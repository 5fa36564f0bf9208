"""The sections of the report that are about files: map, sizes, health, compaction, memory."""

from __future__ import annotations

from typing import Final

from lithograph.tools.commands.map_answer import MapAnswer
from lithograph.tools.commands.stats_answer import StatsAnswer
from lithograph.tools.output import human_size
from lithograph.tools.page.blocks import rows_of, section, share_of, table_of
from lithograph.tools.page.charts import Bar, bars
from lithograph.tools.page.map_picture import map_columns, minute, percent
from lithograph.tools.page.markup import Content, Markup, cut, join, tag
from lithograph.tools.store_report import Depth, StoreReport

_SEGMENTS_MAX: Final = 100
_FINDINGS_MAX: Final = 100
_READ: Final[dict[Depth, str]] = {
    "files": "every file was opened, its footer read",
    "checksums": "every byte was read",
    "deep": "every byte was decoded, the files were compared",
}
_TEXT_SIZE_MAX: Final = 600


def map_section(found: MapAnswer) -> Markup:
    """Return the segments over time."""
    if not found.partitions:
        return section(
            "Store map",
            "No segment yet: all commits are in the log. A checkpoint writes them into files.",
            wide=True,
        )
    keys = (
        tag("span", tag("span", class_=f"key {style}"), label, class_="keyed")
        for style, label in (("one", "newest versions"), ("two", "superseded"))
    )
    lead = join(("Segments by partition of commit time, the oldest on the left. ", *keys))
    segments = [
        (partition.name, segment)
        for partition in found.partitions
        for segment in partition.segments
    ]
    rows = [
        (
            partition,
            f"{segment.number}{' (sealed)' if segment.sealed else ''}",
            f"{minute(segment.first_time)} to {minute(segment.last_time)}",
            f"{segment.last_sequence - segment.first_sequence + 1:,}",
            f"{segment.entry_count:,}",
            human_size(segment.size_bytes),
            percent(segment.superseded_share),
        )
        for partition, segment in segments[-_SEGMENTS_MAX:]
    ]
    heads = ("partition", "segment", "commits from, to (UTC)", "commits", "entries", "size", "old")
    said = f"{len(segments)} segment{'' if len(segments) == 1 else 's'}"
    if len(segments) > len(rows):
        said = f"the newest {len(rows)} of {len(segments):,} segments"
    table = table_of(heads, rows, numbers=(3, 4, 5, 6), narrow=(0, 1, 2))
    return section(
        "Store map",
        lead,
        map_columns(found),
        tag("details", tag("summary", said), table),
        wide=True,
    )


def parts_section(stats: StatsAnswer) -> Markup:
    """Return what the bytes are for."""
    rows = []
    for part in stats.parts:
        share = percent(share_of(part.size_bytes, stats.size_bytes))
        rows.append(Bar(part.part, part.size_bytes, f"{human_size(part.size_bytes)}, {share}"))
    total = human_size(stats.size_bytes)
    return section("Size by part", f"{total} in all files.", bars("Size by part", rows))


def compaction_section(report: StoreReport) -> Markup:
    """Return how many files there are, and what would be merged."""
    figures, merges = report.figures, report.merges
    superseding = sum(
        segment.superseding_entry_count
        for partition in report.map.partitions
        for segment in partition.segments
    )
    kept = f"since {minute(figures.floor_time)} UTC" if figures.floor_time else "everything"
    rows = [
        ("segments", f"{figures.segment_count} of at most {merges.segment_count_max}"),
        ("of them sealed", f"{figures.sealed_segment_count}"),
        ("runs of the name index", f"{figures.run_count} of at most {merges.run_count_max}"),
        ("entries that supersede older ones", f"{superseding:,}"),
        ("superseded versions", f"{figures.history_version_count:,}"),
        ("history kept", kept),
        ("next merge of its own", merges.next_merge or "none is due"),
        ("segtool compact would merge", merges.full_merge or "nothing"),
    ]
    lead = "How many files a read may have to look into."
    return section("Compaction", lead, rows_of(rows))


def memory_section(report: StoreReport, *, wide: bool) -> Markup:
    """Return what the process held and hit."""
    figures = report.figures
    asked = figures.cache_hit_count + figures.cache_miss_count
    hits = percent(share_of(figures.cache_hit_count, asked)) if asked else "nothing asked"
    rows = [
        ("blocks found in the cache", hits),
        ("asked, missed", f"{asked:,}, {figures.cache_miss_count:,}"),
        (
            "cache",
            f"{human_size(figures.cache_size_bytes)} of {human_size(figures.cache_size_bytes_max)}",
        ),
        ("mapped files", f"{figures.open_file_count} of at most {figures.open_file_count_max}"),
        (
            "memtable",
            f"{human_size(figures.memtable_size_bytes)} of"
            f" {human_size(figures.memtable_size_bytes_max)}",
        ),
        ("log", f"{human_size(report.map.log_size_bytes)} in {figures.wal_file_count} files"),
        ("commits in no segment yet", f"{report.map.log_commit_count:,}"),
        ("kernel", figures.kernel),
    ]
    lead = "Of the process that made this report, when it was done."
    return section("Cache and memory", lead, rows_of(rows, halves=wide), wide=wide)


def health_section(report: StoreReport) -> Markup:
    """Return what checking found; where it found anything, over the whole width."""
    findings = report.findings
    read = _READ[report.depth]
    checked = f"Checked in {report.check_seconds:.1f} s: {read}, and the log replayed."
    if not findings:
        said: list[Content] = [tag("p", "✓ Sound: nothing was found.", class_="verdict good")]
        if report.depth != "deep":
            said.append(tag("p", "segtool verify --deep looks at all of it.", class_="quiet note"))
        return section("Health", checked, *said)
    shown = findings[:_FINDINGS_MAX]
    items = [tag("li", cut(str(finding), _TEXT_SIZE_MAX)) for finding in shown]
    number = f"{len(findings):,} finding{'' if len(findings) == 1 else 's'}"
    said = [
        tag("p", f"✗ {number}", class_="verdict bad"),
        tag("ul", *items, class_="findings"),
    ]
    if len(findings) > len(shown):
        said.append(tag("p", f"The first {len(shown)}; segtool verify has all.", class_="note"))
    if report.stats is None:
        said.append(
            tag("p", "Types and degrees were not counted: damage stands in the way.", class_="note")
        )
    said.append(tag("p", "segtool doctor says what to do next.", class_="note"))
    return section("Health", checked, *said, wide=True)
