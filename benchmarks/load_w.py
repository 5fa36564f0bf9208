"""Work W through transactions: its rate, the bytes of every part on disk, and how often each byte
and each entry was written. `--nodes` sets the size; the store goes to `--store` or is thrown away.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from workload import Workload

from lithograph import kernel
from lithograph.environment import Environment
from lithograph.files import File, OsFiles
from lithograph.formats.file_header import FileKind
from lithograph.formats.file_names import manifest_name, run_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.name_run import RUN_FOOTER, RunFooter
from lithograph.formats.segment_footer import Section
from lithograph.graph.engine import Engine, open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options
from lithograph.segments.sealed_file import SealedFile

BATCH = 10_000
EVERY = 50


class Written:
    """What was written: bytes by kind of file, and entries, once for each file that has them.

    entries : of segments and histories under "seg", of runs under "run".
    """

    def __init__(self) -> None:
        self.sizes: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()
        self._seen: set[int] = set()

    def note(self, name: str, data: bytes) -> None:
        """Count a write. Every sealed file counts with the first manifest that names it."""
        kind = name.rpartition(".")[2]
        self.sizes[kind] += len(data)
        if kind == "manifest":
            number = int(Path(name).stem)
            manifest = Manifest.decode(data, None, number)
            for segment in manifest.segments:
                if segment.number not in self._seen:
                    self.entries["seg"] += segment.entry_count + segment.version_count
            for run in manifest.runs:
                if run.number not in self._seen:
                    self.entries["run"] += run.entry_count
            self._seen |= {entry.number for entry in manifest.segments}
            self._seen |= {entry.number for entry in manifest.runs}


class CountedFile:
    """A file that counts what is written to it; implements `files.File`."""

    def __init__(self, file: File, name: str, written: Written) -> None:
        self.path = file.path
        self.read_at, self.size, self.close = file.read_at, file.size, file.close
        self.truncate, self.sync_data = file.truncate, file.sync_data
        self._file = file
        self._name = name
        self._written = written

    def write_at(self, offset: int, data: bytes) -> None:
        self._file.write_at(offset, data)
        self._written.note(self._name, data)


class CountedFiles(OsFiles):
    """The files of a store; what is written to them is counted."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.written = Written()

    def create(self, name: str) -> File:
        return CountedFile(super().create(name), name, self.written)

    def open(self, name: str, *, writable: bool = False) -> File:
        return CountedFile(super().open(name, writable=writable), name, self.written)


def put_nodes(graph: Graph, work: Workload, start: int) -> None:
    """Put the nodes of one transaction, from a number on."""
    with graph.transaction() as tx:
        for number in range(start, min(start + BATCH, work.node_count)):
            row = work.node(number)
            tx.put_node(
                row.name,
                type=row.type,
                observations=row.observations,
                created_at=row.created_at,
            )


def put_edges(graph: Graph, work: Workload, start: int) -> int:
    """Put the edges of one transaction, from a number on; return where the next one begins."""
    end = min(start + BATCH, work.edge_count)
    with graph.transaction() as tx:
        for source, type_name, target in work.edges(start, end):
            tx.put_edge(source, type_name, target)
    return end


def load(graph: Graph, work: Workload) -> None:
    """Put all nodes and then all edges, in transactions of 10,000."""
    begun = last = time.perf_counter()
    for start in range(0, work.node_count, BATCH):
        put_nodes(graph, work, start)
    nodes_s = time.perf_counter() - begun
    print(f"nodes {work.node_count:12,} {nodes_s:9.1f} s {work.node_count / nodes_s:10,.0f}/s")
    begun = last = time.perf_counter()
    for count, start in enumerate(range(0, work.edge_count, BATCH), 1):
        end = put_edges(graph, work, start)
        if count % EVERY == 0:
            now = time.perf_counter()
            print(f"      {end:12,} {now - begun:9.1f} s {BATCH * EVERY / (now - last):10,.0f}/s")
            last = now
    edges_s = time.perf_counter() - begun
    print(f"edges {work.edge_count:12,} {edges_s:9.1f} s {work.edge_count / edges_s:10,.0f}/s")


def part_sizes(engine: Engine) -> dict[str, int]:
    """Return the bytes of every part of the sealed files that are in force, and of the manifest."""
    generation, shelf = engine.journal.stack.generation, engine.shelf
    manifest, store_uuid = generation.manifest, engine.journal.store_uuid
    sizes: Counter[str] = Counter()
    for entry in manifest.segments:
        segment = shelf.segment(entry, store_uuid)
        sizes += _section_sizes("segment", entry.size, segment.footer.sections.items())
        history = shelf.history(entry, store_uuid)
        if history is not None:
            sizes += _section_sizes("history", entry.history_size, history.footer.sections.items())
    for run in manifest.runs:
        file = SealedFile.open(
            engine.files, run_name(run.number), run.ref, FileKind.RUN, store_uuid, RUN_FOOTER.size
        )
        footer = RunFooter.decode(file.body, file.data_size)
        file.close()
        sizes["run filter"] += footer.filter_size
        sizes["run tree"] += footer.filter_offset
        sizes["run checksums, footer"] += run.size - footer.filter_offset - footer.filter_size
    newest = engine.files.open(manifest_name(generation.manifest_number))
    sizes["manifest"] = newest.size()
    newest.close()
    return dict(sizes)


def _section_sizes(kind: str, size: int, sections: Iterable[tuple[str, Section]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, section in sections:
        found[f"{kind} {name}"] = section.size
        size -= section.size
    found[f"{kind} checksums, footer, padding"] = size
    return found


def print_parts(engine: Engine, work: Workload, title: str) -> None:
    """Print the bytes of each part, whole and per node and edge."""
    sizes = part_sizes(engine)
    manifest = engine.journal.stack.generation.manifest
    table = Table("part", "bytes", "per node", "per edge", "share", title=title)
    total = sum(sizes.values())
    for part, size in [*sizes.items(), ("all", total)]:
        if size:
            table.add_row(
                part,
                f"{size:,}",
                f"{size / manifest.node_count:.3f}",
                f"{size / manifest.edge_count:.3f}",
                f"{size / total:.1%}",
            )
    for column in table.columns[1:]:
        column.justify = "right"
    Console(width=90).print(table)
    print(
        f"{len(manifest.segments)} segments, {len(manifest.runs)} runs, "
        f"{manifest.node_count:,} nodes, {manifest.edge_count:,} edges of {work.edge_count:,} put"
    )


def print_amplification(engine: Engine, written: Written, what: str) -> None:
    """Print what was written so far: bytes against those of the log, entries against the graph."""
    sizes, entries = written.sizes, written.entries
    manifest = engine.journal.stack.generation.manifest
    parts = ", ".join(f"{kind} {size:,}" for kind, size in sizes.most_common())
    total, log = sizes.total(), sizes["wal"]
    print(f"written {what}: {total:,} bytes, {total / log:.2f} x the log ({parts})")
    committed = manifest.node_count + manifest.edge_count
    print(
        f"  entries of segments and histories: {entries['seg']:,}, "
        f"{entries['seg'] / committed:.2f} x what was committed; "
        f"of runs: {entries['run']:,}, {entries['run'] / manifest.node_count:.2f} x"
    )


def check(graph: Graph, *, deep: bool) -> None:
    begun = time.perf_counter()
    findings = graph.verify(deep=deep)
    print(f"verify(deep={deep}): {len(findings)} findings, {time.perf_counter() - begun:.1f} s")
    for finding in findings[:20]:
        print("  ", finding)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--store", type=Path, default=None, help="where the store stays")
    options = parser.parse_args()
    work = Workload(options.nodes)
    print(
        f"kernel: {kernel.backend}; W with {work.node_count:,} nodes, "
        f"{work.edge_count:,} edges, {work.distinct_edge_count():,} of them distinct",
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:
        run(options.store or Path(folder, "w.graph"), work)


def run(path: Path, work: Workload) -> None:
    path.mkdir()
    files = CountedFiles(str(path))
    engine = open_engine(files, Environment(), Options(durability="normal"))
    graph = Graph(engine, writable=True)
    load(graph, work)
    begun = time.perf_counter()
    graph.checkpoint()
    print(f"checkpoint {time.perf_counter() - begun:.1f} s")
    print_parts(engine, work, "after the load")
    print_amplification(engine, files.written, "by the load")
    check(graph, deep=False)
    begun = time.perf_counter()
    graph.compact()
    print(f"compact {time.perf_counter() - begun:.1f} s")
    print_parts(engine, work, "after compaction")
    print_amplification(engine, files.written, "with compaction")
    check(graph, deep=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"resident at most: {peak:,} bytes")
    graph.close()
    engine.close()


if __name__ == "__main__":
    main()
