"""A stored store of format version 0: read as it was written, and written again byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lithograph
from lithograph import EdgeChange
from lithograph.formats.file_names import SHARED_MAP
from lithograph.tools.testing.golden_store import (
    LONG_NAME,
    VALID_FROM,
    StoredStore,
    files_of,
    write_golden_store,
)

GOLDEN = StoredStore(Path(__file__).parent / "golden" / "v0" / "store")
NUMBERS = [f"n{number:02}" for number in range(40)]


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    path = tmp_path / "golden.graph"
    GOLDEN.unpack(path)
    return path


@pytest.fixture
def golden(unpacked: Path) -> Iterator[lithograph.Graph]:
    with lithograph.open(unpacked, mode="r") as graph:
        yield graph


def test_the_store_is_written_byte_for_byte(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    path = tmp_path / "written.graph"
    write_golden_store(str(path))
    written = files_of(path)
    if request.config.getoption("--rewrite-golden"):
        GOLDEN.keep(written)
    stored = GOLDEN.read()

    assert written.keys() == stored.keys()
    for name, data in stored.items():
        # The map counts publications, which are nobody's business but a living process's.
        if name != SHARED_MAP and not GOLDEN.depends_on_zstandard(name):
            assert written[name] == data, name


def test_every_kind_of_file_is_there(golden: lithograph.Graph) -> None:
    stats = golden.stats()

    assert (stats.segment_count, stats.sealed_segment_count, stats.history_count) == (2, 1, 2)
    assert (stats.run_count, stats.wal_file_count) == (2, 1)
    assert stats.memtable_version_count > 0
    assert stats.generation > 2
    assert {name.partition("/")[0] for name in GOLDEN.read()} == {
        "CURRENT",
        "manifest",
        "names",
        "partitions",
        "shared.map",
        "wal",
    }


def test_the_store_is_sound(golden: lithograph.Graph) -> None:
    assert golden.verify() == []
    assert golden.verify(deep=True) == []


def test_the_store_holds_what_was_written(golden: lithograph.Graph) -> None:
    ada = golden.node("Ada")

    numbers = [name for name in NUMBERS if name not in ("n03", "n38")]
    names = [node.name for node in golden.nodes()]
    assert names == ["Ada", "Charles", "gone", *numbers[:36], *numbers[36:], "new", LONG_NAME]
    assert (golden.sequence, golden.node_count, len(names)) == (15, 43, 43)
    assert ada.type == "Person"
    assert ada.observations == ("wrote the first program", "met Charles", "second")
    assert ada.properties == {"born": 1816}
    assert ada.created_at == VALID_FROM
    assert ada.updated_at == datetime(2026, 11, 13, 16, 0, 0, 3, tzinfo=UTC)
    assert golden.node(LONG_NAME).observations == ("x" * 1_500,)
    assert golden.node("n07").observations == ("seen",)
    assert golden.node("gone").id == 44


def test_the_store_holds_the_edges(golden: lithograph.Graph) -> None:
    knows = {(edge.source, edge.target, edge.key): edge for edge in golden.edges(types="knows")}

    assert set(knows) == {
        ("Ada", "Charles", ""),
        ("Ada", "Charles", "k"),
        ("gone", "Charles", ""),
    }
    assert knows["Ada", "Charles", ""].valid_from == VALID_FROM
    assert knows["Ada", "Charles", "k"].properties == {"since": 1834}
    halves = {
        f"n{number:02}": f"n{number // 2:02}"
        for number in range(2, 40)
        if number not in (3, 6, 7, 38)
    }
    found = {edge.source: edge.target for edge in golden.edges(types="half")}
    assert found == halves
    assert golden.neighbors("n02", "in") == ["n04", "n05"]
    assert golden.degree("Charles", "in") == 3
    assert golden.edge_count == len(knows) + len(halves)


def test_the_store_knows_its_past(golden: lithograph.Graph) -> None:
    with golden.as_of(datetime(2026, 10, 31, tzinfo=UTC)) as october:
        assert (october.sequence, october.node_count) == (6, 43)
        assert october.node("Ada").properties == {
            "born": 1815,
            "tags": ["math", None, 0.5, {"a": True}],
        }
        assert october.neighbors("Ada") == ["Ada", "Charles", "Charles"]
        assert "n03" in october
        assert "gone" not in october
    with golden.as_of(5) as before:
        assert before.neighbors("gone") == ["Ada"]

    assert [change.sequence for change in golden.history("Ada")] == [2, 3, 9, 10, 11]
    gone = [(change.sequence, change.node is not None) for change in golden.history("gone")]
    assert gone == [(4, True), (6, False), (7, True)]
    ended = [
        (change.source, change.target)
        for change in golden.changes(since=8, until=9)
        if isinstance(change, EdgeChange) and change.edge is None
    ]
    assert sorted(ended) == [("n03", "n01"), ("n06", "n03"), ("n07", "n03")]


def test_the_store_can_be_written_on(unpacked: Path) -> None:
    with lithograph.open(unpacked) as graph:
        graph.put_edge("Ada", "knows", "new")
        graph.compact()

        assert graph.neighbors("Ada", types="knows") == ["Charles", "Charles", "new"]
        assert graph.verify(deep=True) == []
    with lithograph.open(unpacked, mode="r") as graph:
        assert graph.neighbors("Ada", types="knows") == ["Charles", "Charles", "new"]
