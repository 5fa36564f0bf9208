"""Every bit of every file of the stored store: a flip is noticed, or harms nothing."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from lithograph.catalog.current_file import read_current
from lithograph.catalog.manifest_file import read_manifest
from lithograph.catalog.shelf import Shelf
from lithograph.environment import Environment
from lithograph.errors import CorruptionError
from lithograph.formats.file_names import history_name, run_name, segment_name
from lithograph.formats.manifest import Manifest
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.maintenance.recovery import valid_slot
from lithograph.options import Options, Tuning
from lithograph.segments.sealed_file import SealedFile
from lithograph.tools.testing.golden_store import STORE_UUID, StoredStore
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.machine import Contents, contents_of
from lithograph.tools.testing.simulated_disk import STORE, SimulatedDisk

EXHAUSTIVE: Final = "LITHOGRAPH_FUZZ" in os.environ
GOLDEN: Final = StoredStore(Path(__file__).parent / "golden" / "v0" / "store").read()
SEALED: Final = sorted(name for name in GOLDEN if name.startswith(("names/", "partitions/")))
OPTIONS: Final = Options(mode="w", tuning=Tuning(background=False))


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Every slot that is written again is logged; here that is thousands of lines."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _disk(files: Mapping[str, bytes]) -> SimulatedDisk:
    tree: dict[str, Any] = {}
    for name, data in files.items():
        *directories, leaf = name.split("/")
        inner = tree
        for directory in directories:
            inner = inner.setdefault(directory, {})
        inner[leaf] = data
    return SimulatedDisk(image=((STORE, _image(tree)),))


def _image(tree: dict[str, Any]) -> Image:
    return tuple(
        (name, item if isinstance(item, bytes) else _image(item))
        for name, item in sorted(tree.items())
    )


def _flipped(name: str, bit: int) -> SimulatedDisk:
    damaged = bytearray(GOLDEN[name])
    damaged[bit // 8] ^= 1 << bit % 8
    return _disk({**GOLDEN, name: bytes(damaged)})


def _open(disk: SimulatedDisk) -> Graph:
    return Graph(open_engine(disk.process(create=True), Environment(), OPTIONS), writable=True)


def _everything(graph: Graph) -> tuple[Contents, ...]:
    """Return the graph as it is, and as every commit left it: no file is left out."""
    past = []
    for sequence in range(1, graph.sequence + 1):
        with graph.as_of(sequence) as then:
            past.append(contents_of(then))
    return contents_of(graph), *past


@pytest.fixture(scope="module")
def contents() -> tuple[Contents, ...]:
    return _everything(_open(_disk(GOLDEN)))


def _bits(name: str, size: int, every: int) -> Iterator[int]:
    """Yield all bits, or one of each `every` bytes; of the padding in CURRENT a sample."""
    rng = random.Random(name)
    for position in range(0, size, every):
        if name == "CURRENT" and 136 < position % 4096 < 4088:
            if position % (8 if EXHAUSTIVE else 64) == 0:
                yield position * 8 + rng.randrange(8)
        elif EXHAUSTIVE and every == 1:
            yield from range(position * 8, position * 8 + 8)
        else:
            yield position * 8 + rng.randrange(8 * min(every, size - position))


def test_every_bit_of_current_is_checked() -> None:
    """Padding too; what a store makes of a slot that is damaged, see below."""
    for bit in range(0, len(GOLDEN["CURRENT"]) * 8, 1 if EXHAUSTIVE else 101):
        reading = read_current(_flipped("CURRENT", bit).process())

        assert [error.offset // 4096 for error in reading.damage] == [bit // 8 // 4096], bit
        assert reading.newest is not None


@pytest.mark.parametrize("kind", ["CURRENT", "manifest/", "wal/", "shared.map"])
def test_a_flipped_bit_is_noticed_or_harmless(kind: str, contents: tuple[Contents, ...]) -> None:
    """CURRENT has two slots, and a store that was closed can lose either; shared.map is made
    anew."""
    noticed = harmless = 0
    blamed: set[bool] = set()
    for name in (name for name in GOLDEN if name.startswith(kind)):
        for bit in _bits(name, len(GOLDEN[name]), 1 if EXHAUSTIVE or "/" in name else 5):
            where = f"{name}, byte {bit // 8}, bit {bit % 8}"
            try:
                graph = _open(_flipped(name, bit))
                found, findings = contents_of(graph), graph.verify()
            except CorruptionError as error:
                blamed.add(error.path.endswith(f"/{name}"))
                noticed += 1
            else:
                assert found == contents[0], where
                assert findings == [], where
                harmless += 1

    assert False not in blamed
    assert (noticed > 0) == (kind in ("manifest/", "wal/"))
    assert (harmless > 0) == (kind not in ("manifest/", "wal/"))


def _sealed_file(disk: SimulatedDisk, manifest: Manifest, name: str) -> SealedFile:
    """Open one sealed file as the store would."""
    shelf = Shelf(disk.process(), 2**20, 4)
    for run in manifest.runs:
        if run_name(run.number) == name:
            return shelf.run(run, STORE_UUID)._pages.file
    for entry in manifest.segments:
        if segment_name(entry.partition, entry.number) == name:
            return shelf.segment(entry, STORE_UUID).file
        if history_name(entry.partition, entry.number) == name:
            history = shelf.history(entry, STORE_UUID)
            assert history is not None
            return history.file
    raise AssertionError(f"{name} is not named")


@pytest.mark.parametrize("name", SEALED)
def test_a_flipped_bit_in_a_sealed_file_is_noticed(name: str) -> None:
    """By a checksum, wherever it is, padding and reserved bytes too, when its block is touched."""
    files = _disk(GOLDEN).process()
    manifest = read_manifest(files, valid_slot(files, read_current(files)))
    for bit in _bits(name, len(GOLDEN[name]), 1 if EXHAUSTIVE else 3):
        where = f"byte {bit // 8}, bit {bit % 8}"
        try:
            findings = list(_sealed_file(_flipped(name, bit), manifest, name).check_blocks())
        except CorruptionError as error:
            findings = [error]

        assert findings, where
        assert all(error.path.endswith(f"/{name}") for error in findings), where


@pytest.mark.parametrize("name", SEALED)
def test_a_store_with_a_flipped_bit_in_a_sealed_file_does_not_lie(
    name: str, contents: tuple[Contents, ...]
) -> None:
    """It opens; each look at it, now and back, gives what was there or the error; verify tells."""
    blamed: set[str] = set()
    for bit in _bits(name, len(GOLDEN[name]), 16 if EXHAUSTIVE else 499):
        where = f"byte {bit // 8}, bit {bit % 8}"
        graph = _open(_flipped(name, bit))
        try:
            assert _everything(graph) == contents, where
        except CorruptionError as error:
            blamed.add(error.path)

        assert any(f.path.endswith(f"/{name}") for f in graph.verify(deep=True)), where
    assert blamed == {f"/simulated/{STORE}/{name}"}
