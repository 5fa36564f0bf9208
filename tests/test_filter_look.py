"""A filter that is as full as its size says is nothing to tell; one that is not is told."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import lithograph
from lithograph.formats.split_block_filter import (
    FILTER_BLOCK_SIZE,
    add_digest,
    block_count_for,
    block_index,
    may_hold,
)
from lithograph.segments import filter_builder
from lithograph.tools.filter_look import FilterLook, look_at
from lithograph.tools.segtool import main


class Bits:
    """Stands in for a `FilterReader` over bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.block_count = len(data) // FILTER_BLOCK_SIZE

    def sample(self, count: int) -> bytes:
        return self.data[-count * FILTER_BLOCK_SIZE :]


def filter_of(name_count: int, block_count: int, missing: float = 0) -> Bits:
    rng = random.Random(7)
    bits = bytearray(FILTER_BLOCK_SIZE * block_count)
    for _ in range(name_count):
        if rng.random() >= missing:
            add_digest(bits, rng.getrandbits(64))
    return Bits(bytes(bits))


def looked(bits: Bits, entry_count: int) -> FilterLook:
    return look_at(bits, "path", entry_count, is_run=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1_000, 3_000, 20_000])
def test_a_filter_of_the_usual_size_is_nothing_to_tell(count: int) -> None:
    found = looked(filter_of(count, block_count_for(count)), count)

    assert not found.is_too_empty
    assert not found.is_too_full
    assert found.fullness == pytest.approx(found.fullness_usual, rel=0.03)


def test_what_passes_is_what_would_pass() -> None:
    bits = filter_of(5_000, 60)
    found = looked(bits, 5_000)
    rng = random.Random(8)
    passed = 0
    for _ in range(20_000):
        digest = rng.getrandbits(64)
        start = block_index(digest, 60) * FILTER_BLOCK_SIZE
        passed += may_hold(bits.data[start : start + FILTER_BLOCK_SIZE], digest)

    assert found.is_too_full
    assert found.passing == pytest.approx(passed / 20_000, rel=0.1)


@pytest.mark.parametrize(("missing", "is_told"), [(0.02, False), (0.3, True), (1, True)])
def test_names_that_are_missing_are_told(missing: float, is_told: bool) -> None:
    found = looked(filter_of(5_000, block_count_for(5_000), missing), 5_000)

    assert found.is_too_empty == is_told
    assert not found.is_too_full


def test_the_doctor_tells_of_filters_that_are_too_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.graph"
    with lithograph.open(path, durability="off") as graph:
        with graph.transaction() as tx:
            for number in range(2_000):
                tx.put_node(f"node {number}")
        graph.checkpoint()
        with monkeypatch.context() as patch:
            patch.setattr(filter_builder, "block_count_for", lambda count: count // 100)
            with graph.transaction() as tx:
                for number in range(2_000):
                    tx.put_node(f"node {number}", type="T")
                    tx.put_node(f"other {number}")
            graph.checkpoint()
    code = main(["doctor", "--store", str(path), "--json"])
    answer = json.loads(capsys.readouterr().out)
    told = [advice["what"].split(" of absent")[0] for advice in answer["advice"]]

    assert (code, answer["verdict"]) == (1, "ailing")
    assert sorted(what.split("/")[0] for what in told) == ["names", "partitions"]
    assert all("the filter lets" in what for what in told)
