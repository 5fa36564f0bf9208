"""The report as one HTML page: no script, no network, both color schemes, phones and paper."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

import lithograph
from lithograph.tools.output import human_size
from lithograph.tools.page.graph_sections import degree_section, hub_section, type_sections
from lithograph.tools.page.map_picture import minute, percent
from lithograph.tools.page.markup import Content, Markup, cut, tag
from lithograph.tools.page.store_sections import (
    compaction_section,
    health_section,
    map_section,
    memory_section,
    parts_section,
)
from lithograph.tools.page.style import CHARTS, COLORS, PAGE
from lithograph.tools.store_report import StoreReport

_NAME_SIZE_MAX: Final = 120


def report_page(report: StoreReport) -> str:
    """Return the page, well-formed XML as well as HTML; at most some 250 KiB, whatever it shows."""
    stats = report.stats
    health, compaction = health_section(report), compaction_section(report)
    sections = [health, map_section(report.map)] if report.findings else [map_section(report.map)]
    if stats is not None:
        beside = compaction if report.findings else tag("div", health, compaction, class_="stack")
        sections += [parts_section(stats), beside, *type_sections(stats)]
        sections += [degree_section(stats), hub_section(stats), memory_section(report, wide=True)]
    else:
        sections += [compaction, memory_section(report, wide=False)]
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


def _last_part(path: str) -> str:
    return PurePath(path).name or path


def _mood(report: StoreReport) -> str:
    return "bad" if report.findings else "good"
