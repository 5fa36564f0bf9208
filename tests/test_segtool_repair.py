"""segtool repair: a new store of what is left, a report of what is not, and nothing half done."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lithograph
from lithograph.errors import CorruptionError
from lithograph.tools.commands.repair_answer import RepairAnswer
from lithograph.tools.mending import rewrite
from lithograph.tools.segtool import main


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "damaged"
    with lithograph.open(path, durability="off") as graph:
        for number in range(300):
            text = f"words of {number} " + "x" * (number % 50)
            graph.put_node(f"node {number}", type="T", observations=[text])
        for number in range(1, 300):
            graph.put_edge(f"node {number}", "to", f"node {number // 2}", properties={"n": number})
        graph.checkpoint()
    return path


def spoil(store: Path, pattern: str, offset: int, size: int = 1) -> None:
    file = next(store.rglob(pattern))
    data = bytearray(file.read_bytes())
    for place in range(offset, offset + size):
        data[place] ^= 0xA5
    file.write_bytes(data)


def spoil_text(store: Path) -> int:
    """Damage what the segment says of a node; return where."""
    place = next(store.rglob("*.seg")).read_bytes().index(b"words of 150 ")
    spoil(store, "*.seg", place, 20)
    return place


def repair(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, RepairAnswer]:
    code = main(["repair", *map(str, words), "--json"])
    return code, msgspec.json.decode(capsys.readouterr().out, type=RepairAnswer)


def image(path: Path) -> dict[str, bytes]:
    files = (file for file in path.rglob("*") if file.is_file() and "locks" not in file.parts)
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_a_sound_store_is_copied_whole(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = store.with_name("new")
    code, answer = repair(capsys, "--store", store, "--to", to)

    assert code == 0
    assert answer.is_complete()
    assert (answer.node_count, answer.edge_count, answer.commit_count) == (300, 299, 599)
    with lithograph.open(to) as graph:
        assert graph.node_count == 300
        assert graph.verify(deep=True) == []


def test_what_is_lost_is_listed_and_the_rest_is_there(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = spoil_text(store)
    before = image(store)
    planned_code, planned = repair(capsys, "--store", store, "--dry-run")
    to = store.with_name("new")
    code, answer = repair(capsys, "--store", store, "--to", to)

    assert (code, planned_code) == (1, 1)
    assert answer.lost_node_count == 300 - answer.node_count > 0
    assert planned.lost_nodes == answer.lost_nodes
    assert planned.lost_edges == answer.lost_edges
    assert (planned.to, planned.edge_count, planned.commit_count) == (None, None, 0)
    assert answer.damage[0].path.endswith(".seg")
    assert answer.damage[0].offset == place // 4096 * 4096
    assert image(store) == before
    with lithograph.open(to) as graph:
        for node in answer.lost_nodes:
            assert node.name is not None
            assert node.name not in graph
        for edge in answer.lost_edges:
            ends = {node.name for node in answer.lost_nodes}
            assert edge.source in ends or edge.target in ends
        assert graph.verify(deep=True) == []


def test_rows_in_a_pipe_tell_figures_and_losses(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil_text(store)
    assert main(["repair", "--store", str(store), "--dry-run", "--limit", "2"]) == 1
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    assert all(len(row) == 3 for row in rows)
    assert [row[0] for row in rows if row[0] == "lost_node_count"] == ["lost_node_count"]
    assert len([row for row in rows if row[0] == "lost node"]) == 2
    assert "-to-> node " in next(row[1] for row in rows if row[0] == "lost edge")


def test_nothing_to_be_had_is_said_and_leaves_nothing(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("*.manifest", "*.wal", "*.seg"):
        for file in store.rglob(kind):
            file.write_bytes(b"\0" * 5000)
    (store / "CURRENT").write_bytes(b"\0" * 8192)
    to = store.with_name("new")

    assert main(["repair", "--store", str(store), "--to", str(to)]) == 5
    assert "nothing can be had" in capsys.readouterr().err
    assert [entry.name for entry in store.parent.iterdir()] == ["damaged"]


@pytest.mark.parametrize("words", [[], ["--to", "{to}", "--dry-run"]])
def test_where_to_is_asked_for_once(
    store: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    words = [word.format(to=store.with_name("new")) for word in words]

    assert main(["repair", "--store", str(store), *words]) == 2
    assert "--to DIR" in capsys.readouterr().err


def test_a_store_is_not_repaired_in_place_nor_over_anything(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = image(store)

    assert main(["repair", "--store", str(store), "--to", str(store)]) == 5
    assert "is there already" in capsys.readouterr().err
    assert image(store) == before


def test_a_store_that_is_open_elsewhere_is_left_alone(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lithograph.open(store):
        assert main(["repair", "--store", str(store), "--dry-run"]) == 3
    assert "close it there" in capsys.readouterr().err


def test_an_interrupted_repair_leaves_nothing(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    to = store.with_name("new")
    plain = rewrite.Rewrite._put_edge
    count = 0

    def interrupted(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == 100:
            raise KeyboardInterrupt
        plain(*arguments)

    monkeypatch.setattr(rewrite.Rewrite, "_put_edge", interrupted)
    assert main(["repair", "--store", str(store), "--to", str(to)]) == 130
    assert [entry.name for entry in store.parent.iterdir()] == ["damaged"]

    monkeypatch.undo()
    assert repair(capsys, "--store", store, "--to", to)[0] == 0


def test_a_store_that_no_longer_opens_opens_when_it_is_repaired(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(store / "manifest")
    data = bytearray((store / "CURRENT").read_bytes())
    data[70] ^= 1
    data[4096 + 70] ^= 1
    (store / "CURRENT").write_bytes(data)
    with pytest.raises(CorruptionError):
        lithograph.open(store)
    code, answer = repair(capsys, "--store", store, "--to", store.with_name("new"))

    assert code == 1
    assert (answer.node_count, answer.edge_count) == (300, 299)
    assert answer.lost_types == [0, 1]


def test_control_characters_of_names_do_not_reach_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "store"
    with lithograph.open(path) as graph:
        graph.put_node("\x1b[2Jgone")
        graph.checkpoint()
    next(path.rglob("*.seg")).unlink()

    assert main(["repair", "--store", str(path), "--dry-run"]) == 1
    shown = capsys.readouterr().out
    assert "\\u001b[2Jgone" in shown
    assert "\x1b" not in shown
