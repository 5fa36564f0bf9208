"""Runs of the name index, built and merged: names of work W, on the kernel that LITHOGRAPH_KERNEL
chooses. CPU time of one thread, so that a busy machine does not count."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

from lithograph import kernel
from lithograph.files import OsFiles
from lithograph.segments.run_merge import merge_runs
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunInfo, RunWriter

UUID = bytes(16)
RUNS = 4
ROUNDS = 5
STEP = 256
_SCRAMBLE = 0x9E3779B1

Versions = dict[str, list[tuple[int, int]]]


def _names(first: int, count: int) -> Versions:
    """Return names of scrambled integers, each made by a commit of its own."""
    return {
        f"entity:{number * _SCRAMBLE % 2**40:010x}": [(number + 1, number)]
        for number in range(first, first + count)
    }


def _build(files: OsFiles, number: int, names: Versions, first: int) -> RunInfo:
    writer = RunWriter(files, number, UUID, first, first + len(names) - 1)
    ordered = sorted(names)
    for start in range(0, len(ordered), STEP):
        writer.add_many(ordered[start : start + STEP], names)
    return writer.finish()


def _merge(files: OsFiles, number: int, readers: list[RunReader]) -> RunInfo:
    writer = RunWriter(files, number, UUID, readers[-1].first_sequence, readers[0].last_sequence)
    for _ in merge_runs(readers, writer, floor=0, oldest=True):
        pass
    return writer.finish()


def _seconds(work: Callable[[int], object]) -> float:
    """Return the best time of some rounds, which are told apart by a number."""
    best = float("inf")
    for number in range(ROUNDS):
        begun = time.thread_time()
        work(number)
        best = min(best, time.thread_time() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=200_000, help="in each run")
    count: int = parser.parse_args().names
    with tempfile.TemporaryDirectory() as directory:
        files = OsFiles(directory)
        files.make_directory("names")
        readers: list[RunReader] = []
        for number in range(RUNS):
            first = number * count
            info = _build(files, number + 1, _names(first, count), first + 1)
            readers.insert(0, RunReader.open(files, info.ref, UUID))
        names = _names(0, count)
        built = _seconds(lambda round_: _build(files, 100 + round_, names, 1))
        merged = _seconds(lambda round_: _merge(files, 200 + round_, readers))
    print(f"\n{RUNS} runs of {count:,} names, {kernel.backend} kernel, best of {ROUNDS}")
    print(f"  {'build, sorting included':38} {built * 1e6 / count:8.3f} µs per name")
    print(f"  {'merge':38} {merged * 1e6 / count / RUNS:8.3f} µs per name")


if __name__ == "__main__":
    main()
