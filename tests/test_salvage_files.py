"""Salvage where whole files are damaged, missing or not to be trusted."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph import Graph
from lithograph.environment import Environment
from lithograph.errors import FormatVersionError, NotAStoreError
from lithograph.files import OsFiles
from lithograph.graph.engine import open_engine
from lithograph.maintenance.salvage import Salvage
from lithograph.options import Options, Tuning
from lithograph.tools.mending.rewrite import Rewrite
from lithograph.tools.testing.machine import Contents, contents_of

_NOW = 4_000_000_000_000_000


def open_graph(path: Path) -> Graph:
    tuning = Tuning(background=False, compaction=False, close_wal_bytes_max=2**30)
    options = Options(durability="off", tuning=tuning)
    return Graph(open_engine(OsFiles.create_root(str(path)), Environment(), options), writable=True)


def fill(graph: Graph) -> None:
    """Leave two segments, two runs, a history, and six commits in the log."""
    for flush in range(2):
        for number in range(8):
            with graph.transaction() as tx:
                tx.put_node(f"{flush}-{number}", type=f"T{flush}", observations=[f"{number}"])
                tx.put_edge(f"{flush}-{number}", "to", "0-0", create_missing=True)
        graph.add_observations("0-1", [f"again {flush}"])
        graph.delete_node(f"{flush}-7")
        graph.checkpoint()
    for number in range(5):
        graph.put_node(f"late {number}", type="Late", properties={"n": number})
    graph.put_edge("late 0", "to", "0-0")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    path = tmp_path_factory.mktemp("sound") / "store"
    with open_graph(path) as graph:
        fill(graph)
        contents = contents_of(graph)
        graph._engine.close()
    return path, contents


@pytest.fixture
def store(sound: tuple[Path, Contents], tmp_path: Path) -> Path:
    path = tmp_path / "damaged"
    shutil.copytree(sound[0], path)
    return path


def mend(path: Path) -> tuple[Contents, Rewrite, Salvage]:
    """Return what comes back, and what is said to be lost."""
    files = OsFiles(str(path))
    salvage = Salvage(files)
    with open_graph(path.with_name("mended")) as graph:
        rewrite = Rewrite(salvage, graph, _NOW)
        rewrite.run()
        assert graph.verify(deep=True) == []
        contents = contents_of(graph)
        graph._engine.close()
    salvage.close()
    files.close()
    return contents, rewrite, salvage


def names_of(contents: Contents) -> set[str]:
    nodes: Any = contents[0]
    return {node[0] for node in nodes}


def one(path: Path, pattern: str, number: int = 0) -> Path:
    return sorted(path.rglob(pattern))[number]


def flip(file: Path, offset: int, bits: int = 0x10) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= bits
    file.write_bytes(data)


def test_both_slots_of_current_may_be_rotten(store: Path, sound: tuple[Path, Contents]) -> None:
    flip(store / "CURRENT", 70)
    flip(store / "CURRENT", 4096 + 70)
    contents, rewrite, salvage = mend(store)

    assert contents == sound[1]
    assert [damage.part for damage in salvage.findings.damage] == ["CURRENT", "CURRENT"]
    assert not rewrite.lost.nodes
    assert not salvage.findings.commits


def test_current_may_be_missing(store: Path, sound: tuple[Path, Contents]) -> None:
    (store / "CURRENT").unlink()

    assert mend(store)[0] == sound[1]


@pytest.mark.parametrize("offset", [3, 64, 100, 150, -100, -1])
def test_one_wrong_byte_of_the_manifest_is_put_right(
    store: Path, sound: tuple[Path, Contents], offset: int
) -> None:
    flip(one(store, "*.manifest", -1), offset)
    contents, _, salvage = mend(store)

    assert contents == sound[1]
    assert salvage.manifest is not None
    assert not salvage.findings.types


def test_without_a_manifest_only_names_of_types_are_lost(
    store: Path, sound: tuple[Path, Contents]
) -> None:
    for manifest in store.rglob("*.manifest"):
        manifest.unlink()
    contents, rewrite, salvage = mend(store)

    assert names_of(contents) == names_of(sound[1])
    assert len(contents[1]) == len(sound[1][1])  # type: ignore[arg-type]
    # The log still says what "Late" is.
    assert sorted(salvage.findings.types) == [0, 1, 2]
    assert not rewrite.lost.nodes
    with lithograph.open(store.with_name("mended"), mode="r") as graph:
        assert graph.node("late 1").type == "Late"
        assert graph.node("0-1").type.startswith("lost type ")


def test_a_log_that_a_flush_left_behind_names_types(tmp_path: Path) -> None:
    """The process died before it removed it; its commits are in a segment."""
    store = tmp_path / "store"
    with open_graph(store) as graph:
        graph.put_node("early", type="First")
        graph.put_node("next", type="Second")
        logs = {path: path.read_bytes() for path in (store / "wal").iterdir()}
        graph.checkpoint()
        expected = names_of(contents_of(graph))
        graph._engine.close()
    for path, data in logs.items():
        assert not path.exists()
        path.write_bytes(data)
    for manifest in store.rglob("*.manifest"):
        manifest.unlink()
    contents, _, salvage = mend(store)

    assert names_of(contents) == expected
    assert not salvage.findings.types
    with lithograph.open(store.with_name("mended"), mode="r") as graph:
        assert (graph.node("early").type, graph.node("next").type) == ("First", "Second")


@pytest.mark.parametrize("pattern", ["*.seg", "*.his", "*.run"])
@pytest.mark.parametrize("back", [1, 9, 20, 41, 48, 49, 100, 300])
def test_one_wrong_byte_of_a_footer_is_put_right(
    store: Path, sound: tuple[Path, Contents], pattern: str, back: int
) -> None:
    flip(one(store, pattern), -back)
    contents, rewrite, salvage = mend(store)

    assert contents == sound[1]
    assert not rewrite.lost.nodes
    assert not salvage.findings.past


def test_runs_are_not_needed(store: Path, sound: tuple[Path, Contents]) -> None:
    for run in store.rglob("*.run"):
        run.unlink()
    contents, _, salvage = mend(store)

    assert contents == sound[1]
    assert salvage.findings.damage == []


def test_without_a_history_only_the_past_is_lost(store: Path, sound: tuple[Path, Contents]) -> None:
    for history in store.rglob("*.his"):
        history.unlink()
    contents, rewrite, salvage = mend(store)

    assert contents == sound[1]
    assert salvage.findings.past
    assert not rewrite.lost.nodes


def test_a_segment_that_is_gone_is_told_by_names_and_commits(
    store: Path, sound: tuple[Path, Contents]
) -> None:
    one(store, "*.seg", 0).unlink()
    contents, rewrite, salvage = mend(store)

    lost = {name for name in names_of(sound[1]) if name.startswith("0-")}
    assert names_of(contents) == names_of(sound[1]) - lost
    assert lost <= set(rewrite.lost.named(rewrite.lost.nodes))
    assert salvage.findings.commits == [(1, 10)]
    # The edge is in the log, its target is gone: it is listed, and no node made up for it.
    assert ("late 0", "to", "0-0", "") in set(rewrite.lost.named_edges(rewrite.lost.edges))
    assert contents[1] == ()


def test_a_newer_segment_that_is_gone_leaves_the_older_state(
    store: Path, sound: tuple[Path, Contents]
) -> None:
    one(store, "*.seg", 1).unlink()
    contents, rewrite, salvage = mend(store)

    assert {name for name in names_of(sound[1]) if not name.startswith("1-")} <= names_of(contents)
    assert salvage.findings.commits == [(11, 20)]
    assert "1-3" in set(rewrite.lost.named(rewrite.lost.nodes))


def test_the_log_goes_on_behind_what_is_torn_out_of_it(
    store: Path, sound: tuple[Path, Contents]
) -> None:
    log = one(store, "*.wal", -1)
    flip(log, 128 + 30)
    contents, rewrite, salvage = mend(store)

    assert names_of(contents) == names_of(sound[1]) - {"late 0"}
    assert salvage.findings.commits == [(21, 21)]
    # Its first record made "late 0": the edge that leaves it is told, not invented.
    assert [edge[1:] for edge in rewrite.lost.named_edges(rewrite.lost.edges)] == [
        ("to", "0-0", "")
    ]


def test_the_header_of_a_log_may_be_damaged(store: Path, sound: tuple[Path, Contents]) -> None:
    flip(one(store, "*.wal", -1), 70)

    assert mend(store)[0] == sound[1]


@pytest.mark.parametrize("size", [None, 0, 64, 300])
def test_a_log_that_is_gone_or_cut_is_told(tmp_path: Path, size: int | None) -> None:
    path = tmp_path / "closed well"
    with lithograph.open(path) as graph:
        for number in range(5):
            graph.put_node(f"late {number}", type="Late")
    log = one(path, "*.wal")
    if size is None:
        log.unlink()
    else:
        log.write_bytes(log.read_bytes()[:size])
    contents, _, salvage = mend(path)

    assert len(names_of(contents)) < 2
    assert salvage.findings.log_size_bytes > 0


def test_a_log_that_is_gone_with_current_is_told(store: Path) -> None:
    (store / "CURRENT").unlink()
    one(store, "*.wal", -1).unlink()
    contents, _, salvage = mend(store)

    assert not {name for name in names_of(contents) if name.startswith("late")}
    assert salvage.findings.log_size_bytes > 0


def test_a_torn_tail_is_no_loss(store: Path, sound: tuple[Path, Contents]) -> None:
    with one(store, "*.wal", -1).open("ab") as log:
        log.write(random.Random(1).randbytes(500))
    contents, _, salvage = mend(store)

    assert contents == sound[1]
    assert salvage.findings.damage == []


def test_a_file_of_another_store_is_not_taken_for_its_own(store: Path, tmp_path: Path) -> None:
    with open_graph(tmp_path / "other") as graph:
        graph.put_node("stranger")
        graph.checkpoint()
        graph._engine.close()
    theirs, ours = one(tmp_path / "other", "*.seg"), one(store, "*.seg", 1)
    ours.write_bytes(theirs.read_bytes())
    contents, _, salvage = mend(store)

    assert "stranger" not in names_of(contents)
    assert salvage.findings.commits == [(11, 20)]


def test_the_past_comes_along(store: Path, sound: tuple[Path, Contents]) -> None:
    with lithograph.open(sound[0], mode="r") as graph:
        history = [(change.time, change.node) for change in graph.history("0-1")]
    mend(store)

    with lithograph.open(store.with_name("mended"), mode="r") as graph:
        again = [(change.time, change.node) for change in graph.history("0-1")]
        assert [time for time, _ in again] == [time for time, _ in history]
        assert [n and n.observations for _, n in again] == [
            n and n.observations for _, n in history
        ]
        time = history[0][0]
        with graph.as_of(time) as then:
            assert then.node("0-1").observations == ("1",)


def test_a_directory_with_nothing_of_a_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("buy milk")

    with pytest.raises(NotAStoreError, match="nothing of a store"):
        Salvage(OsFiles(str(tmp_path / "notes")))


def test_a_store_of_a_newer_version_is_left_to_it(store: Path) -> None:
    import xxhash

    for slot in (0, 4096):
        data = bytearray((store / "CURRENT").read_bytes())
        data[slot + 8] = 99
        data[slot + 56 : slot + 64] = xxhash.xxh64_digest(bytes(data[slot : slot + 56]))[::-1]
        (store / "CURRENT").write_bytes(data)

    with pytest.raises(FormatVersionError):
        Salvage(OsFiles(str(store)))
