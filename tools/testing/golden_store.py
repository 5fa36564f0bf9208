"""A small store with every kind of file, the same bytes each time: what every release must read.

`python -m lithograph.tools.testing.golden_store DIR` writes it. Clock, randomness and identity are
fixed; only compressed files, and what names them by their hashes, depend on the installed
zstandard, so `ZSTANDARD` says which one made the stored bytes.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import zstandard

from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.formats.moment import encode_moment
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning

STORE_UUID: Final = bytes(range(16, 32))
BEGIN: Final = datetime(2026, 10, 30, 12, tzinfo=UTC)
VALID_FROM: Final = datetime(1833, 6, 5, tzinfo=UTC)
LONG_NAME: Final = "ü" * 600
ZSTANDARD: Final = "ZSTANDARD"
"""File beside the stored ones: the version of the library that made them."""

_PROCESS: Final = 4321
_LINE_SIZE: Final = 32


class _Machine:
    """A clock that stands still until it is told, and numbers that are not random."""

    def __init__(self) -> None:
        self.now = BEGIN
        self._random = random.Random(2026)

    def environment(self) -> Environment:
        return Environment(
            clock_us=lambda: encode_moment(self.now, "now"),
            random_u64=lambda: self._random.getrandbits(64),
            new_uuid=lambda: STORE_UUID,
            process_id=lambda: _PROCESS,
        )

    def wait(self, **time: int) -> None:
        self.now += timedelta(**time)


def write_golden_store(path: str) -> None:
    """Write the store to a directory that does not exist yet, close it, and remove its locks.

    Sealed segment and history of October, open ones of November, runs over both, and a log.
    """
    machine = _Machine()
    options = Options(mode="x", tuning=Tuning(background=False))
    engine = open_engine(OsFiles.create_root(path), machine.environment(), options)
    graph = Graph(engine, writable=True)
    _write_october(graph, machine)
    graph.checkpoint()
    machine.wait(days=14)
    _write_november(graph, machine)
    graph.checkpoint()
    engine.caretaker.work_off()
    machine.wait(hours=1)
    _write_log(graph, machine)
    engine.close()
    _remove_locks(Path(path))


def _write_october(graph: Graph, machine: _Machine) -> None:
    with graph.transaction() as tx:
        for number in range(40):
            tx.put_node(f"n{number:02}", type="number", properties={"number": number})
        for number in range(2, 40):
            tx.put_edge(f"n{number:02}", "half", f"n{number // 2:02}")
    machine.wait(hours=1)
    with graph.transaction() as tx:
        tx.put_node(
            "Ada",
            type="Person",
            observations=["wrote the first program", "naïve"],
            properties={"born": 1815, "tags": ["math", None, 0.5, {"a": True}]},
            created_at=VALID_FROM,
        )
        tx.put_node("Charles", type="Person")
        tx.put_node(LONG_NAME, observations=["x" * 1_500])
        tx.put_edge("Ada", "knows", "Charles", key="k", properties={"since": 1833})
        tx.put_edge("Ada", "knows", "Charles", valid_from=VALID_FROM)
        tx.put_edge("Ada", "knows", "Ada")
    machine.wait(hours=1)
    graph.add_observations("Ada", ["met Charles"])
    graph.put_node("gone")
    graph.put_edge("gone", "knows", "Ada")
    machine.wait(hours=1)
    graph.delete_node("gone")


def _write_november(graph: Graph, machine: _Machine) -> None:
    with graph.transaction() as tx:
        tx.put_node("gone", type="Person", observations=["again"])
        tx.put_edge("gone", "knows", "Charles")
        tx.put_edge("Ada", "knows", "Charles", key="k", properties={"since": 1834})
        tx.delete_edge("Ada", "knows", "Ada")
    machine.wait(hours=1)
    graph.delete_node("n03")
    graph.add_observations("Ada", ["second"])
    graph.remove_observations("Ada", ["naïve"])
    graph.update_properties("Ada", {"born": 1816}, remove=["tags"])
    graph.put_edge("n05", "half", "n02", properties={"rest": 1})


def _write_log(graph: Graph, machine: _Machine) -> None:
    graph.put_node("new", type="late")
    machine.wait(hours=1)
    graph.delete_node("n38")
    graph.add_observations("n07", ["seen"])


def _remove_locks(directory: Path) -> None:
    """Remove what is empty but for process numbers: version control keeps no empty files apart."""
    for file in sorted((directory / "locks").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (directory / "locks").rmdir()


@dataclass(frozen=True, slots=True)
class StoredStore:
    """A store as version control keeps it: hexadecimal text, 32 bytes a line, a file each.

    directory : holds `NAME.hex` for every file of the store, and ZSTANDARD.
    """

    directory: Path

    def read(self) -> dict[str, bytes]:
        """Return the files by their names in the store."""
        return {
            file.relative_to(self.directory).as_posix().removesuffix(".hex"): bytes.fromhex(
                file.read_text("ascii")
            )
            for file in sorted(self.directory.rglob("*.hex"))
        }

    def unpack(self, path: Path) -> None:
        """Write the store to a directory that does not exist yet."""
        for name, data in self.read().items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def keep(self, files: dict[str, bytes]) -> None:
        """Replace what is stored."""
        for old in self.directory.rglob("*.hex"):
            old.unlink()
        for name, data in files.items():
            file = self.directory / f"{name}.hex"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(data.hex(" ", _LINE_SIZE).replace(" ", "\n") + "\n", "ascii")
        (self.directory / ZSTANDARD).write_text(zstandard.__version__ + "\n", "ascii")

    def depends_on_zstandard(self, name: str) -> bool:
        """Return whether a file may have other bytes, because another zstandard is installed."""
        made_by = (self.directory / ZSTANDARD).read_text("ascii").strip()
        compressed = ("CURRENT", "manifest", "partitions/2026-10")
        return made_by != zstandard.__version__ and name.startswith(compressed)


def files_of(path: Path) -> dict[str, bytes]:
    """Return the files of a store by their names in it, without locks."""
    return {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in sorted(path.rglob("*"))
        if file.is_file() and "locks" not in file.relative_to(path).parts
    }


if __name__ == "__main__":
    write_golden_store(sys.argv[1])
