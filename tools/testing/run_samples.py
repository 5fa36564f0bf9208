"""Runs of the name index with names of every kind, on a simulated disk."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import strategies as st

from lithograph.ids import ABSENT, ID_END
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunInfo, RunWriter
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import SimulatedFiles

UUID = bytes(range(16, 32))
FIRST, LAST = 100, 10_000

Versions = list[tuple[int, int]]
Names = dict[bytes, Versions]


def run_files() -> SimulatedFiles:
    files = SimulatedDisk().process(create=True)
    files.make_directory("names")
    return files


def write_run(
    files: SimulatedFiles, names: Names, number: int = 1, first: int = FIRST, last: int = LAST
) -> RunInfo:
    writer = RunWriter(files, number, UUID, first, last)
    for name in sorted(names):
        writer.add(name, names[name])
    return writer.finish()


def run_of(names: Names) -> RunReader:
    files = run_files()
    return RunReader.open(files, write_run(files, names).ref, UUID)


def few_names() -> Names:
    names: Names = {f"entity:{n:04x}".encode(): [(FIRST + n, n)] for n in range(40)}
    names["entity:é".encode()] = [(150, 9), (150, ABSENT), (120, 8)]
    names[b"gone"] = [(LAST, ABSENT)]
    return names


def names_with_chains() -> Names:
    """Long names that begin alike, and names with more versions than their leaf has room for."""
    names = few_names()
    for number in range(5):
        names[b"x" * 2000 + b"%d" % number] = [(FIRST + number, number)]
    names[b"y" * 65_535] = [(FIRST, 7)]
    for number in range(3):
        names[b"versions:%d" % number] = [(sequence, sequence) for sequence in range(9999, 300, -3)]
    return names


def tall_names() -> Names:
    """Names whose fences fill their branches: three to four children each."""
    rng = random.Random(4)
    names: Names = {}
    for _ in range(60):
        prefix = rng.randbytes(520).hex().encode()[:1010]
        for number in range(8):
            versions = [(sequence, rng.randrange(ID_END)) for sequence in range(160, 100, -1)]
            names[prefix + b"%06d" % number] = versions
    return names


SAMPLES: dict[str, Callable[[], Names]] = {
    "none": dict,
    "one": lambda: {b"n": [(FIRST, 0)]},
    "few": few_names,
    "chains": names_with_chains,
    "tall": tall_names,
}
raw_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9).map(
    str.encode
)
long_names = st.tuples(
    st.sampled_from([b"p" * 1023, b"p" * 1024, b"q" * 1500]), st.binary(max_size=2).map(bytes.hex)
).map(lambda parts: parts[0] + parts[1].encode())
version_lists = st.lists(
    st.tuples(st.integers(FIRST, LAST), st.integers(ABSENT, 300) | st.just(ID_END - 1)),
    min_size=1,
    max_size=4,
    unique_by=lambda version: version[0],
).map(lambda versions: sorted(versions, reverse=True))
many_versions = st.integers(200, 3000).map(
    lambda count: [(FIRST + sequence, sequence) for sequence in range(count, 0, -1)]
)
name_maps = st.dictionaries(
    raw_names | long_names, version_lists | version_lists | many_versions, max_size=40
)
