"""`segtool import edges` at speed: lines per second, and the memory that the process takes at most.

The file is an R-MAT graph of `--nodes` nodes and five times as many edges, two columns of numbers
as SNAP has them. The import runs in a process of its own, as a user would start it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from workload import Workload

from lithograph import kernel

LOOK_S = 0.05


def write_edges(path: Path, node_count: int) -> int:
    """Write the file; return its lines."""
    work = Workload(node_count)
    with path.open("w") as file:
        file.write("# R-MAT (.57 .19 .19 .05)\n# source\ttarget\n")
        for start in range(0, work.edge_count, 1_000_000):
            pairs = np.stack((work.sources, work.targets), axis=1)[start : start + 1_000_000]
            np.savetxt(file, pairs, fmt="%d", delimiter="\t")
    return work.edge_count


def peak_of(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Wait for the end; return the most resident and the most anonymous memory seen, in bytes."""
    resident = anonymous = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            break
        if "VmHWM" in lines:
            resident = max(resident, int(lines["VmHWM"].split()[0]) * 1024)
            anonymous = max(anonymous, int(lines["RssAnon"].split()[0]) * 1024)
        time.sleep(LOOK_S)
    return resident, anonymous


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None, help="where file and store stay")
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        folder = options.folder or Path(scratch)
        file = folder / f"edges-{options.nodes}.txt"
        if not file.exists():
            write_edges(file, options.nodes)
        print(f"kernel: {kernel.backend}; {file.stat().st_size:,} bytes")
        for number in range(options.rounds):
            run(file, folder / f"edges-{time.time_ns()}-{number}.graph")


def run(file: Path, store: Path) -> None:
    command = [sys.executable, "-m", "lithograph.tools.segtool"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "import", "edges", str(file), "--store", str(store), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    resident, anonymous = peak_of(process)
    seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = json.loads(process.communicate()[0])
    assert process.returncode == 0
    lines = answer["more"]["lines"]
    print(f"{seconds:.1f} s, {lines / seconds:,.0f} lines/s; {answer}")
    print(f"of a processor {used.ru_utime:.1f} s, and {used.ru_stime:.1f} s in the system")
    print(f"resident at most {resident:,} bytes, anonymous {anonymous:,}")


if __name__ == "__main__":
    main()
