"""Every rule that spans files, broken on purpose in files with right checksums, is found."""

from __future__ import annotations

import logging
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from tampering import Tamper, edge, entering, node, opened, texts, verify, without

from lithograph.formats.edge_patch import EdgePatch
from lithograph.formats.file_names import history_name, run_name, segment_name
from lithograph.formats.manifest import Manifest
from lithograph.formats.node_patch import NodePatch
from lithograph.maintenance.ledger import Ledger
from lithograph.segments.slice import Mark, SliceEdge
from lithograph.segments.version import EdgeVersion, NodeVersion

ADA, BOB, CY, DEE = range(4)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of two segments, each with a history, two runs, and a log."""
    path = tmp_path_factory.mktemp("sound") / "store"
    with opened(path) as graph:
        for name in ("Ada", "Bob", "Cy"):
            graph.put_node(name, type="Person", observations=["one"])
        graph.put_edge("Ada", "knows", "Bob")
        graph.put_edge("Bob", "knows", "Cy")
        graph.put_edge("Cy", "knows", "Ada", properties={"since": 1})
        graph.add_observations("Ada", ["two"])
        graph.checkpoint()
        graph.put_node("Dee")
        graph.put_edge("Dee", "knows", "Ada")
        graph.add_observations("Ada", ["three"])
        graph.add_observations("Ada", ["four"])
        graph.put_edge("Cy", "knows", "Ada", properties={"since": 2})
        graph.put_edge("Ada", "knows", "Bob", key="again")
        graph.delete_edge("Ada", "knows", "Bob", key="again")
        graph.delete_node("Bob")
        graph.checkpoint()
        graph.put_node("Eve")
        graph.put_edge("Eve", "likes", "Ada")
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    """Return a copy of the sound store, to be broken."""
    return Path(shutil.copytree(sound, tmp_path / "store"))


# Sound ----------------------------------------------------------------------------------------


def test_a_sound_store_has_no_findings(path: Path) -> None:
    assert verify(path, deep=False) == verify(path) == []
    with opened(path) as graph:
        graph.compact()
        assert graph.verify(deep=True) == []


def test_files_written_anew_as_they_were_are_sound(path: Path) -> None:
    Tamper(path).segment(0).segment(1).run(0, len).run(1, len).publish()

    assert verify(path) == []


def test_an_empty_store_is_sound(tmp_path: Path) -> None:
    assert verify(tmp_path / "store") == []


def test_what_only_the_log_holds_is_compared_too(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as graph:
        graph.put_edge("a", "to", "b", create_missing=True)
        graph.delete_node("a")

        assert graph.verify(deep=True) == []


def test_a_reader_verifies_and_writes_nothing(path: Path) -> None:
    with opened(path) as graph:
        graph.checkpoint()
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with opened(path, "r") as graph:
        assert graph.verify(deep=True) == []

    after = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert {file: data for file, data in after.items() if file.suffix != ".pin"} == before


# Files against the manifest ------------------------------------------------------------------


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("kind", ["segment", "history", "run"])
def test_a_file_that_does_not_open_is_found_and_the_others_are_looked_at(
    path: Path, kind: str, deep: bool
) -> None:
    files = named(path)
    for name in (files[kind][0], files["run"][1]):
        (path / name).unlink()

    found = verify(path, deep=deep)

    assert [Path(finding.path) for finding in found] == [
        path / files[kind][0],
        path / files["run"][1],
    ]
    assert all("missing" in finding.message for finding in found)


def named(path: Path) -> dict[str, list[str]]:
    """Return the paths of the sealed files in force, by kind."""
    manifest = Tamper(path).manifest
    pairs = [(entry.partition, entry.number) for entry in manifest.segments]
    return {
        "segment": [segment_name(*pair) for pair in pairs],
        "history": [history_name(*pair) for pair in pairs],
        "run": [run_name(entry.number) for entry in manifest.runs],
    }


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("entry_count", 1, "entries: the footer says 6, the manifest 1"),
        ("superseding_count", 1, "superseding: the footer says 0, the manifest 1"),
        ("version_count", 9, "versions: the footer says 1, the manifest 9"),
    ],
)
def test_a_segment_that_the_manifest_describes_otherwise_is_found(
    path: Path, field: str, value: int, message: str
) -> None:
    Tamper(path).entry(0, **{field: value}).publish()

    assert message in texts(path, deep=False)


def test_ranges_that_differ_from_the_manifests_are_found(path: Path) -> None:
    tamper = Tamper(path)
    first, second = tamper.manifest.segments
    tamper.entry(0, last_sequence=first.last_sequence - 1, end_id=first.end_id - 1)
    tamper.entry(1, first_sequence=second.first_sequence - 1, first_id=second.first_id - 1)
    tamper.publish()

    found = texts(path, deep=False)

    for what in ("last commit", "end of the ids", "first commit", "first id"):
        assert f"{what}: the footer says" in found


def test_a_run_that_the_manifest_describes_otherwise_is_found(path: Path) -> None:
    Tamper(path).run_entry(0, entry_count=7, first_sequence=2).publish()

    found = texts(path, deep=False)

    assert "names: the footer says 3, the manifest 7" in found
    assert "first commit: the footer says 1, the manifest 2" in found


def test_a_damaged_block_is_found_by_the_deep_check_alone(path: Path) -> None:
    names = named(path)
    for name in (names["segment"][0], names["history"][1], names["run"][0]):
        with (path / name).open("r+b") as file:
            file.seek(80)
            byte = file.read(1)
            file.seek(80)
            file.write(bytes([byte[0] ^ 1]))

    assert verify(path, deep=False) == []
    found = verify(path)
    assert [Path(finding.path).suffix for finding in found] == [".seg", ".his", ".run"]
    assert all("xxh64" in finding.message for finding in found)


def test_files_that_nothing_names_are_only_noted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as graph:
        stray = path / "partitions/2020-01"
        stray.mkdir()
        (stray / "00000999.seg").write_bytes(b"work of another process")
        with caplog.at_level(logging.INFO, "lithograph"):
            assert graph.verify(deep=True) == []

    assert "00000999.seg: no manifest names it" in caplog.text


# Nodes ----------------------------------------------------------------------------------------


def test_a_missing_node_is_found(path: Path) -> None:
    Tamper(path).segment(0, nodes=without(BOB), names=without(BOB)).publish()
    assert "node 1, commit 15: ended, and never made" in texts(path)

    Tamper(path).segment(1, nodes=without(DEE), names=without(DEE)).publish()
    found = texts(path)
    assert "of the ids 3 to 3, born here, nothing is there" in found
    assert "the edge 3 -> 0 leaves a node that is not alive at commit 9" in found


def test_a_name_without_a_node_is_found(path: Path) -> None:
    Tamper(path).segment(1, nodes=without(DEE)).publish()

    assert "node 3 is without a commit that made it" in texts(path)


def test_a_node_without_a_name_is_found(path: Path) -> None:
    Tamper(path).segment(0, names=without(CY)).publish()

    assert "node 2 is without a name" in texts(path)


def test_a_change_of_a_node_that_was_never_made_is_found(path: Path) -> None:
    relative = node(CY, lambda end, old: (end._replace(full=False), old))
    Tamper(path).segment(0, nodes=relative).publish()

    assert "node 2, commit 3: changed, and never made" in texts(path)


def test_a_node_made_twice_is_found(path: Path) -> None:
    again = NodeVersion(12, 0, NodePatch(), True, 0, 12)
    Tamper(path).segment(1, nodes=node(ADA, lambda end, old: (again, []))).publish()

    assert "node 0, commit 12: made by commit 12, and by 1" in texts(path)


def test_a_node_made_where_it_was_not_born_is_found(path: Path) -> None:
    again = NodeVersion(12, 0, NodePatch(), True, 0, 12)
    tamper = Tamper(path).segment(0, nodes=without(ADA))
    tamper.segment(1, nodes=node(ADA, lambda end, old: (again, []))).publish()

    assert "node 0, commit 12: made in a slice that it was not born in" in texts(path)


def test_a_node_changed_after_its_end_is_found(path: Path) -> None:
    gone = node(ADA, lambda end, old: (NodeVersion(7, 0, None, False), old[:1]))
    Tamper(path).segment(0, nodes=gone).publish()

    assert "node 0, commit 10: changed after commit 7 had ended it" in texts(path)


def test_an_unknown_type_code_is_found(path: Path) -> None:
    other = node(CY, lambda end, old: (end._replace(change=NodePatch(type_code=9)), old))
    unknown = edge(DEE, ADA, lambda found: found._replace(adjacent=(8, ADA, "")))

    def code(found: list[Any]) -> list[Any]:
        target, edges = found[0]
        kept = [entry for entry in edges if entry[0][1] != DEE]
        return [(target, [*kept, ((8, DEE, ""), Mark.MADE, False)]), *found[1:]]

    Tamper(path).segment(0, nodes=other).segment(1, edges=unknown, incoming=code).publish()

    found = texts(path)

    assert "node 2, commit 3: type code 9, there are 2 types" in found
    assert "the edge 3 -> 0 has type code 8 of 2" in found


# Histories ------------------------------------------------------------------------------------


def test_a_history_newer_than_its_end_state_is_found(path: Path) -> None:
    older = node(ADA, lambda end, old: (end._replace(sequence=1, born_sequence=1), [end]))
    Tamper(path).segment(0, nodes=older).publish()

    assert "a version of node 0 is newer than its end state" in texts(path)


def test_a_history_that_lacks_a_version_of_a_relative_end_state_is_found(path: Path) -> None:
    """Else a merge would apply the change twice (SPEC.md, section 12.9)."""
    Tamper(path).segment(1, nodes=node(ADA, lambda end, old: (end, old[:1]))).publish()

    assert "a version of node 0" in texts(path)


def test_a_history_that_repeats_a_full_end_state_of_an_edge_is_found(path: Path) -> None:
    def twice(found: SliceEdge) -> SliceEdge:
        assert found.version is not None
        return found._replace(history=[found.version])

    changes = {"edges": edge(DEE, ADA, twice), "incoming": history_of(DEE, ADA)}
    Tamper(path).segment(1, **changes).publish()

    assert "a version of 3 -> 0 is newer than its end state" in texts(path)


def history_of(source: int, target: int) -> Any:
    """Return a change that says that an edge has history."""

    def changed(found: list[Any]) -> list[Any]:
        return [
            (
                node_id,
                [
                    (adjacent, mark, old or (adjacent[1], node_id) == (source, target))
                    for adjacent, mark, old in edges
                ],
            )
            for node_id, edges in found
        ]

    return changed


# Edges ----------------------------------------------------------------------------------------


def test_an_edge_in_one_direction_is_found(path: Path) -> None:
    Tamper(path).segment(0, incoming=entering(CY, ADA, None)).publish()

    found = texts(path)

    assert "the two directions list different edges or marks" in found


def test_a_change_of_an_edge_that_was_never_made_is_found(path: Path) -> None:
    gone = {"edges": edge(CY, ADA, lambda found: None), "incoming": entering(CY, ADA, None)}
    Tamper(path).segment(0, **gone).publish()

    assert "the edge 2 -> 0 was changed by commit 12, and not alive" in texts(path)


def test_an_end_of_an_edge_that_was_never_made_is_found(path: Path) -> None:
    gone = {"edges": edge(ADA, BOB, lambda found: None), "incoming": entering(ADA, BOB, None)}
    Tamper(path).segment(0, **gone).publish()

    assert "the edge 0 -> 1 was ended by commit 15, and not alive" in texts(path)


def test_an_edge_made_while_it_is_alive_is_found(path: Path) -> None:
    def made(found: SliceEdge) -> SliceEdge:
        version = EdgeVersion(12, 0, EdgePatch(), True, 0, 12)
        return SliceEdge(found.adjacent, Mark.MADE, version, [])

    changes = {"edges": edge(CY, ADA, made), "incoming": entering(CY, ADA, Mark.MADE)}
    Tamper(path).segment(1, **changes).publish()

    found = texts(path)

    assert "the edge 2 -> 0 is marked as made, and an older slice holds it alive" in found
    assert "was made again by commit 12 while alive" in found


def test_an_edge_marked_as_older_than_its_ends_is_found(path: Path) -> None:
    changed = edge(DEE, ADA, lambda found: found._replace(mark=Mark.CHANGED))
    Tamper(path).segment(1, edges=changed, incoming=entering(DEE, ADA, Mark.CHANGED)).publish()

    assert "the edge 3 -> 0 is marked as CHANGED, and no older slice can hold it" in texts(path)


def test_edges_of_a_node_that_is_not_alive_are_found(path: Path) -> None:
    ended = node(BOB, lambda end, old: (NodeVersion(4, 0, None, False), [end]))
    Tamper(path).segment(0, nodes=ended).segment(1, nodes=without(BOB)).publish()

    assert "the edge 1 -> 2 leaves a node that is not alive at commit 5" in texts(path)


def test_an_end_of_an_edge_that_is_missing_is_found_by_the_counts(path: Path) -> None:
    kept = {"edges": edge(BOB, CY, lambda found: None), "incoming": entering(BOB, CY, None)}
    Tamper(path).segment(1, **kept).publish()

    found = texts(path)

    assert "commit 15: beginnings and ends of edges come to 1 more" in found


def test_an_edge_into_a_dead_node_is_found(path: Path) -> None:
    kept = {"edges": edge(ADA, BOB, lambda found: None), "incoming": entering(ADA, BOB, None)}
    Tamper(path).segment(1, **kept).publish()

    assert "the edge 0 -> 1 enters a node not alive" in texts(path)


# Names ----------------------------------------------------------------------------------------


def test_a_name_missing_from_the_index_is_found(path: Path) -> None:
    Tamper(path).run(0, lambda names: names.pop(b"Cy")).publish()

    found = texts(path)

    assert "commit 3 gave the name 'Cy' to node 2: so the nodes, not the name index" in found


def test_a_name_that_no_node_has_is_found(path: Path) -> None:
    Tamper(path).run(1, lambda names: names.update({b"Zoe": [(9, 3)]})).publish()

    assert "commit 9 gave the name 'Zoe' to node 3: so the name index, not the nodes" in texts(path)


def test_a_deletion_missing_from_the_index_is_found(path: Path) -> None:
    Tamper(path).run(1, lambda names: names.pop(b"Bob")).publish()

    assert "commit 15 took the name 'Bob': so the nodes, not the name index" in texts(path)


def test_a_name_that_leads_to_another_node_is_found(path: Path) -> None:
    Tamper(path).run(0, lambda names: names.update({b"Cy": [(3, ADA)]})).publish()

    found = texts(path)

    assert "commit 3 gave the name 'Cy' to node 2: so the nodes, not the name index" in found
    assert "commit 3 gave the name 'Cy' to node 0: so the name index, not the nodes" in found


def test_names_are_not_compared_with_a_damaged_run(path: Path) -> None:
    Tamper(path).segment(0, names=without(CY)).publish()
    (path / named(path)["run"][0]).unlink()

    found = texts(path)

    assert "missing" in found
    assert "node 2 is without a name" in found
    assert "name index" not in found


# Counts and times -----------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "what"), [(2, "nodes"), (3, "edges")])
def test_a_wrong_count_in_the_commit_table_is_found(path: Path, column: int, what: str) -> None:
    def counted(rows: list[Any]) -> list[Any]:
        row = list(rows[4])
        row[column] += 1
        return [*rows[:4], tuple(row), *rows[5:]]

    Tamper(path).segment(0, commits=counted).publish()

    found = texts(path)

    assert f"commit 5: beginnings and ends of {what} come to 1 fewer" in found
    assert f"commit 6: beginnings and ends of {what} come to 1 more" in found


@pytest.mark.parametrize("field", ["node_count", "edge_count", "last_commit_time"])
def test_a_wrong_counter_in_the_manifest_is_found(path: Path, field: str) -> None:
    with opened(path) as graph:
        graph.checkpoint()
    tamper = Tamper(path)
    tamper.say(**{field: getattr(tamper.manifest, field) - 1}).publish()

    assert "newest commit: time and counts of commit 17" in texts(path)


def test_times_that_differ_from_the_manifests_are_found(path: Path) -> None:
    tamper = Tamper(path)
    first, last = tamper.manifest.segments
    tamper.entry(0, first_time=first.first_time - 1).entry(1, last_time=last.last_time + 1)
    tamper.publish()

    found = texts(path)

    assert "the first commit is at" in found
    assert "the last commit is at" in found


def test_times_that_run_back_from_segment_to_segment_are_found(path: Path) -> None:
    tamper = Tamper(path)
    late = tamper.manifest.segments[1].last_time + 10**6
    tamper.segment(0, commits=lambda rows: [*rows[:-1], (rows[-1][0], late, *rows[-1][2:])])
    tamper.publish()

    assert "before the one before" in texts(path)


def test_a_floor_of_another_time_is_found(path: Path) -> None:
    Tamper(path).say(floor_sequence=2, floor_time=12345).publish()

    assert "floor: time and counts of commit 2" in texts(path)


# The past below the floor ---------------------------------------------------------------------


def test_what_is_forgotten_up_to_the_floor_is_not_missed(path: Path) -> None:
    manifest: Manifest = Tamper(path).manifest
    time = manifest.last_commit_time
    bob = {"nodes": without(BOB), "names": without(BOB)}
    for both in ({}, bob):
        lists = {
            "edges": lambda found: [
                (source, kept)
                for source, edges in found
                if (kept := [e for e in edges if BOB not in (source, e.adjacent[1])])
            ],
            "incoming": lambda found: [
                (target, kept)
                for target, edges in found
                if (kept := [e for e in edges if BOB not in (target, e[0][1])])
            ],
        }
        tamper = Tamper(path)
        if both:
            tamper.segment(0, **both, **lists).segment(1, nodes=without(BOB), **lists)
            tamper.run(0, lambda names: names.pop(b"Bob"))
        tamper.say(floor_sequence=manifest.last_sequence, floor_time=time).publish()

        assert verify(path) == []


# The ledger -----------------------------------------------------------------------------------


def test_a_ledger_names_what_does_not_cancel_out() -> None:
    keys = [struct.pack("<I", number) for number in range(500)]
    ledger = Ledger(bucket_count=64)
    for round_ in range(2):
        for key in keys:
            ledger.add(key, 1)
        for key in reversed(keys):
            if key != keys[77]:
                ledger.add(key, -1)
        ledger.add(keys[3], -1)
        if round_ == 0:
            assert not ledger.is_balanced
            ledger.begin_second_round()

    assert ledger.left_over() == [(keys[3], -1), (keys[77], 1)]


def test_a_ledger_is_balanced_whatever_the_order() -> None:
    ledger = Ledger(bucket_count=4)
    for weight, order in ((1, range(100)), (-1, range(99, -1, -1))):
        for number in order:
            ledger.add(b"%d" % number, weight)

    assert ledger.is_balanced
