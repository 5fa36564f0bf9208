"""Damaged, missing, swapped, stale and foreign files: the typed error, never a wrong answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import lithograph
from lithograph.environment import Environment
from lithograph.errors import (
    CorruptionError,
    FormatVersionError,
    LithographError,
    NotAStoreError,
)
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.graph.graph import Graph
from lithograph.options import Options, Tuning
from lithograph.tools.testing.machine import Contents, contents_of
from lithograph.tools.testing.samples import write_sample

_LOCKS = ("locks/open", "locks/commit", "locks/publish", "locks/flush", "locks/compact")
HARMLESS = ("shared.map", *_LOCKS)
"""Rewritten by whoever is alone; nothing in them counts for a store that is closed."""


def _fill(path: Path) -> Contents:
    """Make a store of a run and a segment, and two logs behind them."""
    files = OsFiles.create_root(str(path))
    tuning = Tuning(wal_size_bytes_max=250, background=False)
    graph = Graph(open_engine(files, Environment(), Options(tuning=tuning)), writable=True)
    write_sample(graph)
    contents = contents_of(graph)
    graph._engine.close()
    return contents


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    """A small store that was closed, and what it holds."""
    path = tmp_path_factory.mktemp("sound") / "store"
    return path, _fill(path)


def _files(path: Path) -> list[str]:
    """Return what an opening reads; of sealed files see `test_sealed_damage`."""
    files = (str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    return sorted(name for name in files if not name.startswith(("names/", "partitions/")))


def _image(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in _files(path) if name not in HARMLESS}


def _outcome(path: Path, mode: str = "w") -> Contents | LithographError:
    """Open the store and read it all; return what it holds, or the error it gives."""
    try:
        with lithograph.open(path, mode=mode) as graph:
            assert graph.verify() == [] or mode == "r"
            return contents_of(graph)
    except LithographError as error:
        return error


def _truncations(size: int) -> list[int]:
    return sorted({*range(0, size, 61), size - 1, max(size - 8, 0), 64, 128} & set(range(size)))


def test_a_truncated_file_is_corruption(sound: tuple[Path, Contents], tmp_path: Path) -> None:
    path, contents = sound
    for name in _files(path):
        for size in _truncations((path / name).stat().st_size):
            store = tmp_path / "store"
            shutil.copytree(path, store)
            with (store / name).open("r+b") as file:
                file.truncate(size)
            before = _image(store)
            outcome = _outcome(store)
            where = f"{name} cut to {size}"
            if isinstance(outcome, LithographError):
                assert isinstance(outcome, CorruptionError), where
                assert outcome.path.endswith(name), f"{where}: {outcome}"
                assert _image(store) == before, f"{where}: the store was written to"
            else:
                assert name in (*HARMLESS, "CURRENT"), where
                assert outcome == contents, where
            shutil.rmtree(store)


def _swap(first: str, second: str) -> Callable[[Path], None]:
    def swap(store: Path) -> None:
        one, two = store / first, store / second
        kept = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(kept)

    return swap


def _logs(path: Path) -> list[str]:
    return [name for name in _files(path) if name.startswith("wal/")]


def _manifest(path: Path) -> str:
    return next(name for name in _files(path) if name.startswith("manifest/"))


@pytest.mark.parametrize("mode", ["r", "w", "c"])
def test_a_missing_file_is_corruption_in_every_mode(
    sound: tuple[Path, Contents], tmp_path: Path, mode: str
) -> None:
    path, _ = sound
    for name in [*_logs(path), _manifest(path), "CURRENT"]:
        store = tmp_path / "store"
        shutil.copytree(path, store)
        (store / name).unlink()
        before = _image(store)
        outcome = _outcome(store, mode)

        assert isinstance(outcome, CorruptionError), name
        assert outcome.path.endswith(name), f"{name}: {outcome}"
        assert _image(store) == before
        shutil.rmtree(store)


def test_swapped_logs_are_corruption(sound: tuple[Path, Contents], tmp_path: Path) -> None:
    path, _ = sound
    store = tmp_path / "store"
    shutil.copytree(path, store)
    _swap(*_logs(path)[:2])(store)
    outcome = _outcome(store)

    assert isinstance(outcome, CorruptionError)
    assert "file number" in str(outcome)


def test_a_file_of_another_store_is_corruption(
    sound: tuple[Path, Contents], tmp_path: Path
) -> None:
    path, _ = sound
    _fill(tmp_path / "other")
    for name in [*_logs(path), _manifest(path)]:
        store = tmp_path / "store"
        shutil.copytree(path, store)
        shutil.copy(tmp_path / "other" / name, store / name)
        outcome = _outcome(store)

        assert isinstance(outcome, CorruptionError), name
        assert "belongs to store" in str(outcome)
        assert outcome.offset == 16
        shutil.rmtree(store)


def test_an_older_version_of_the_newest_log_is_corruption(tmp_path: Path) -> None:
    """The log a backup tool left behind: sound in itself, but CURRENT knows that it was longer."""
    store = tmp_path / "store"
    with lithograph.open(store) as graph:
        graph.put_node("old")
    log = store / _logs(store)[-1]
    stale = log.read_bytes()
    with lithograph.open(store) as graph:
        graph.put_node("new")
    log.write_bytes(stale)
    outcome = _outcome(store)

    assert isinstance(outcome, CorruptionError)
    assert outcome.path == str(log)
    assert outcome.offset == len(stale)


def test_damage_in_the_middle_of_a_log_that_was_not_closed_is_corruption(tmp_path: Path) -> None:
    """A later record promises that the damaged one was synced, so this is no torn tail."""
    store = tmp_path / "store"
    graph = lithograph.open(store)
    for number in range(3):
        graph.put_node(f"n{number}")
    copied = tmp_path / "copied"
    shutil.copytree(store, copied)
    graph.close()
    log = copied / _logs(copied)[-1]
    data = bytearray(log.read_bytes())
    data[140] ^= 1
    log.write_bytes(data)
    outcome = _outcome(copied)

    assert isinstance(outcome, CorruptionError)
    assert (outcome.path, outcome.offset) == (str(log), 128)


def test_a_torn_tail_is_cut_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = tmp_path / "store"
    graph = lithograph.open(store)
    graph.put_node("kept")
    end = graph.stats().wal_size_bytes
    copied = tmp_path / "copied"
    shutil.copytree(store, copied)
    graph.close()
    with (copied / _logs(copied)[-1]).open("r+b") as file:
        file.seek(end)
        file.write(b"\x17" * 100)
    with lithograph.open(copied) as graph:
        graph.put_node("next")

        assert [node.name for node in graph.nodes()] == ["kept", "next"]
        assert graph.verify() == []
    assert "nobody knew to be synced: 1; torn bytes cut: 100" in caplog.text


def test_a_store_of_a_newer_format_is_refused_and_left_alone(
    sound: tuple[Path, Contents], tmp_path: Path
) -> None:
    import xxhash

    path, _ = sound
    store = tmp_path / "store"
    shutil.copytree(path, store)
    data = bytearray((store / "CURRENT").read_bytes())
    for start in (0, 4096):
        data[start + 8] = 9
        checksum = xxhash.xxh64_intdigest(bytes(data[start : start + 56]))
        data[start + 56 : start + 64] = checksum.to_bytes(8, "little")
    (store / "CURRENT").write_bytes(data)
    before = _image(store)
    for mode in ("r", "w", "c"):
        outcome = _outcome(store, mode)

        assert isinstance(outcome, FormatVersionError)
        assert "format version 9" in str(outcome)
    assert _image(store) == before


@pytest.mark.parametrize("mode", ["c", "x"])
def test_a_directory_of_something_else_is_left_alone(tmp_path: Path, mode: str) -> None:
    (tmp_path / "CURRENT").write_text("MANIFEST-000001\n")
    (tmp_path / "000003.log").write_bytes(b"leveldb")
    before = _image(tmp_path)

    with pytest.raises(NotAStoreError, match="is not a lithograph store"):
        lithograph.open(tmp_path, mode=mode)
    assert _image(tmp_path) == before


def test_a_link_or_a_pipe_in_place_of_a_file_is_refused(
    sound: tuple[Path, Contents], tmp_path: Path
) -> None:
    import os

    path, _ = sound
    for name in [*_logs(path), _manifest(path), "CURRENT"]:
        for kind in ("link", "pipe"):
            store = tmp_path / "store"
            shutil.copytree(path, store)
            (store / name).unlink()
            if kind == "link":
                (store / name).symlink_to(path / name)
            else:
                os.mkfifo(store / name)
            outcome = _outcome(store)

            assert isinstance(outcome, CorruptionError), f"{kind} {name}: {outcome}"
            assert "not a regular file" in str(outcome)
            shutil.rmtree(store)
