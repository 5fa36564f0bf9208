"""What the files alone say is what the engine says; where they do not say it, nothing is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

import lithograph
from lithograph.tools.files_look import figures_of_files

pytestmark = pytest.mark.skipif(
    not Path("/proc/locks").exists(),
    reason="where locks cannot be looked up, everything is the engine's business",
)

# Those of the process that opens the store are among what the engine says.
PINS: Final = ("pin_count", "pinned_generation", "pinned_sequence")


def write_nothing(path: Path) -> None:
    lithograph.open(path).close()


def write_flushed(path: Path) -> None:
    with lithograph.open(path) as graph:
        for number in range(5):
            graph.put_node(f"node {number}", type=f"type {number % 2}", observations=["x"])
        graph.put_edge("node 1", "to", "node 2")
        graph.checkpoint()
        graph.delete_node("node 2")
        graph.checkpoint()


def write_compacted(path: Path) -> None:
    write_flushed(path)
    with lithograph.open(path, history=timedelta(0)) as graph:
        graph.compact()


@pytest.fixture(params=[write_nothing, write_flushed, write_compacted])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "a.graph"
    write: Callable[[Path], None] = request.param
    write(path)
    return path


def told_by_engine(path: Path) -> dict[str, Any]:
    with lithograph.open(path, mode="r") as graph:
        return asdict(graph.stats())


def test_the_files_say_what_the_engine_says(store: Path) -> None:
    found, expected = figures_of_files(str(store)), told_by_engine(store)

    assert found is not None
    assert list(found) == list(expected)
    for name in PINS:
        del found[name], expected[name]
    assert found == expected


def test_a_pin_of_another_is_counted(store: Path) -> None:
    with lithograph.open(store) as graph:
        with graph.snapshot():
            found = figures_of_files(str(store))
        sequence = graph.sequence

    assert found is not None
    assert (found["pin_count"], found["pinned_sequence"]) == (1, sequence)


def test_a_log_that_holds_something_is_the_engines_business(store: Path) -> None:
    with lithograph.open(store) as graph:
        graph.put_node("late")
        assert figures_of_files(str(store)) is None
    assert figures_of_files(str(store)) is None


def test_a_store_that_is_held_is_the_engines_business(store: Path) -> None:
    with lithograph.open(store, exclusive=True):
        assert figures_of_files(str(store)) is None


def test_what_is_damaged_is_the_engines_business(store: Path) -> None:
    names = ["CURRENT", *(f"manifest/{path.name}" for path in (store / "manifest").iterdir())]
    for name in names:
        path = store / name
        whole = path.read_bytes()
        for offset in range(0, len(whole), 1 + len(whole) // 50):
            path.write_bytes(bytes(b ^ (i == offset) for i, b in enumerate(whole)))
            found = figures_of_files(str(store))
            assert found is None or found == figures_of_whole(path, whole, store)
        path.write_bytes(whole)


def figures_of_whole(path: Path, whole: bytes, store: Path) -> dict[str, Any] | None:
    """Return what is said of the store without the damage: an old manifest is nobody's any more."""
    damaged = path.read_bytes()
    path.write_bytes(whole)
    found = figures_of_files(str(store))
    path.write_bytes(damaged)
    return found


def test_what_is_no_store_is_the_engines_business(tmp_path: Path, store: Path) -> None:
    (tmp_path / "text").write_text("mine")
    (tmp_path / "empty").mkdir()
    (store / "notes.txt").write_text("mine")

    assert figures_of_files(str(tmp_path / "none")) is None
    assert figures_of_files(str(tmp_path / "text")) is None
    assert figures_of_files(str(tmp_path / "empty")) is None
    assert figures_of_files(str(store)) is None


def test_the_floor_is_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.graph"
    write_compacted(path)
    found = figures_of_files(str(path))

    assert found is not None
    assert found["floor_sequence"] > 0
    assert datetime.now(UTC) - found["floor_time"] < timedelta(hours=1)


def test_a_kernel_that_cannot_be_is_the_engines_business(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITHOGRAPH_KERNEL", "fast")
    assert figures_of_files(str(store)) is None
