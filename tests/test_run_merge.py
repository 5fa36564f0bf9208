"""Merging runs of the name index: what stays, what the floor takes, and step by step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.errors import CorruptionError
from lithograph.ids import ABSENT
from lithograph.segments.run_merge import STEP, merge_runs
from lithograph.segments.run_reader import RunReader
from lithograph.segments.run_writer import RunInfo, RunWriter
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import SimulatedFiles

UUID = bytes(range(16, 32))

Versions = list[tuple[int, int]]
Names = dict[bytes, Versions]


def _files() -> SimulatedFiles:
    files = SimulatedDisk().process(create=True)
    files.make_directory("names")
    return files


def _write(files: SimulatedFiles, names: Names, number: int, first: int, last: int) -> RunInfo:
    writer = RunWriter(files, number, UUID, first, last)
    for name in sorted(names):
        writer.add(name, names[name])
    return writer.finish()


def _merge(runs: Sequence[Names], floor: int, oldest: bool) -> Names:
    """Merge runs of 100 sequences each, newest first, and return what the new one says."""
    files = _files()
    readers: list[RunReader] = []
    for number, names in enumerate(reversed(runs), 1):
        info = _write(files, names, number, number * 100, number * 100 + 99)
        readers.insert(0, RunReader.open(files, info.ref, UUID))
    writer = RunWriter(files, 99, UUID, 100, len(runs) * 100 + 99)
    steps = len(list(merge_runs(readers, writer, floor=floor, oldest=oldest)))
    reader = RunReader.open(files, writer.finish().ref, UUID)
    merged = dict(reader.scan())

    assert list(reader.check()) == []
    assert steps <= sum(map(len, runs)) // STEP + 1
    return merged


OLD: Names = {b"a": [(120, 1)], b"b": [(150, 2), (110, ABSENT)], b"d": [(101, ABSENT)]}
NEW: Names = {b"a": [(260, 5), (260, ABSENT), (210, ABSENT)], b"c": [(200, 3)]}


@pytest.mark.parametrize(
    ("floor", "oldest", "expected"),
    [
        (
            0,
            True,
            {
                b"a": [(260, 5), (260, ABSENT), (210, ABSENT), (120, 1)],
                b"b": [(150, 2), (110, ABSENT)],
                b"c": [(200, 3)],
                b"d": [(101, ABSENT)],
            },
        ),
        (
            150,
            False,
            {
                b"a": [(260, 5), (260, ABSENT), (210, ABSENT), (120, 1)],
                b"b": [(150, 2)],
                b"c": [(200, 3)],
                b"d": [(101, ABSENT)],
            },
        ),
        (
            215,
            True,
            {b"a": [(260, 5), (260, ABSENT)], b"b": [(150, 2)], b"c": [(200, 3)]},
        ),
        (
            215,
            False,
            {
                b"a": [(260, 5), (260, ABSENT), (210, ABSENT)],
                b"b": [(150, 2)],
                b"c": [(200, 3)],
                b"d": [(101, ABSENT)],
            },
        ),
        (260, True, {b"a": [(260, 5)], b"b": [(150, 2)], b"c": [(200, 3)]}),
    ],
)
def test_a_merge_keeps_what_the_floor_leaves(floor: int, oldest: bool, expected: Names) -> None:
    assert _merge([NEW, OLD], floor, oldest) == expected


def _names_in(number: int) -> st.SearchStrategy[Names]:
    return st.dictionaries(
        st.sampled_from([b"a", b"b", b"c", b"d", b"e" * 1500]),
        st.lists(
            st.tuples(st.integers(number * 100, number * 100 + 99), st.integers(ABSENT, 9)),
            min_size=1,
            max_size=4,
            unique_by=lambda version: version[0],
        ).map(lambda versions: sorted(versions, reverse=True)),
    )


def _as_of(runs: Sequence[Names], name: bytes, sequence: int) -> int:
    for names in runs:
        for made, node_id in names.get(name, []):
            if made <= sequence:
                return node_id
    return ABSENT


@given(st.tuples(_names_in(3), _names_in(2), _names_in(1)), st.integers(0, 400), st.booleans())
def test_a_merge_answers_as_its_inputs_from_the_floor_on(
    runs: tuple[Names, ...], floor: int, oldest: bool
) -> None:
    merged = _merge(runs, floor, oldest)
    for name in {name for names in runs for name in names}:
        for sequence in range(floor, 401):
            assert _as_of([merged], name, sequence) == _as_of(runs, name, sequence)
        below = [made for made, _ in merged.get(name, []) if made <= floor]
        assert len(below) <= 1
        if not oldest:
            assert name in merged
    if oldest:
        assert not any(v[-1][1] == ABSENT and v[-1][0] <= floor for v in merged.values())


def test_a_merge_goes_by_steps() -> None:
    files = _files()
    names: Names = {b"n%06d" % number: [(100, number)] for number in range(1000)}
    reader = RunReader.open(files, _write(files, names, 1, 100, 100).ref, UUID)
    writer = RunWriter(files, 2, UUID, 100, 199)
    counts = [writer.entry_count for _ in merge_runs([reader], writer, floor=0, oldest=True)]

    assert counts == [256, 512, 768]
    assert writer.finish().entry_count == 1000


def test_runs_that_overlap_are_not_merged() -> None:
    files = _files()
    readers = [RunReader.open(files, _write(files, {}, n, 100, 199).ref, UUID) for n in (1, 2)]
    writer = RunWriter(files, 3, UUID, 100, 199)

    with pytest.raises(CorruptionError, match="begins at sequence 100, the one before it ends"):
        list(merge_runs(readers, writer, floor=0, oldest=True))


def test_a_merge_of_empty_runs_is_empty() -> None:
    assert _merge([{}, {}], 0, True) == {}
