"""The main job on real input: the code graph of this interpreter's standard library, and a crash.

`python -m lithograph.tools.demo --store DIR` reads, loads, puts everything into files, opens them
again and asks, and then kills a process that writes. The exit code is 0 only where everything was
as promised.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

import lithograph
from lithograph.errors import LithographError
from lithograph.formats.wal_header import WAL_START
from lithograph.tools.commands.info import size_rows
from lithograph.tools.demo_crash import judge, kill_a_writer, tell_parent, was_killed
from lithograph.tools.demo_store import open_fresh
from lithograph.tools.exit_code import INTERRUPTED, exit_code
from lithograph.tools.importers.load import load_source
from lithograph.tools.importers.python_import import count_files
from lithograph.tools.importers.python_source import read_python, standard_library
from lithograph.tools.output import escape_controls, escape_name, human_size
from lithograph.tools.progress import progress

_NODES_MIN: Final = 15_000
_EDGES_MIN: Final = 30_000
_CALLEE: Final = "posixpath.join"
_BLAST_CENTER: Final = "json.dumps"
_HOPS: Final = 3
_NAMES_SHOWN: Final = 10


class DemoError(Exception):
    """Something is not as it should be; the message says what."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return 0 where everything held."""
    parser = argparse.ArgumentParser(prog="python -m lithograph.tools.demo", description=__doc__)
    parser.add_argument("--store", metavar="DIR", required=True, help="made anew each time")
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.child:
        return tell_parent(parsed.store)
    demo = Demo(parsed.store, parsed.source)
    try:
        demo.run()
    except (DemoError, LithographError) as error:
        print(f"demo: {escape_controls(str(error))}", file=sys.stderr)
        return 1 if isinstance(error, DemoError) else exit_code(error)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


class Demo:
    """One run: each method is a section of what is printed."""

    def __init__(self, store: str, source: Path | None) -> None:
        self._store = store
        self._source = source
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def run(self) -> None:
        started = time.perf_counter()
        with open_fresh(self._store) as graph:
            self._load(graph)
            self._put_into_files(graph)
        with self._open_again() as graph:
            self._ask_callers(graph)
            self._ask_blast_radius(graph)
        self._crash()
        self._invite()
        self._line(f"\nDone in {time.perf_counter() - started:.1f} s.")

    def _load(self, graph: lithograph.Graph) -> None:
        version = ".".join(map(str, sys.version_info[:3]))
        place = self._source or standard_library()
        self._title(f"Reading the standard library of Python {version}")
        self._line(f"from {place}, with ast: nothing is imported or run")
        started = time.perf_counter()
        with progress("reading the sources"):
            source = read_python([place])
        seconds = time.perf_counter() - started
        files = count_files(source)
        self._line(f"{files:,} files in {seconds:.1f} s, {len(source.skipped)} set aside")
        for file, reason in source.skipped[:3]:
            self._line(f"  set aside: {escape_name(file)}: {escape_name(reason)}")

        self._title(f"Loading it into {self._store}")
        with progress("writing") as report:
            loaded = load_source(graph, source, report)
        self._rate("nodes", loaded.node_count, loaded.node_seconds)
        self._kinds(node.kind for node in source.nodes)
        self._rate("edges", loaded.edge_count, loaded.edge_seconds)
        self._kinds(edge.type for edge in source.edges)
        stats = graph.stats()
        self._line(
            f"{loaded.commit_count} durable commits, {stats.kernel} kernel; memory now holds "
            f"{human_size(stats.memtable_size_bytes + stats.frozen_size_bytes)} of them, "
            f"files {human_size(_file_size(stats))}"
        )
        if self._source is None and (
            loaded.node_count < _NODES_MIN or loaded.edge_count < _EDGES_MIN
        ):
            raise DemoError(
                f"{place} gave fewer than {_NODES_MIN:,} nodes or {_EDGES_MIN:,} edges: "
                "are the sources of the standard library installed?"
            )
        # The marker of the demo is a node, too.
        found = graph.node_count - 1, graph.edge_count
        if found != (loaded.node_count, loaded.edge_count):
            raise DemoError(f"the store counts {found[0]:,} nodes and {found[1]:,} edges")

    def _put_into_files(self, graph: lithograph.Graph) -> None:
        self._title("Writing what memory still holds into files")
        started = time.perf_counter()
        graph.checkpoint()
        seconds = time.perf_counter() - started
        stats = graph.stats()
        if stats.wal_total_size_bytes != WAL_START or stats.memtable_version_count:
            raise DemoError(
                f"the log has {stats.wal_total_size_bytes:,} bytes after a checkpoint, "
                f"memory {stats.memtable_version_count:,} versions"
            )
        size = _file_size(stats)
        self._line(
            f"checkpoint in {seconds:.1f} s: the log is empty, memory is given back; "
            f"{size / (stats.node_count + stats.edge_count):.0f} bytes per node or edge on disk, "
            "not compressed as long as the month lasts"
        )
        for part, count, size in size_rows(stats):
            files = "1 file" if count == 1 else f"{count} files"
            self._line(f"  {part:<12}{files:>8}{human_size(size):>12}")

    def _open_again(self) -> lithograph.Graph:
        self._title("Opening the store again")
        started = time.perf_counter()
        graph = lithograph.open(self._store, mode="w")
        ms = (time.perf_counter() - started) * 1_000
        stats = graph.stats()
        self._line(
            f"{stats.node_count:,} nodes and {stats.edge_count:,} edges in {ms:.1f} ms: "
            f"{stats.memtable_version_count} versions of them read into memory, "
            f"{stats.open_file_count} of the files opened so far"
        )
        return graph

    def _ask_callers(self, graph: lithograph.Graph) -> None:
        self._title(f"Who calls {_CALLEE}?")
        self._check_known(graph, _CALLEE)
        started = time.perf_counter()
        callers = graph.neighbors(_CALLEE, "in", types="calls")
        ms = (time.perf_counter() - started) * 1_000
        for name in callers[:_NAMES_SHOWN]:
            self._line(f"  {escape_name(name)}")
        rest = len(callers) - _NAMES_SHOWN
        self._line(
            f"{f'… and {rest:,} more: ' if rest > 0 else ''}{len(callers):,} callers in {ms:.1f} ms"
        )

    def _ask_blast_radius(self, graph: lithograph.Graph) -> None:
        self._title(f"What may break if {_BLAST_CENTER} changes? ({_HOPS} hops of callers)")
        self._hops(graph, _BLAST_CENTER)
        self._line(f"and for {_CALLEE}:")
        self._hops(graph, _CALLEE)

    def _hops(self, graph: lithograph.Graph, name: str) -> None:
        self._check_known(graph, name)
        started = time.perf_counter()
        reached = graph.k_hop(name, _HOPS, "in", types="calls")
        ms = (time.perf_counter() - started) * 1_000
        for hop, ids in enumerate(reached, 1):
            names = ", ".join(map(escape_name, graph.names(ids[:3])))
            more = ", …" if len(ids) > 3 else ""
            self._line(f"  hop {hop}: {len(ids):>6,}  {names}{more}".rstrip())
        total = sum(map(len, reached))
        self._line(f"  together {total:,} functions, methods and modules, in {ms:.1f} ms")

    def _check_known(self, graph: lithograph.Graph, name: str) -> None:
        if name not in graph:
            raise DemoError(f"{escape_name(name)} is not among what was read")

    def _crash(self) -> None:
        self._title("Killing a writer in the middle of its commits")
        killing = kill_a_writer(self._store)
        if not was_killed(killing):
            raise DemoError(
                f"the child ended by itself after {killing.acknowledged} commits: "
                f"{killing.complaint[-2000:]}"
            )
        per_second = (killing.acknowledged - 1) / killing.seconds if killing.seconds else 0
        self._line(
            f"process {killing.pid} acknowledged {killing.acknowledged:,} commits "
            f"({per_second:,.0f}/s, each on the medium), then got SIGKILL"
        )
        log_size = sum(file.stat().st_size for file in Path(self._store, "wal").iterdir())
        with _Events() as events:
            started = time.perf_counter()
            graph = lithograph.open(self._store, mode="w")
            seconds = time.perf_counter() - started
        with graph:
            stats = graph.stats()
            self._line(
                f"opened again in {seconds:.2f} s, {human_size(log_size)} of log replayed: "
                f"{stats.node_count:,} nodes, {stats.edge_count:,} edges"
            )
            for event in events.messages:
                self._line(f"  the store says: {escape_controls(event)}")
            held, wrong = judge(graph, killing)
            wrong += map(str, graph.verify())
        if wrong:
            raise DemoError("; ".join(wrong[:10]))
        self._check(f"every acknowledged commit is there: 1 to {killing.acknowledged}")
        under_way = held > killing.acknowledged
        self._check(
            "no gap; the commit that was under way is there, too"
            if under_way
            else "no gap, and nothing behind the last one"
        )
        self._check("each commit is whole: two nodes and the edge between them")
        self._check("verify() finds nothing wrong")

    def _invite(self) -> None:
        self._title("Look around yourself")
        tool = Path(sys.executable).with_name("segtool")
        on_path = shutil.which("segtool")
        name = "segtool" if on_path and Path(on_path) == tool else _short(tool)
        segment = min(Path(self._store, "partitions").glob("*/*.seg"), default=Path(self._store))
        self._line(f"  export LITHOGRAPH_STORE={shlex.quote(self._store)}")
        for command in (
            "info",
            f"get {_BLAST_CENTER}",
            f"neighbors {_CALLEE} --direction in --type calls --limit 10",
            "neighbors json --type contains --json",
            f"dump {segment.relative_to(self._store)} | head -60",
        ):
            self._line(f"  {shlex.quote(name)} {command}")

    # Writing -----------------------------------------------------------------------------------

    def _title(self, text: str) -> None:
        self._console.print(Text(f"\n{escape_controls(text)}", style="bold"))

    def _line(self, text: str) -> None:
        self._console.print(Text(text))

    def _check(self, text: str) -> None:
        self._console.print(Text("  ok  ", style="green").append(text, style="default"))

    def _rate(self, what: str, count: int, seconds: float) -> None:
        rate = count / seconds if seconds else 0
        self._line(f"{count:>9,} {what} in {seconds:.1f} s: {rate:,.0f} {what}/s")

    def _kinds(self, kinds: Iterable[str]) -> None:
        for kind, count in Counter(kinds).most_common():
            self._line(f"{count:>19,} {kind}")


def _file_size(stats: lithograph.Stats) -> int:
    return sum(size for _, _, size in size_rows(stats))


class _Events(logging.Handler):
    """Collects what the library tells operators, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> _Events:
        logging.getLogger("lithograph").addHandler(self)
        return self

    def __exit__(self, *ending: object) -> None:
        logging.getLogger("lithograph").removeHandler(self)


def _short(path: Path) -> str:
    """Return the path as seen from here, where it is below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
