"""The style of the report and of pictures: two schemes, one set of names.

Blue and orange are told apart with every kind of color vision, and differ in lightness in both
schemes; nothing is said by color alone.
"""

from __future__ import annotations

from typing import Final

COLORS: Final = """\
:root {
  color-scheme: light dark;
  --ground: #fbfaf8; --card: #ffffff; --ink: #1c2228; --quiet: #5b6670; --line: #dfdbd3;
  --track: #efece6; --one: #2a6cae; --two: #c9651c; --good: #26734d; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --card: #1b1f23; --ink: #e7e5e0; --quiet: #9ba4ad; --line: #30363c;
    --track: #262b30; --one: #6aaeee; --two: #f2a65a; --good: #6cc79a; --bad: #ff8a80;
  }
}
"""

CHARTS: Final = """\
.chart { display: block; overflow: visible; }
.chart text { fill: var(--ink); font-size: 13px; }
.chart .quiet { fill: var(--quiet); font-size: 12px; }
.figure { font-variant-numeric: tabular-nums; }
.chart .end { text-anchor: end; }
.chart .middle { text-anchor: middle; }
.chart .track { fill: var(--track); }
.chart .one { fill: var(--one); stroke: var(--one); }
.chart .two { fill: var(--two); stroke: var(--two); }
.chart rect { stroke-width: 0; }
.chart circle.two { fill: var(--card); }
@media (max-width: 760px) { .chart .spare { display: none; } }
.chart line { stroke-width: 1.5; }
.chart line.grid { stroke: var(--line); stroke-width: 1; }
.chart line.axis { stroke: var(--quiet); stroke-width: 1; }
"""

PAGE: Final = """\
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 56px; }
header { margin-bottom: 28px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 0; }
.quiet { color: var(--quiet); }
.where { overflow-wrap: anywhere; }
.lead { color: var(--quiet); margin-bottom: 18px; font-size: 14px; }
.figures { display: flex; flex-wrap: wrap; gap: 12px 40px; margin: 22px 0 0; }
.figures div { min-width: 84px; }
.figures dt { color: var(--quiet); font-size: 13px; }
.figures dd { margin: 0; font-size: 24px; font-variant-numeric: tabular-nums; line-height: 1.25; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 20px 22px;
  min-width: 0;
}
section.wide { grid-column: 1 / -1; }
.stack { display: grid; gap: 20px; align-content: start; min-width: 0; }
.halves { column-count: 2; column-gap: 44px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 5px; }
.keyed { white-space: nowrap; margin-right: 12px; }
.key.one { background: var(--one); }
.key.two { background: var(--two); }
.plot { padding: 4px 4px 0 48px; }
.axis-title { font-size: 12px; margin-bottom: 8px; }
.scroll { overflow-x: auto; margin-top: 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { color: var(--quiet); font-weight: normal; font-size: 13px; text-align: left; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.number, th.number {
  text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;
}
th:last-child, td:last-child { padding-right: 0; }
td.name { overflow-wrap: anywhere; min-width: 10em; }
td.narrow { white-space: nowrap; }
details { margin-top: 14px; }
summary { cursor: pointer; color: var(--quiet); font-size: 14px; }
.rows { margin: 0; font-size: 14px; }
.rows div {
  display: flex; justify-content: space-between; gap: 16px; padding: 5px 0;
  border-bottom: 1px solid var(--line); break-inside: avoid;
}
.rows dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.note { font-size: 14px; margin-top: 12px; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.verdict { font-size: 20px; line-height: 1.3; font-weight: 600; }
ul.findings { margin: 10px 0 0; padding-left: 18px; font-size: 14px; overflow-wrap: anywhere; }
code { font: 13px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
footer { margin-top: 24px; color: var(--quiet); font-size: 13px; }
@media (max-width: 760px) {
  main { padding: 24px 14px 40px; }
  .grid { grid-template-columns: minmax(0, 1fr); }
  .grid, .stack { gap: 14px; }
  .halves { column-count: 1; }
  section { padding: 16px; }
  .figures { gap: 10px 28px; }
  .figures dd { font-size: 20px; }
  th, td { padding-right: 9px; }
  td.name { min-width: 7.5em; }
}
@media print {
  :root {
    color-scheme: light;
    --ground: #fff; --card: #fff; --ink: #000; --quiet: #444; --line: #ccc; --track: #eee;
    --one: #2a6cae; --two: #c9651c; --good: #26734d; --bad: #b3261e;
  }
  body { font-size: 12px; }
  main { max-width: none; padding: 0; }
  .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
  section { break-inside: avoid; padding: 12px 14px; }
  rect, circle, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
