"""The quick way of the deep check finds a store sound exactly where the careful one does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tampering import Tamper, edge, entering, node, opened, verify, without

from lithograph import Graph
from lithograph.formats.node_patch import NodePatch
from lithograph.kernel import survey
from lithograph.maintenance import verify as verify_module
from lithograph.maintenance import verify_quick
from lithograph.maintenance.verify_graph import GraphCheck
from lithograph.maintenance.verify_plain import is_plainly_sound
from lithograph.segments import survey as survey_module
from lithograph.segments.slice import Mark

pytestmark = pytest.mark.skipif(survey is None, reason="the quick way is the kernel's")

NODE_COUNT = 300
HUB = 7


def fill(graph: Graph) -> None:
    """More than a block of everything, a hub with an index, records out of line, of several
    commits."""
    for start in range(0, NODE_COUNT, 100):
        with graph.transaction() as tx:
            for number in range(start, start + 100):
                kind = f"t{number % 5}" if number % 3 else ""
                tx.put_node(f"n{number}", type=kind, observations=["x" * (number % 40)])
        with graph.transaction() as tx:
            for number in range(1, start + 100):
                tx.put_edge(f"n{number}", f"e{start}", f"n{number // 2}")
                tx.put_edge(f"n{HUB}", f"h{start}", f"n{number}")
    graph.put_node("large", observations=["y" * 5_000], properties={"a": [1, {"b": None}]})


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "store"
    with opened(path) as graph:
        fill(graph)
        graph.compact()
    return path


@pytest.fixture
def path(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "store"))


def ways(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str], list[str]]:
    """Return whether the quick way was enough, what was found, and what the careful way finds."""
    enough = []
    real = is_plainly_sound

    def noted(*arguments: Any) -> bool:
        enough.append(real(*arguments))
        return enough[-1]

    with monkeypatch.context() as patch:
        patch.setattr(verify_quick, "is_plainly_sound", noted)
        patch.setattr(verify_quick, "is_sound", lambda *arguments: False)
        found = sorted(map(str, verify(path)))
    with monkeypatch.context() as patch:
        patch.setattr(verify_module, "names_of", lambda manifest: None)
        careful = sorted(map(str, verify(path)))
    return enough == [True], found, careful


def test_a_plain_store_is_found_sound_without_the_careful_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ways(path, monkeypatch) == (True, [], [])
    monkeypatch.setattr(GraphCheck, "_scan_edges", None)
    assert verify(path) == []


@pytest.mark.parametrize("stretch", [128, 256])
def test_stretches_join_without_a_seam(
    path: Path, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    monkeypatch.setattr(survey_module, "STRETCH", stretch)

    assert ways(path, monkeypatch) == (True, [], [])


def made_by(before: int, after: int) -> Any:
    """Let an edge that one commit made be made by another one."""

    def changed(found: Any) -> Any:
        version = found.version
        if version.sequence != before:
            return found
        return found._replace(version=version._replace(sequence=after, born_sequence=after))

    return changed


def swapped(found: list[Any]) -> list[Any]:
    """Let an edge be older than its source, and another one younger, so that counts are right."""
    older: list[Any] = edge(250, 125, made_by(6, 2))(found)
    younger: list[Any] = edge(1, 0, made_by(2, 6))(older)
    return younger


def kind(code: int) -> Any:
    return lambda found: found._replace(adjacent=(code, *found.adjacent[1:]))


def typed(code: int) -> Any:
    return lambda end, old: (end._replace(change=NodePatch(type_code=code)), old)


def entering_as(code: int) -> Any:
    """Change the type of the edge 250 -> 125 as its target sees it."""

    def changed(found: list[Any]) -> list[Any]:
        return [
            (
                target,
                sorted(
                    (
                        (code, *adjacent[1:]) if (adjacent[1], target) == (250, 125) else adjacent,
                        *rest,
                    )
                    for adjacent, *rest in edges
                ),
            )
            for target, edges in found
        ]

    return changed


def both(source: int, target: int) -> dict[str, Any]:
    """Leave an edge out in both directions."""
    gone = {"edges": edge(source, target, lambda found: None)}
    return gone | {"incoming": entering(source, target, None)}


def shifted(found: list[Any]) -> list[Any]:
    """Change the counts of one commit."""
    return [(*row[:3], row[3] + (row[0] == 3)) for row in found]


HARMS: dict[str, Callable[[Tamper], object]] = {
    "edge that is only entered": lambda t: t.segment(0, edges=edge(250, 125, lambda e: None)),
    "edge that is only left": lambda t: t.segment(0, incoming=entering(250, 125, None)),
    "edge of two types": lambda t: t.segment(0, incoming=entering_as(2)),
    "edge of an unknown type": lambda t: t.segment(
        0, edges=edge(250, 125, kind(99)), incoming=entering_as(99)
    ),
    "edge that nobody counted": lambda t: t.segment(0, **both(250, 125)),
    "edge older than its source": lambda t: t.segment(0, edges=swapped),
    "edge of another commit": lambda t: t.segment(0, edges=edge(250, 125, made_by(6, 7))),
    "edge that changes what is older": lambda t: t.segment(
        0,
        edges=edge(250, 125, lambda e: e._replace(mark=Mark.CHANGED)),
        incoming=entering(250, 125, Mark.CHANGED),
    ),
    "node of an unknown type": lambda t: t.segment(0, nodes=node(9, typed(99))),
    "node that is missing": lambda t: t.segment(0, nodes=without(9), names=without(9)),
    "node without a name": lambda t: t.segment(0, names=without(9)),
    "node that was changed, not made": lambda t: t.segment(
        0, nodes=node(9, lambda end, old: (end._replace(full=False), old))
    ),
    "node that is made later": lambda t: t.segment(
        0, nodes=node(9, lambda end, old: (end._replace(sequence=3, born_sequence=3), old))
    ),
    "name of another node": lambda t: t.run(0, lambda n: n.update({b"n9": [(1, 10)]})),
    "name given by another commit": lambda t: t.run(0, lambda n: n.update({b"n9": [(2, 9)]})),
    "name that is missing": lambda t: t.run(0, lambda n: n.pop(b"n9")),
    "name of nobody": lambda t: t.run(0, lambda n: n.update({b"nobody": [(1, 9)]})),
    "count that is wrong": lambda t: t.segment(0, commits=shifted),
    "counter that is wrong": lambda t: t.say(node_count=1),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_the_careful_way_finds_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Tamper], object]
) -> None:
    tamper = Tamper(path)
    harm(tamper)
    tamper.publish()
    _, found, careful = ways(path, monkeypatch)

    assert found == careful != []


def test_a_store_with_keys_goes_the_careful_way(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as graph:
        graph.put_edge("n1", "e", "n2", key="k")
        graph.compact()

    assert ways(path, monkeypatch) == (False, [], [])


NAMES = st.sampled_from([f"n{number}" for number in range(6)])
COMMANDS = st.one_of(
    st.tuples(st.just("node"), NAMES, st.sampled_from(["", "a", "b"])),
    st.tuples(st.just("edge"), NAMES, NAMES, st.sampled_from(["e", "f"])),
    st.tuples(st.just("property"), NAMES, NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("compact")),
)


def apply(graph: Graph, command: tuple[str, ...]) -> None:
    match command:
        case ("node", name, type_name):
            graph.put_node(name, type=type_name)
        case ("edge", source, target, type_name):
            graph.put_edge(source, type_name, target, create_missing=True)
        case ("property", source, target):
            graph.put_edge(source, "p", target, properties={"p": 1}, create_missing=True)
        case ("delete", name):
            graph.delete_node(name)
        case _:
            graph.compact()


@given(commands=st.lists(COMMANDS, max_size=12))
@settings(max_examples=25)
def test_any_store_is_sound_in_both_ways(
    tmp_path_factory: pytest.TempPathFactory, commands: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("any") / "store"
    with opened(path) as graph:
        for command in commands:
            apply(graph, command)
        graph.compact()
    with pytest.MonkeyPatch.context() as monkeypatch:
        enough, found, careful = ways(path, monkeypatch)

    assert found == careful == []
    if all(command[0] in ("node", "compact") for command in commands) and commands:
        names = [command[1] for command in commands if command[0] == "node"]
        assert enough or len(set(names)) < len(names) or not names
