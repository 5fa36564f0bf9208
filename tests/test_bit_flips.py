"""Every bit of every file: a flip is noticed, or changes nothing that counts."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lithograph.environment import Environment
from lithograph.errors import CorruptionError
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options
from lithograph.tools.testing.machine import Contents, contents_of
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.samples import write_sample
from lithograph.tools.testing.simulated_disk import SimulatedDisk

EXHAUSTIVE = "LITHOGRAPH_FUZZ" in os.environ


def _open(disk: SimulatedDisk) -> Graph:
    return Graph(open_engine(disk.process(create=True), Environment(), Options()), writable=True)


def _files(image: Image, above: str = "") -> Iterator[tuple[str, bytes]]:
    for name, item in image:
        if isinstance(item, bytes):
            yield above + name, item
        else:
            yield from _files(item, f"{above}{name}/" if above or name != "store" else "")


def _with(image: Image, wanted: str, data: bytes, above: str = "") -> Image:
    changed: list[tuple[str, Any]] = []
    for name, item in image:
        if isinstance(item, bytes):
            changed.append((name, data if above + name == wanted else item))
        else:
            inner = f"{above}{name}/" if above or name != "store" else ""
            changed.append((name, _with(item, wanted, data, inner)))
    return tuple(changed)


@pytest.fixture(scope="module")
def closed_store() -> tuple[Image, Contents]:
    disk = SimulatedDisk()
    graph = _open(disk)
    write_sample(graph)
    contents = contents_of(graph)
    graph._engine.close()
    return disk.image(), contents


def _bits(name: str, data: bytes) -> list[int]:
    """All bits of small files; of CURRENT's slots all that are used, and samples of the padding."""
    rng = random.Random(name)
    wanted: list[int] = []
    for position in range(len(data)):
        padding = name == "CURRENT" and 136 < position % 4096 < 4088
        if EXHAUSTIVE:
            wanted += range(position * 8, position * 8 + 8)
        elif not padding or position % 64 == 0:
            wanted.append(position * 8 + rng.randrange(8))
    return wanted


@pytest.mark.parametrize("kind", ["CURRENT", "manifest/", "wal/", "shared.map"])
def test_a_flipped_bit_is_noticed_or_harmless(
    closed_store: tuple[Image, Contents], kind: str
) -> None:
    """CURRENT has two slots, and a store that was closed can lose either; shared.map is made anew.

    The lock files hold nothing but a process number for messages.
    """
    logging.disable(logging.CRITICAL)
    image, contents = closed_store
    noticed = harmless = 0
    blamed: set[tuple[str, str]] = set()
    for name, data in _files(image):
        if not name.startswith(kind):
            continue
        for bit in _bits(name, data):
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            where = f"{name}, byte {bit // 8}, bit {bit % 8}"
            disk = SimulatedDisk(image=_with(image, name, bytes(damaged)))
            try:
                graph = _open(disk)
                found, findings = contents_of(graph), graph.verify()
            except CorruptionError as error:
                blamed.add((name, error.path.removeprefix("/simulated/store/")))
                noticed += 1
            else:
                assert found == contents, where
                assert findings == [], where
                harmless += 1
    logging.disable(logging.NOTSET)

    assert all(name == path for name, path in blamed)
    assert (noticed > 0) == (kind in ("manifest/", "wal/"))
    assert (harmless > 0) == (kind not in ("manifest/", "wal/"))
