"""Every limit of DESIGN, section 8: what is kept as given, what is refused with nothing written."""

from __future__ import annotations

import enum
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import Any

import numpy as np
import pytest

import lithograph
from lithograph import Graph, InvalidArgumentError
from lithograph.environment import Environment
from lithograph.files import OsFiles
from lithograph.graph.engine import Engine
from lithograph.maintenance.creation import prepare_locks
from lithograph.options import Options, Tuning

LARGE = "x" * 65_535
TEXTS = (
    "a",
    "\0",
    "a\0b",
    " ",
    "\n",
    "'\"\\",
    "../../etc/passwd",
    "é",
    "e\u0301",
    "\u200b",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "名前",
    "".join(map(chr, range(256))),
    LARGE,
    "é" * 32_767,
    "\U0001f600" * 16_383,
)
SURROGATES = ("\ud800", "ok\udfff", "\ud83d\ude00" + "x")
TOO_LONG = (LARGE + "x", "é" * 32_768, "\U0001f600" * 16_384)


class Color(enum.IntEnum):
    RED = 1


class Name(enum.StrEnum):
    ADA = "Ada"


class OwnStr(str):
    __slots__ = ()


class OwnDict(dict[str, int]):
    pass


BAD_TEXTS: tuple[Any, ...] = (
    *SURROGATES,
    *TOO_LONG,
    None,
    1,
    b"a",
    ["a"],
    OwnStr("a"),
    Name.ADA,
)


@pytest.fixture
def g(tmp_path: Path) -> Iterator[Graph]:
    with lithograph.open(tmp_path / "limits.graph", durability="off") as graph:
        graph.put_edge("a", "T", "b", key="k", create_missing=True)
        yield graph


@contextmanager
def refused(g: Graph, match: str | None = None) -> Iterator[None]:
    """Assert that the block raises InvalidArgumentError and writes nothing."""
    root = Path(g._engine.files.root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    sequence = g.sequence
    with pytest.raises(InvalidArgumentError, match=match) as caught:
        yield
    assert isinstance(caught.value, ValueError)
    assert g.sequence == sequence
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer: for what must be refused without walking through it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not refused within {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


# Texts -----------------------------------------------------------------------------------------


def test_texts_are_kept_exactly_as_given(tmp_path: Path) -> None:
    path = tmp_path / "texts.graph"
    with lithograph.open(path) as g:
        for text in TEXTS:
            g.put_node(text, type=text, observations=[text, ""], properties={text: text, "": ""})
            g.put_edge(text, text, text, key=text)
    with lithograph.open(path, mode="r") as g:
        assert g.node_count == g.edge_count == len(TEXTS)
        for text in TEXTS:
            node = g.node(text)
            assert (node.name, node.type, node.observations) == (text, text, (text, ""))
            assert node.properties == {text: text, "": ""}
            assert g.get_edge(text, text, text, key=text) is not None
        assert [n.name for n in g.nodes()] == sorted(TEXTS, key=str.encode)


@pytest.mark.parametrize("bad", BAD_TEXTS, ids=range(len(BAD_TEXTS)))
def test_names_types_and_keys_are_str_of_65535_bytes(g: Graph, bad: Any) -> None:
    for call in (
        lambda: g.put_node(bad),
        lambda: g.put_edge(bad, "T", "b", create_missing=True),
        lambda: g.put_edge("a", "T", bad, create_missing=True),
        lambda: g.put_edge("a", bad, "b"),
        lambda: g.put_edge("a", "T", "b", key=bad),
        lambda: g.delete_edge("a", bad, "b"),
        lambda: g.delete_edge("a", "T", "b", key=bad),
        lambda: g.delete_node(bad),
        lambda: g.add_observations(bad, ["x"]),
        lambda: g.remove_observations(bad, ["x"]),
        lambda: g.update_properties(bad, {"k": 1}),
        lambda: g.get_node(bad),
        lambda: g.node(bad),
        lambda: g.node_id(bad),
        lambda: g.node_ids(["a", bad]),
        lambda: g.get_edge("a", "T", bad),
    ):
        with refused(g):
            call()
    if bad is not None:
        with refused(g):
            g.put_node("a", type=bad)


def test_a_name_has_a_byte_at_least(g: Graph) -> None:
    for call in (
        lambda: g.put_node(""),
        lambda: g.put_edge("", "T", "b", create_missing=True),
        lambda: g.put_edge("a", "T", "", create_missing=True),
        lambda: g.delete_node(""),
        lambda: g.get_node(""),
    ):
        with refused(g, "empty"):
            call()


def test_long_observations_are_kept_and_odd_ones_refused(g: Graph) -> None:
    g.put_node("a", observations=("y" * 10**6, "", "\0"))
    assert g.node("a").observations == ("y" * 10**6, "", "\0")

    bad: Any
    for bad in ("text", b"text", 1, [1], [None], ["\ud800"], ["ok", b"x"], [OwnStr("x")]):
        with refused(g):
            g.put_node("a", observations=bad)
        with refused(g):
            g.add_observations("a", bad)
        with refused(g):
            g.remove_observations("a", bad)
        with refused(g):
            g.update_properties("a", {}, remove=bad)


# Properties ------------------------------------------------------------------------------------


def nested(depth: int, leaf: Any = 1) -> dict[str, Any]:
    """Return a property map with maps and lists in each other, `depth` in all."""
    value = leaf
    for level in range(depth - 1):
        value = {"k": value} if level % 2 else [value]
    return {"k": value}


GOOD: list[dict[str, Any]] = [
    {},
    {"n": None, "t": True, "f": False, "": {}},
    {f"i{n}": n for b in (0, 7, 8, 15, 16, 31, 32, 53, 62, 63) for n in (2**b - 1, 2**b, -(2**b))},
    {"max": 2**64 - 1, "min": -(2**63)},
    {"zero": -0.0, "tiny": 5e-324, "huge": 1.7976931348623157e308, "whole": 1.0},
    {"list": [], "map": {}, "deep": [[[{"k": [None, True, 1, 1.5, "é\0"]}]]]},
    nested(64),
    {str(n): n for n in range(70_000)},
]


@pytest.mark.parametrize("good", GOOD, ids=range(len(GOOD)))
def test_properties_come_back_equal_with_their_types(g: Graph, good: dict[str, Any]) -> None:
    g.put_node("a", properties=good)
    g.put_edge("a", "T", "b", properties=good)
    g.put_node("b")
    g.update_properties("b", good)
    edge = g.get_edge("a", "T", "b")

    assert edge is not None
    for found in (g.node("a").properties, edge.properties, g.node("b").properties):
        assert repr(found) == repr(good)  # 1 == 1.0 == True, and 0.0 == -0.0, but not shown alike.


BAD_VALUES: dict[str, Any] = {
    "2**64": 2**64,
    "-2**63-1": -(2**63) - 1,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "tuple": (1, 2),
    "set": {1},
    "bytes": b"x",
    "bytearray": bytearray(b"x"),
    "complex": 1j,
    "decimal": Decimal(1),
    "datetime": datetime(2020, 1, 1, tzinfo=UTC),
    "date": date(2020, 1, 1),
    "int enum": Color.RED,
    "str enum": Name.ADA,
    "own str": OwnStr("x"),
    "own dict": OwnDict(k=1),
    "numpy int": np.int64(1),
    "numpy float": np.float64(1.0),
    "numpy bool": np.bool_(True),
    "array": np.zeros(2),
    "object": object(),
    "surrogate": "\ud800",
    "surrogate key": {"\ud800": 1},
    "int key": {1: 1},
    "none key": {None: 1},
    "bytes key": {b"k": 1},
    "str enum key": {Name.ADA: 1},
}


@pytest.mark.parametrize("bad", BAD_VALUES.values(), ids=BAD_VALUES)
def test_other_values_are_refused_at_any_depth(g: Graph, bad: Any) -> None:
    for properties in ({"k": bad}, {"ok": 1, "k": [1, bad]}, {"k": {"l": [{"m": bad}]}}):
        with refused(g):
            g.put_node("new", properties=properties)
        with refused(g):
            g.put_edge("a", "T", "b", properties=properties)
        with refused(g):
            g.update_properties("a", properties)


BAD_MAPS: tuple[Any, ...] = (
    "text",
    [("k", 1)],
    1,
    {1: 1},
    {None: 1},
    {"\ud800": 1},
    {OwnStr("k"): 1},
)


@pytest.mark.parametrize("bad", BAD_MAPS, ids=range(len(BAD_MAPS)))
def test_a_property_map_is_a_mapping_of_str(g: Graph, bad: Any) -> None:
    with refused(g):
        g.put_node("new", properties=bad)
    with refused(g):
        g.update_properties("a", bad)


def test_any_mapping_is_taken_and_copied(g: Graph) -> None:
    given = {"k": [1]}
    with g.transaction() as tx:
        tx.put_node("a", properties=MappingProxyType(given))
        given["k"].append(2)

    assert g.node("a").properties == {"k": [1]}


def test_depth_65_and_values_that_hold_themselves_are_refused(g: Graph) -> None:
    own_list: list[Any] = []
    own_list.append(own_list)
    own_map: dict[str, Any] = {}
    own_map["k"] = own_map
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for properties in (nested(65), nested(65, []), {"k": own_list}, own_map, {"k": deep}):
        with refused(g, "64"):
            g.put_node("new", properties=properties)


@pytest.mark.parametrize("kind", ["doubling", "wide", "texts", "observations"])
def test_shared_values_that_would_fill_the_memory_are_refused_at_once(g: Graph, kind: str) -> None:
    """A few kilobytes that stand for gigabytes ("billion laughs")."""
    laughs: Any = []
    if kind == "doubling":
        for _ in range(60):
            laughs = [laughs, laughs]
    elif kind == "wide":
        laughs = [[[0] * 10_000] * 10_000] * 10_000
    elif kind == "texts":
        laughs = ["x" * 10**6] * 1000
    with refused(g), within(5):
        if kind == "observations":
            g.put_node("new", observations=["x" * 10**6] * 10**5)
        else:
            g.put_node("new", properties={"k": laughs})


# Times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [datetime(2020, 1, 1), date(2020, 1, 1), 0, 1.5, "2020-01-01"])
def test_times_are_aware_datetimes(g: Graph, bad: Any) -> None:
    for call in (
        lambda: g.put_node("new", created_at=bad),
        lambda: g.put_edge("a", "T", "b", created_at=bad),
        lambda: g.put_edge("a", "T", "b", valid_from=bad),
        lambda: g.put_edge("a", "T", "b", valid_to=bad),
        lambda: bool(g.transaction(at=bad)),
    ):
        with refused(g):
            call()


# Size ------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Graph]:
    """A graph whose transactions may take 4 KiB."""
    files = OsFiles.create_root(str(tmp_path / "small.graph"))
    prepare_locks(files)
    options = Options(durability="off", tuning=Tuning(transaction_bytes_max=4096))
    engine = Engine(files, Environment(), options)
    yield Graph(engine, writable=True)
    engine.close()


def test_a_transaction_above_its_limit_names_bulk_load(small: Graph) -> None:
    with refused(small, "bulk_load"):
        small.put_node("new", observations=["x" * 5000])
    with refused(small, "bulk_load"):
        small.put_node("new", properties={"k": "x" * 5000})
    with refused(small, "bulk_load"), small.transaction() as tx:
        for number in range(500):
            tx.put_node(f"node {number}")
    with refused(small, "bulk_load"), small.transaction() as tx:
        for number in range(500):
            tx.put_edge("a", "T", "b", key=str(number), create_missing=True)
    small.put_node("new", observations=["x" * 3000])
    assert small.node_count == 1


def test_deleting_a_hub_is_exempt_from_the_limit(small: Graph) -> None:
    small.put_node("hub")
    for start in range(0, 1000, 25):
        with small.transaction() as tx:
            for number in range(start, start + 25):
                tx.put_edge("hub", "T", str(number), key="k" * 20, create_missing=True)
    assert small.degree("hub") == 1000

    assert small.delete_node("hub")
    assert (small.node_count, small.edge_count) == (1000, 0)
