"""The report of a run: tables on the terminal, JSON, markdown and plots in a directory."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from measure import QUANTILES, ROW_OF, ROWS, Row, Summary, Target, comparable
from peers.base import DISK
from rich.console import Console
from rich.table import Table

from lithograph import kernel

if TYPE_CHECKING:
    from bench import Results

OURS: Final = "lithograph"

_UNSTEADY: Final = 5
"""Turns of the medium that differ by more than this factor say nothing of a store."""
_THROUGHPUT: Final = ("put_nodes", "put_node", "load")
_COLORS: Final = {
    "lithograph": "black",
    "sqlite": "tab:blue",
    "lmdb": "tab:green",
    "rocksdict": "tab:red",
    "overgraph": "tab:purple",
    "ladybug": "tab:orange",
    "duckdb": "tab:olive",
    DISK: "tab:gray",
}


def write_report(results: Results, growth: Sequence[Results], folder: Path) -> None:
    """Print the tables, and write everything into a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "Figures": _figures(results),
        "lithograph's figure over the peer's; less than 1 is better, more where it is per s": (
            _ratios(results)
        ),
        "Targets of DESIGN.md, section 10": _targets(results),
    }
    console = Console(width=160)
    for line in machine(results):
        console.print(line, highlight=False, markup=False)
    for title, lines in tables.items():
        console.print(_rich(title, lines))
    for line in remarks(results):
        console.print(line, highlight=False, markup=False)
    (folder / "results.json").write_text(json.dumps(_json(results, growth), indent=1) + "\n")
    try:
        plots = _plots(results, growth, folder)
    except ImportError as error:
        plots = []
        console.print(f"no plots: {error}", highlight=False, markup=False)
    (folder / "report.md").write_text(_markdown(results, tables, plots))
    console.print(f"written to {folder.name}/: results.json, report.md, {', '.join(plots)}")


def machine(results: Results) -> list[str]:
    """Return lines that say what ran, and on what."""
    versions = ", ".join(f"{peer} {version}" for peer, version in results.versions.items())
    return [
        f"kernel: {kernel.backend}; {versions}",
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"{platform.python_implementation()} {platform.python_version()}, numpy {np.__version__}",
        f"W with {results.node_count:,} nodes and {results.edge_count:,} distinct edges; "
        f"medians of {results.rounds} alternating rounds; load, compaction and bytes once; "
        "each peer in a process of its own",
    ]


def remarks(results: Results) -> list[str]:
    """Return lines on how peers are used, which rows they cannot do, and which of them failed."""
    lines = [f"{peer}: {note}" for peer, note in results.notes.items()]
    lines += [f"{peer}: NOT COMPARED, {reason}" for peer, reason in results.failures.items()]
    if results.kept:
        lines.append(
            f"{', '.join(results.kept)}: stores kept from an earlier run, and so are their figures "
            "of loading and compaction"
        )
    disk = results.cells.get(("durable", DISK))
    if isinstance(disk, Summary) and _is_unsteady(disk):
        low, high = (_number(ROW_OF["durable"].figure(value)) for value in (disk.low, disk.high))
        lines.append(
            f"durable commits: the same append and sync took {low} µs in one turn and {high} µs in "
            "another, so the machine was measured, not the stores; repeat when it is idle"
        )
    for row in ROWS:
        why: dict[str, list[str]] = {}
        for peer in results.versions:
            cell = results.cells.get((row.key, peer))
            if isinstance(cell, str):
                why.setdefault(cell, []).append(peer)
        lines += [f"- {row.title}, {', '.join(peers)}: {cell}" for cell, peers in why.items()]
    for (key, peer), cell in results.cells.items():
        if isinstance(cell, Summary) and _was_cut_off(cell, results):
            lines.append(
                f"* {ROW_OF[key].title}, {peer}: the first {cell.call_count} starts only, cut off "
                "by the limit; ratios are over the starts that both made"
            )
    return lines


def _is_unsteady(disk: Summary) -> bool:
    return disk.high > _UNSTEADY * disk.low


def _was_cut_off(cell: Summary, results: Results) -> bool:
    return 0 < cell.call_count < results.start_count


# Tables ----------------------------------------------------------------------------------------


def _figures(results: Results) -> list[list[str]]:
    """Return the table of figures; those of a peer that was cut off have a star."""
    peers = _peers(results)
    lines = [["", "unit", *peers]]
    for row in ROWS:
        cells = [results.cells.get((row.key, peer)) for peer in peers]
        if any(isinstance(cell, Summary) for cell in cells):
            lines.append([row.title, row.unit, *(_figure(row, cell, results) for cell in cells)])
    return lines


def _figure(row: Row, cell: Summary | str | None, results: Results) -> str:
    if not isinstance(cell, Summary):
        return "-"
    return _number(row.figure(cell.value)) + ("*" if _was_cut_off(cell, results) else "")


def _ratios(results: Results) -> list[list[str]]:
    """Return the table of lithograph's figures over those of the peers."""
    peers = [peer for peer in _peers(results) if peer != OURS]
    lines = [["", *peers]]
    for row in ROWS:
        ours = results.cells.get((row.key, OURS))
        if not isinstance(ours, Summary):
            continue
        cells = [results.cells.get((row.key, peer)) for peer in peers]
        ratios = [
            _number(_ratio(row, ours, cell)) if isinstance(cell, Summary) else "-" for cell in cells
        ]
        lines.append([row.title, *ratios])
    return lines


def _peers(results: Results) -> list[str]:
    return list(dict.fromkeys(peer for _, peer in results.cells))


def _ratio(row: Row, ours: Summary, theirs: Summary) -> float:
    mine, other = comparable(ours, theirs)
    return row.figure(mine) / row.figure(other)


def _targets(results: Results) -> list[list[str]]:
    lines = [["figure", "target", "found", "met", ""]]
    for row in ROWS:
        ours = results.cells.get((row.key, OURS))
        for target in row.targets if isinstance(ours, Summary) else ():
            assert isinstance(ours, Summary)
            lines.append([row.title, *_verdict(row, target, ours, results)])
    return lines


def _verdict(row: Row, target: Target, ours: Summary, results: Results) -> tuple[str, ...]:
    sign = ">=" if target.at_least else "<="
    if not target.peer:
        found, unit = row.figure(ours.value), row.unit
        return (
            f"{sign} {_number(target.bound)} {unit}",
            f"{_number(found)} {unit}",
            _met(found, target),
            target.note,
        )
    of = ROW_OF[target.of or row.key]
    goal = f"{sign} {target.bound} x {target.peer}" + (
        f", {of.title.split(',')[0]}" if target.of else ""
    )
    theirs = results.cells.get((of.key, target.peer))
    if not isinstance(theirs, Summary):
        return goal, "-", "-", target.note
    ratio = _ratio(row, ours, theirs)
    if target.peer == DISK and _is_unsteady(theirs):
        return goal, f"{_number(ratio)} x", "?", target.note
    return goal, f"{_number(ratio)} x", _met(ratio, target), target.note


def _met(found: float, target: Target) -> str:
    met = found >= target.bound if target.at_least else found <= target.bound
    return "yes" if met else "no"


def _number(value: float) -> str:
    """Return three digits that count, and no more after the point than that takes."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _rich(title: str, lines: Sequence[Sequence[str]]) -> Table:
    table = Table(*lines[0], title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for line in lines[1:]:
        table.add_row(*line)
    return table


# Files -----------------------------------------------------------------------------------------


def _markdown(
    results: Results, tables: Mapping[str, Sequence[Sequence[str]]], plots: Iterable[str]
) -> str:
    parts = ["# Benchmark report", *machine(results)]
    for title, lines in tables.items():
        parts += [f"## {title}", "\n".join(_pipes(lines))]
    parts += ["## Remarks", "\n".join(f"* {line.lstrip('*- ')}" for line in remarks(results))]
    parts += [f"![{Path(plot).stem}]({plot})" for plot in plots]
    return "\n\n".join(parts) + "\n"


def _pipes(lines: Sequence[Sequence[str]]) -> list[str]:
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return [rows[0], "|" + " --- |" * len(lines[0]), *rows[1:]]


def _json(results: Results, growth: Sequence[Results]) -> dict[str, Any]:
    return {
        "machine": machine(results),
        "kernel": kernel.backend,
        "run": _plain(results),
        "growth": [_plain(size) for size in growth],
    }


def _plain(results: Results) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    for (key, peer), cell in results.cells.items():
        row = rows.setdefault(key, {})
        if isinstance(cell, str):
            row[peer] = {"reason": cell}
        else:
            figures = asdict(cell)
            figures.pop("each")
            row[peer] = {
                "figure": ROW_OF[key].figure(cell.value),
                "unit": ROW_OF[key].unit,
                "calls": cell.call_count,
                **figures,
            }
    return {
        "node_count": results.node_count,
        "edge_count": results.edge_count,
        "rounds": results.rounds,
        "versions": results.versions,
        "notes": results.notes,
        "failures": results.failures,
        "kept": results.kept,
        "rows": rows,
    }


# Plots -----------------------------------------------------------------------------------------


def _plots(results: Results, growth: Sequence[Results], folder: Path) -> list[str]:
    """Draw the plots and return their files. Raises ImportError without matplotlib."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    draw: dict[str, Callable[[Any], None]] = {
        "latency.png": lambda figure: _draw_latency(figure, results),
        "throughput.png": lambda figure: _draw_bars(figure, results, _THROUGHPUT),
        "bytes.png": lambda figure: _draw_bars(figure, results, ("bytes",)),
    }
    if growth:
        draw["growth.png"] = lambda figure: _draw_growth(figure, growth)
    for file, drawing in draw.items():
        figure = pyplot.figure(figsize=(12, 7), layout="constrained")
        drawing(figure)
        figure.savefig(folder / file, dpi=100)
        pyplot.close(figure)
    return list(draw)


def _draw_latency(figure: Any, results: Results) -> None:
    """One panel for each row of single calls: the share of calls that took no longer."""
    keys = [row.key for row in ROWS if any(cell.spread for _, cell in _cells(results, row.key))]
    for axes, key in zip(_panels(figure, len(keys)), keys, strict=True):
        for peer, cell in _cells(results, key):
            if cell.spread:
                axes.plot(
                    np.array(cell.spread) / 1000, QUANTILES * 100, label=peer, color=_COLORS[peer]
                )
        axes.set(
            xscale="log", xlabel="µs", ylabel="% of calls", title=ROW_OF[key].title.split(",")[0]
        )
        axes.grid(alpha=0.3)
    _legend(figure)


def _draw_bars(figure: Any, results: Results, keys: Sequence[str]) -> None:
    for axes, key in zip(_panels(figure, len(keys)), keys, strict=True):
        cells = list(_cells(results, key))
        figures = [ROW_OF[key].figure(cell.value) for _, cell in cells]
        bars = axes.bar([peer for peer, _ in cells], figures, color=[_COLORS[p] for p, _ in cells])
        axes.bar_label(bars, [_number(value) for value in figures])
        axes.set_title(ROW_OF[key].title, fontsize=10)
        axes.set_ylabel(ROW_OF[key].unit)
        axes.tick_params(axis="x", rotation=30)


def _draw_growth(figure: Any, growth: Sequence[Results]) -> None:
    """One panel for each row: figures over the number of nodes, both logarithmic."""
    keys = [row.key for row in ROWS if any(list(_cells(size, row.key)) for size in growth)]
    for axes, key in zip(_panels(figure, len(keys)), keys, strict=True):
        for peer in growth[0].versions:
            found = [(size.node_count, dict(_cells(size, key)).get(peer)) for size in growth]
            points = [(count, ROW_OF[key].figure(cell.value)) for count, cell in found if cell]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=peer, color=_COLORS[peer])
        axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel=ROW_OF[key].unit)
        axes.set_title(ROW_OF[key].title, fontsize=10)
        axes.grid(alpha=0.3)
    _legend(figure)


def _cells(results: Results, key: str) -> Iterator[tuple[str, Summary]]:
    for peer in _COLORS:
        cell = results.cells.get((key, peer))
        if isinstance(cell, Summary):
            yield peer, cell


def _panels(figure: Any, count: int) -> list[Any]:
    columns = min(count, 3)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False).flatten().tolist()
    for axes in grid[count:]:
        axes.set_visible(False)
    return list(grid[:count])


def _legend(figure: Any) -> None:
    """Show each peer once, whatever the panel it is in."""
    lines: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
