"""The report as one HTML page: no script, no network, both color schemes, phones and paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import lithograph
from lithograph.tools.commands.map_answer import MapAnswer
from lithograph.tools.commands.stats_answer import Degrees, StatsAnswer, TypeCount
from lithograph.tools.output import human_size
from lithograph.tools.page.charts import Bar, Series, bars, log_lines, short
from lithograph.tools.page.map_picture import map_columns, minute, percent
from lithograph.tools.page.markup import Content, Markup, cut, join, tag
from lithograph.tools.page.style import CHARTS, COLORS, PAGE
from lithograph.tools.store_report import StoreReport

_TYPES_MAX: Final = 12
_SEGMENTS_MAX: Final = 100
_FINDINGS_MAX: Final = 100
_NAME_SIZE_MAX: Final = 120
_TEXT_SIZE_MAX: Final = 600


def report_page(report: StoreReport) -> str:
    """Return the page, well-formed XML as well as HTML; at most some 250 KiB, whatever it shows."""
    stats = report.stats
    health = tag("div", _health(report), _compaction(report), class_="stack")
    sections = [_map(report.map)]
    if stats is not None:
        sections += [_parts(stats), health, *_types(stats), _degrees(stats), _hubs(stats)]
    else:
        sections.append(health)
    sections.append(_memory(report))
    title = f"{cut(_last_part(report.path), _NAME_SIZE_MAX)} - lithograph"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # Nothing is ever loaded, whatever stands in the page.
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
        ),
        tag("title", title),
        tag("style", Markup(COLORS + CHARTS + PAGE)),
    )
    body = tag(
        "body",
        tag(
            "main",
            _header(report),
            tag("div", *sections, class_="grid"),
            tag(
                "footer",
                f"Made by segtool report, lithograph {lithograph.__version__}, on"
                f" {minute(report.made_at)} UTC; as of commit {report.map.sequence:,}.",
            ),
        ),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _header(report: StoreReport) -> Markup:
    figures = report.figures
    last = minute(report.last_time) + " UTC" if report.last_time else "never"
    size = report.map.size_bytes + report.map.run_size_bytes + report.map.log_size_bytes
    shown: list[tuple[str, Content]] = [
        ("nodes", f"{figures.node_count:,}"),
        ("edges", f"{figures.edge_count:,}"),
        ("commits", f"{report.map.sequence:,}"),
        ("on disk", human_size(size)),
        ("superseded", percent(report.map.superseded_share)),
        ("findings", tag("span", len(report.findings), class_=_mood(report))),
    ]
    return tag(
        "header",
        tag("h1", cut(_last_part(report.path), _NAME_SIZE_MAX)),
        tag(
            "p",
            f"Lithograph store {cut(report.path, _NAME_SIZE_MAX)}; newest commit {last}",
            class_="quiet where",
        ),
        tag(
            "dl",
            *(tag("div", tag("dt", name), tag("dd", value)) for name, value in shown),
            class_="figures",
        ),
    )


def _section(title: str, lead: Content, *content: Content, wide: bool = False) -> Markup:
    return tag(
        "section",
        tag("h2", title),
        tag("p", lead, class_="lead"),
        *content,
        class_="wide" if wide else None,
    )


def _map(found: MapAnswer) -> Markup:
    if not found.partitions:
        return _section(
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
    said = f"{len(segments)} segments"
    if len(segments) > len(rows):
        said = f"the newest {len(rows)} of {len(segments):,} segments"
    table = _table(heads, rows, numbers=(3, 4, 5, 6), narrow=(0, 1, 2))
    return _section(
        "Store map",
        lead,
        map_columns(found),
        tag("details", tag("summary", said), table),
        wide=True,
    )


def _parts(stats: StatsAnswer) -> Markup:
    rows = [
        Bar(
            part.part,
            part.size_bytes,
            f"{human_size(part.size_bytes)}, {percent(_share(part.size_bytes, stats.size_bytes))}",
        )
        for part in stats.parts
    ]
    total = human_size(stats.size_bytes)
    return _section("Size by part", f"{total} in all files.", bars("Size by part", rows))


def _types(stats: StatsAnswer) -> list[Markup]:
    return [
        _type_bars("Nodes by type", stats.nodes_by_type or [], stats.node_count),
        _type_bars("Edges by type", stats.edges_by_type or [], stats.edge_count),
    ]


def _type_bars(title: str, types: Sequence[TypeCount], total: int) -> Markup:
    shown = list(types[:_TYPES_MAX])
    rest = types[_TYPES_MAX:]
    rows = [
        Bar(each.type or "(no type)", each.count, _count_and_share(each.count, total))
        for each in shown
    ]
    if rest:
        count = sum(each.count for each in rest)
        rows.append(Bar(f"{len(rest):,} other types", count, _count_and_share(count, total)))
    lead = f"{total:,} of {len(types):,} types." if len(types) != 1 else f"{total:,} of one type."
    return _section(title, lead, bars(title, rows) if rows else "")


def _degrees(stats: StatsAnswer) -> Markup:
    title = "Degree distribution"
    if not stats.edge_count:
        return _section(title, "There are no edges.", wide=True)
    series = [
        Series("edges out", "one", _at_least(stats.out_degrees)),
        Series("edges in", "two", _at_least(stats.in_degrees)),
    ]
    plot = log_lines(
        "Nodes by the edges that they have at least, on log axes: out and in",
        series,
        "edges",
        "nodes that have at least so many edges",
    )
    rows = [
        (name, f"{d.mean:,.2f}", f"{d.p50:,}", f"{d.p90:,}", f"{d.p99:,}", f"{d.max:,}", _bare(d))
        for name, d in (
            ("out", stats.out_degrees),
            ("in", stats.in_degrees),
            ("both", stats.degrees),
        )
    ]
    heads = ("edges", "mean", "p50", "p90", "p99", "most", "none")
    lead = "Out and in; both axes are logarithmic."
    return _section(
        title, lead, plot, _table(heads, rows, numbers=range(1, 7), narrow=(0,)), wide=True
    )


def _hubs(stats: StatsAnswer) -> Markup:
    rows = [
        (
            cut(hub.name, _NAME_SIZE_MAX),
            cut(hub.type, 40),
            f"{hub.out_degree:,}",
            f"{hub.in_degree:,}",
            percent(_share(hub.out_degree + hub.in_degree, 2 * stats.edge_count)),
        )
        for hub in stats.hubs
    ]
    if not rows:
        return _section("Top hubs", "No node has an edge.", wide=True)
    heads = ("node", "type", "out", "in", "of all ends")
    table = _table(heads, rows, numbers=(2, 3, 4), names=(0, 1))
    return _section("Top hubs", "The nodes of most edges, in and out.", table, wide=True)


def _compaction(report: StoreReport) -> Markup:
    figures, merges = report.figures, report.merges
    superseding = "not counted"
    if report.stats is not None:
        superseding = f"{report.stats.superseding_entry_count:,}"
    kept = f"since {minute(figures.floor_time)} UTC" if figures.floor_time else "everything"
    rows = [
        ("segments", f"{figures.segment_count} of at most {merges.segment_count_max}"),
        ("of them sealed", f"{figures.sealed_segment_count}"),
        ("runs of the name index", f"{figures.run_count} of at most {merges.run_count_max}"),
        ("entries that supersede older ones", superseding),
        ("superseded versions", f"{figures.history_version_count:,}"),
        ("history kept", kept),
        ("next merge of its own", merges.next_merge or "none is due"),
        ("segtool compact would merge", merges.full_merge or "nothing"),
    ]
    lead = "How many files a read may have to look into."
    return _section("Compaction", lead, _rows(rows))


def _memory(report: StoreReport) -> Markup:
    figures = report.figures
    asked = figures.cache_hit_count + figures.cache_miss_count
    hits = percent(_share(figures.cache_hit_count, asked)) if asked else "nothing asked"
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
    return _section("Cache and memory", lead, _rows(rows, halves=True), wide=True)


def _health(report: StoreReport) -> Markup:
    findings = report.findings
    read = "every byte was read" if report.deep else "every file was opened, its footer read"
    checked = f"Checked in {report.check_seconds:.1f} s: {read}, and the log replayed."
    if not findings:
        more = "segtool verify --deep reads every byte." if not report.deep else ""
        said: list[Content] = [tag("p", "✓ Sound: nothing was found.", class_="verdict good")]
        if more:
            said.append(tag("p", more, class_="quiet note"))
        return _section("Health", checked, *said)
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
    return _section("Health", checked, *said)


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Content]],
    *,
    numbers: Sequence[int] = (),
    names: Sequence[int] = (),
    narrow: Sequence[int] = (),
) -> Markup:
    """Return a table; the three say which columns are of which class."""

    def style(place: int) -> str | None:
        for columns, name in ((numbers, "number"), (names, "name"), (narrow, "narrow")):
            if place in columns:
                return name
        return None

    head = tag("tr", *(tag("th", text, class_=style(i)) for i, text in enumerate(heads)))
    body = [
        tag("tr", *(tag("td", value, class_=style(i)) for i, value in enumerate(row)))
        for row in rows
    ]
    table = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", table, class_="scroll", tabindex="0")


def _rows(pairs: Sequence[tuple[str, Content]], *, halves: bool = False) -> Markup:
    rows = (tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl", *rows, class_="rows halves" if halves else "rows")


def _at_least(degrees: Degrees) -> list[tuple[float, float]]:
    """Return (degree, nodes that have so many edges or more), without degree 0."""
    points: list[tuple[float, float]] = []
    nodes = 0
    for each in reversed(degrees.distribution):
        nodes += each.nodes
        if each.degree:
            points.append((each.degree, nodes))
    return points[::-1]


def _bare(degrees: Degrees) -> str:
    first = degrees.distribution[0] if degrees.distribution else None
    return f"{first.nodes:,}" if first is not None and not first.degree else "0"


def _count_and_share(count: int, total: int) -> str:
    shown = f"{count:,}" if count < 10**7 else short(round(count, -5))
    return f"{shown}, {percent(_share(count, total))}"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _last_part(path: str) -> str:
    return PurePath(path).name or path


def _mood(report: StoreReport) -> str:
    return "bad" if report.findings else "good"
