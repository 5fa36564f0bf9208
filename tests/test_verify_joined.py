"""The quick way of the deep check finds any store sound exactly where the careful one does."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resealing import data_of, reseal, sealed_files
from tampering import Tamper, opened, verify

from lithograph import Graph
from lithograph.errors import CorruptionError
from lithograph.files import OsFiles
from lithograph.formats.file_header import HEADER_SIZE
from lithograph.kernel import survey
from lithograph.maintenance import verify as verify_module
from lithograph.maintenance import verify_joined, verify_quick
from lithograph.maintenance.verify_graph import GraphCheck
from lithograph.maintenance.verify_joined import is_sound
from lithograph.segments.block_cache import BlockCache
from lithograph.segments.history_reader import HistoryReader
from lithograph.segments.segment_check import check_history, check_segment, check_written
from lithograph.segments.segment_reader import SegmentReader

pytestmark = pytest.mark.skipif(survey is None, reason="the quick way is the kernel's")


def fill(graph: Graph) -> None:
    """Two segments with histories, keys, records out of line, deletions; two runs; and a log."""
    for start in (0, 90):
        with graph.transaction() as tx:
            for number in range(start, start + 90):
                tx.put_node(f"n{number}", type=f"t{number % 3}", observations=["x" * (number % 9)])
            for number in range(1, start + 90):
                tx.put_edge(f"n{number}", f"e{number % 5}", f"n{number // 2}")
                tx.put_edge("n7", "h", f"n{number}", key="k" * (number % 3))
        for number in range(5, start + 90, 11):
            graph.add_observations(f"n{number}", ["more"])
            graph.put_edge(f"n{number}", f"e{number % 5}", f"n{number // 2}", properties={"a": 1})
        graph.put_node("large", observations=["y" * 3_000], properties={"a": [1, {"b": None}]})
        graph.put_edge("large", "to", "n1", properties={"b": "z" * 2_000})
        graph.put_edge("n3", "brief", "n4", key="gone")
        graph.delete_edge("n3", "brief", "n4", key="gone")
        for number in (start + 13, start + 26):
            graph.delete_node(f"n{number}")
            graph.put_node(f"n{number}", type="again")
        graph.checkpoint()
    graph.put_node("logged")
    graph.put_edge("logged", "to", "n1", key="k")
    graph.add_observations("n2", ["logged"])
    graph.delete_edge("n4", "e4", "n2")
    graph.delete_node("n9")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a store as it is filled, and the same one merged."""
    path = tmp_path_factory.mktemp("joined") / "store"
    with opened(path) as graph:
        fill(graph)
    merged = Path(shutil.copytree(path, path.with_name("merged")))
    with opened(merged) as graph:
        graph.compact()
    return {"filled": path, "merged": merged}


def ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str], list[str]]:
    """Return whether the quick way was enough, what was found, and what the careful way finds."""
    enough = []

    def noted(*arguments: Any) -> bool:
        enough.append(is_sound(*arguments))
        return enough[-1]

    with monkeypatch.context() as patch:
        patch.setattr(verify_quick, "is_sound", noted)
        patch.setattr(verify_quick, "may_be_plain", lambda manifest: False)
        found = sorted(map(str, verify(path)))
    with monkeypatch.context() as patch:
        patch.setattr(verify_module, "names_of", lambda manifest: None)
        careful = sorted(map(str, verify(path)))
    return enough == [True], found, careful


def written(path: Path, index: int) -> tuple[list[str], list[str]]:
    """Return what is found in a segment and its history as if they were just written, and what the
    careful way finds."""
    tamper = Tamper(path)
    entry, uuid = tamper.manifest.segments[index], tamper.store_uuid
    files, cache = OsFiles(str(path)), BlockCache(2**20)
    segment = SegmentReader.open(files, entry.partition, entry.ref, uuid, cache)
    history = None
    careful: list[CorruptionError] = []
    if entry.history is not None:
        history = HistoryReader.open(files, entry.partition, entry.history, uuid, cache)
    try:
        careful += check_segment(segment)
        if history is not None:
            careful += check_history(history, segment)
    except CorruptionError as error:
        careful.append(error)
    try:
        at_once = list(check_written(segment, history))
    except CorruptionError as error:
        at_once = [error]
    return sorted(map(str, at_once)), sorted(map(str, careful))


@pytest.mark.parametrize("stretch", [2**15, 64, 37])
@pytest.mark.parametrize("kind", ["filled", "merged"])
def test_a_sound_store_needs_no_careful_look(
    stores: dict[str, Path], monkeypatch: pytest.MonkeyPatch, kind: str, stretch: int
) -> None:
    monkeypatch.setattr(verify_joined, "STRETCH", stretch)

    assert ways(stores[kind], monkeypatch) == (True, [], [])
    monkeypatch.setattr(GraphCheck, "run", None)
    assert verify(stores[kind]) == []


@pytest.mark.parametrize("kind", ["filled", "merged"])
def test_changed_bytes_under_right_checksums_are_found_as_the_careful_way_finds_them(
    stores: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = Path(shutil.copytree(stores[kind], tmp_path / "store"))
    chance = random.Random(7)
    told = 0
    for sealed in sealed_files(path):
        data, body = data_of(path, sealed)
        for _ in range(3):
            damaged = bytearray(data)
            damaged[chance.randrange(HEADER_SIZE, len(data))] ^= 1 << chance.randrange(8)
            reseal(path, sealed, bytes(damaged), body)
            _, found, careful = ways(path, monkeypatch)

            assert found == careful
            told += bool(careful)
            if sealed[0] != "run":
                at_once, careful = written(path, sealed[1])
                assert at_once == careful
        reseal(path, sealed, data, body)

    assert told


def test_a_store_that_forgot_its_past_needs_no_careful_look(
    stores: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copytree(stores["filled"], tmp_path / "store"))
    with opened(path) as graph:
        graph.compact(drop_history_before=datetime.now(UTC))
        graph.add_observations("n1", ["later"])
        graph.delete_node("n2")
        graph.put_node("n9", type="again")
        graph.checkpoint()
        graph.delete_node("n1")

    assert ways(path, monkeypatch) == (True, [], [])


NAMES = st.sampled_from([f"n{number}" for number in range(6)])
COMMANDS = st.one_of(
    st.tuples(st.just("node"), NAMES, st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("edge"), NAMES, NAMES, st.sampled_from(["e", "f"]), st.sampled_from("kl")),
    st.tuples(st.just("property"), NAMES, NAMES),
    st.tuples(st.just("add"), NAMES),
    st.tuples(st.just("cut"), NAMES, NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("compact")),
)


def apply(graph: Graph, command: tuple[str, ...]) -> None:
    match command:
        case ("node", name, type_name):
            graph.put_node(name, type=type_name)
        case ("edge", source, target, type_name, key):
            graph.put_edge(source, type_name, target, key=key, create_missing=True)
        case ("property", source, target):
            graph.put_edge(source, "p", target, properties={"p": 1}, create_missing=True)
        case ("add", name):
            if graph.get_node(name) is not None:
                graph.add_observations(name, ["more"])
        case ("cut", source, target):
            graph.delete_edge(source, "p", target)
        case ("delete", name):
            graph.delete_node(name)
        case ("checkpoint",):
            graph.checkpoint()
        case _:
            graph.compact()


@given(commands=st.lists(COMMANDS, min_size=1, max_size=30))
@settings(max_examples=25)
def test_any_store_is_found_sound_the_quick_way(
    tmp_path_factory: pytest.TempPathFactory, commands: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("any") / "store"
    with opened(path) as graph:
        graph.put_node("first")
        graph.checkpoint()
        for command in commands:
            apply(graph, command)
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert ways(path, monkeypatch) == (True, [], [])
