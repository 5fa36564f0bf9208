"""Opening (DESIGN, section 8): modes, options, and that what is not ours stays untouched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import (
    InvalidArgumentError,
    NotAStoreError,
    ReadOnlyError,
    StorageError,
    StoreExistsError,
    StoreNotFoundError,
)

MODES = ("r", "w", "c", "x")


def contents(path: Path) -> dict[str, Any]:
    """Return everything at a path: kind, mode, times of change and bytes of each entry."""
    found: dict[str, Any] = {}
    for entry in [path, *sorted(path.rglob("*"))]:
        if entry.name == "pins":
            continue  # Whoever reads a store leaves a pin there for as long as it does.
        status = entry.lstat()
        data: Any = None
        if entry.is_symlink():
            data = entry.readlink()
        elif entry.is_file():
            data = entry.read_bytes()
        found[str(entry)] = (status.st_mode, status.st_mtime_ns, status.st_ino, data)
    return found


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    before = contents(path)
    yield
    assert contents(path) == before


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one node, closed."""
    path = tmp_path / "kept.graph"
    with lithograph.open(path) as g:
        g.put_node("kept")
    return path


def test_a_path_without_a_store(tmp_path: Path) -> None:
    path = tmp_path / "new.graph"
    for mode in ("r", "w"):
        with (
            untouched(tmp_path),
            pytest.raises(StoreNotFoundError, match='mode="c"') as caught,
        ):
            lithograph.open(path, mode=mode)
        assert isinstance(caught.value, FileNotFoundError)
    for mode in ("c", "x"):
        with lithograph.open(path, mode=mode) as g:
            g.put_node("a")
        shutil.rmtree(path)


def test_an_existing_store(store: Path) -> None:
    for mode in ("r", "w", "c"):
        with lithograph.open(store, mode=mode) as g:
            assert "kept" in g
    with pytest.raises(StoreExistsError, match='mode="c"') as caught:
        lithograph.open(store, mode="x")
    assert isinstance(caught.value, FileExistsError)


def test_the_default_mode_creates_with_private_permissions(tmp_path: Path) -> None:
    path = tmp_path / "private.graph"
    with lithograph.open(path) as g:
        g.put_node("a")
        g.checkpoint()

    for entry in [path, *path.rglob("*")]:
        assert entry.stat().st_mode & 0o777 == (0o700 if entry.is_dir() else 0o600)


def test_the_parent_must_exist(tmp_path: Path) -> None:
    for mode in ("c", "x"):
        with untouched(tmp_path), pytest.raises(StorageError) as caught:
            lithograph.open(tmp_path / "missing" / "store.graph", mode=mode)
        assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_an_empty_directory_becomes_a_store(tmp_path: Path) -> None:
    for mode in ("r", "w"):
        with untouched(tmp_path), pytest.raises(StoreNotFoundError):
            lithograph.open(tmp_path, mode=mode)
    with lithograph.open(tmp_path, mode="x") as g:
        g.put_node("a")
    with lithograph.open(tmp_path, mode="w") as g:
        assert "a" in g


def add_text(path: Path) -> None:
    (path / "notes.txt").write_text("mine")


def add_directory(path: Path) -> None:
    (path / "src" / "deep").mkdir(parents=True)


def add_hidden(path: Path) -> None:
    (path / ".git").mkdir()


def add_foreign_current(path: Path) -> None:
    """As RocksDB and LevelDB have it."""
    (path / "CURRENT").write_text("MANIFEST-000004\n")
    (path / "wal").mkdir()


def add_link(path: Path) -> None:
    (path / "wal").symlink_to("/")
    (path / "elsewhere").symlink_to("/etc/passwd")


FOREIGN = [add_text, add_directory, add_hidden, add_foreign_current, add_link]


@pytest.mark.parametrize("fill", FOREIGN)
@pytest.mark.parametrize("mode", MODES)
def test_a_foreign_directory_is_refused_and_left_as_it_is(
    tmp_path: Path, fill: Callable[[Path], None], mode: str
) -> None:
    fill(tmp_path)
    with untouched(tmp_path), pytest.raises(NotAStoreError, match="not a lithograph store"):
        lithograph.open(tmp_path, mode=mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_file_is_not_a_store(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "file.graph"
    path.write_bytes(b"LITHOGRA" * 100)
    os.mkfifo(tmp_path / "pipe.graph")
    for name in ("file.graph", "pipe.graph"):
        with untouched(tmp_path), pytest.raises(NotAStoreError, match="not a directory"):
            lithograph.open(tmp_path / name, mode=mode)


@pytest.mark.parametrize("bad", ["", "a\0b", b"bytes", None, 3, "x/\0"])
def test_odd_paths_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="path"):
        lithograph.open(bad)


def half_created() -> list[Any]:
    """What a creation may leave that was cut short, as entries to keep of a new store."""
    steps = [
        [],
        ["locks"],
        ["locks", "wal"],
        ["locks", "wal", "manifest"],
        ["locks", "wal", "manifest", "wal/00000001.wal"],
        ["locks", "wal", "manifest", "wal/00000001.wal", "manifest/00000002.manifest"],
    ]
    return [pytest.param(kept, id=f"step {number}") for number, kept in enumerate(steps)]


@pytest.mark.parametrize("kept", half_created())
def test_a_half_created_store_is_no_store_yet(tmp_path: Path, kept: list[str]) -> None:
    path = tmp_path / "half.graph"
    lithograph.open(path).close()
    entries = {str(entry.relative_to(path)) for entry in path.rglob("*")}
    assert entries >= set(kept)
    for entry in sorted(entries - set(kept), reverse=True):
        (path / entry).rmdir() if (path / entry).is_dir() else (path / entry).unlink()
    for mode in ("r", "w"):
        with untouched(path), pytest.raises(StoreNotFoundError):
            lithograph.open(path, mode=mode)
    with lithograph.open(path, mode="x") as g:
        g.put_node("a")
    with lithograph.open(path, mode="r") as g:
        assert "a" in g


@pytest.mark.parametrize("current", [b"", b"\0" * 100, b"\0" * 8192])
def test_a_current_of_zeros_is_a_creation_cut_short(tmp_path: Path, current: bytes) -> None:
    """A power cut may keep a file's name and size, and lose its bytes."""
    path = tmp_path / "zeros.graph"
    lithograph.open(path).close()
    (path / "CURRENT").write_bytes(current)
    with lithograph.open(path, mode="x") as g:
        g.put_node("a")
    with lithograph.open(path, mode="w") as g:
        assert "a" in g


def test_a_used_store_without_current_is_damage_and_stays(store: Path) -> None:
    (store / "CURRENT").unlink()
    for mode in MODES:
        before = {p: p.read_bytes() for p in store.glob("[wm]*/*")}
        with pytest.raises((lithograph.CorruptionError, StoreExistsError)):
            lithograph.open(store, mode=mode)
        assert {p: p.read_bytes() for p in store.glob("[wm]*/*")} == before


# Reading only ----------------------------------------------------------------------------------


def test_a_reader_never_changes_a_byte(store: Path) -> None:
    with untouched(store), lithograph.open(store, mode="r") as g:
        assert [node.name for node in g.nodes()] == ["kept"]
        assert g.snapshot().node_count == g.stats().node_count == 1
        assert g.verify() == []
        for write in (lambda: g.put_node("x"), g.transaction, g.checkpoint):
            with pytest.raises(ReadOnlyError):
                write()


def test_a_reader_cuts_no_torn_tail(store: Path) -> None:
    newest = sorted((store / "wal").iterdir())[-1]
    with newest.open("ab") as file:
        file.write(b"\x07" * 100)
    with untouched(store), lithograph.open(store, mode="r") as g:
        assert "kept" in g


def test_a_reader_needs_no_locks_nor_map_where_nobody_writes(store: Path) -> None:
    """As on a read-only medium to which only the data were copied."""
    shutil.rmtree(store / "locks")
    (store / "shared.map").unlink()
    with lithograph.open(store, mode="r") as g:
        assert "kept" in g


_AS_NOBODY = """
import os, sys, lithograph, lithograph.graph
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with lithograph.open(sys.argv[1], mode="r") as g:
    assert "kept" in g and g.verify() == []
try:
    lithograph.open(sys.argv[1], mode="w")
except lithograph.StorageError as error:
    print("refused", type(error.__cause__).__name__)
"""


def test_a_reader_needs_no_write_permission(store: Path) -> None:
    """In a process that gives up root first, where the suite runs as root."""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        copied = shutil.copytree(store, Path(above, "store"))
        for entry in [copied, *copied.rglob("*")]:
            entry.chmod(0o555 if entry.is_dir() else 0o444)
        with untouched(copied):
            child = subprocess.run(
                [sys.executable, "-c", _AS_NOBODY, str(copied)],
                capture_output=True,
                text=True,
                check=False,
            )
        for entry in [copied, *copied.rglob("*")]:
            entry.chmod(0o700)

    assert child.stderr == ""
    assert child.stdout == "refused PermissionError\n"


# Options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("mode", mode) for mode in ("", "rw", "R", None, 1, "a")],
        *[("durability", word) for word in ("fsync", "", None, True)],
        *[("cache_size", size) for size in (-1, "64 MB", "x", None, 1.5, True, 2**63, "")],
        *[("partition", word) for word in ("week", None, "Month")],
        *[("history", span) for span in (timedelta(-1), 5, "1d")],
        *[("lock_timeout", time) for time in (-1, None, "1", True, float("nan"), float("inf"))],
        *[("exclusive", value) for value in (None, 1, "yes")],
    ],
    ids=str,
)
def test_wrong_options_are_named_and_nothing_is_made(
    tmp_path: Path, option: str, value: Any
) -> None:
    options: dict[str, Any] = {option: value}
    with untouched(tmp_path), pytest.raises(InvalidArgumentError, match=option):
        lithograph.open(tmp_path / "new.graph", **options)


def test_an_exclusive_reader_is_refused(store: Path) -> None:
    with untouched(store), pytest.raises(InvalidArgumentError, match="exclusive"):
        lithograph.open(store, mode="r", exclusive=True)


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_every_option_that_is_allowed_opens(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "options.graph"
    for partition in ("day", "month", "year"):
        for size in (0, 2**20, "0", "64MiB", "1 GiB", "5kib"):
            with lithograph.open(
                path, "c", durability, size, partition, timedelta(0), 0, True
            ) as g:
                g.put_node(f"{partition} {size!r}")
    with lithograph.open(path, lock_timeout=5, history=None) as g:
        assert g.node_count == 18
