"""File numbers: above all that is there, and cheap to find where the store is large."""

from __future__ import annotations

import pytest

from lithograph.catalog.file_numbers import (
    create_numbered,
    manifest_numbers,
    next_number,
    partition_files,
    partitions,
    run_numbers,
    spool_numbers,
    wal_numbers,
)
from lithograph.files import Files
from lithograph.formats.file_names import (
    history_name,
    manifest_name,
    run_name,
    segment_name,
    spool_name,
    wal_name,
)
from lithograph.formats.manifest import Manifest
from lithograph.tools.testing.faulty_files import FaultPlan, FaultyFiles
from lithograph.tools.testing.simulated_disk import SimulatedDisk

DIRECTORIES = ("manifest", "wal", "names", "partitions", "partitions/2026-11", "partitions/2025")
NAMES = (
    manifest_name(4),
    wal_name(2),
    run_name(5),
    spool_name(3),
    segment_name("2026-11", 7),
    history_name("2026-11", 7),
    segment_name("2025", 6),
)


def new_files(*names: str) -> FaultyFiles:
    files = FaultyFiles(SimulatedDisk().process(create=True), FaultPlan())
    for directory in DIRECTORIES:
        files.make_directory(directory)
    for name in names:
        files.create(name).close()
    return files


def manifest(next_file_number: int) -> Manifest:
    return Manifest(generation=1, first_wal_number=1, next_file_number=next_file_number)


def listed(files: FaultyFiles) -> list[str]:
    return [name for kind, name in files.plan.calls if kind == "list"]


def test_every_numbered_file_is_found_under_its_kind() -> None:
    files = new_files(*NAMES, "CURRENT", "shared.map")

    assert (manifest_numbers(files), wal_numbers(files)) == ([4], [2])
    assert (run_numbers(files), spool_numbers(files)) == ([5], [3])
    assert partitions(files) == ["2025", "2026-11"]
    assert partition_files(files) == [
        ("2025", 6, "seg"),
        ("2026-11", 7, "his"),
        ("2026-11", 7, "seg"),
    ]


def test_a_store_without_any_directories_has_no_numbers() -> None:
    files: Files = SimulatedDisk().process(create=True)

    assert run_numbers(files) == spool_numbers(files) == wal_numbers(files) == []
    assert (partitions(files), partition_files(files)) == ([], [])
    assert next_number(files, manifest(9)) == 9


@pytest.mark.parametrize("name", NAMES)
def test_recovery_gives_no_number_again_that_any_file_has(name: str) -> None:
    number = int(name.rpartition("/")[2].partition(".")[0])

    assert next_number(new_files(name), manifest(1)) == number + 1
    assert next_number(new_files(name), manifest(40)) == 40


def test_a_new_file_is_above_those_of_all_directories_but_other_partitions() -> None:
    for name in (manifest_name(8), wal_name(8), run_name(8), spool_name(8)):
        assert create_numbered(new_files(name), wal_name, 1)[0] == 9
    files = new_files(segment_name("2025", 8))

    assert create_numbered(files, wal_name, 1)[0] == 1
    assert create_numbered(files, lambda number: segment_name("2025", number), 1)[0] == 9
    assert create_numbered(files, lambda number: history_name("2025", number), 30)[0] == 30


def test_a_new_file_costs_the_listing_of_one_partition_at_most() -> None:
    files = new_files(*NAMES)
    create_numbered(files, wal_name, 20)
    assert listed(files) == ["manifest", "wal", "names"]

    files.plan.calls.clear()
    create_numbered(files, lambda number: segment_name("2026-11", number), 20)
    assert listed(files) == ["manifest", "wal", "names", "partitions/2026-11"]


def test_of_two_who_want_one_number_the_second_gets_the_next() -> None:
    files = new_files()
    real = files.create

    def create(name: str) -> object:
        if name == wal_name(1):
            real(name)
        return real(name)

    files.create = create  # type: ignore[assignment, method-assign]

    assert create_numbered(files, wal_name, 1)[0] == 2
