"""The files of this machine: few descriptors, directories that come and go, maps that close."""

from __future__ import annotations

import errno
import gc
import mmap
import os
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lithograph.errors import CorruptionError, StorageError, TruncatedError
from lithograph.files import FileMap, OsFiles, os_map
from lithograph.formats.file_names import run_name, segment_name

PARTITION = "partitions/2026-11"
SEGMENT = segment_name("2026-11", 3)
RUN = run_name(1)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[OsFiles]:
    files = OsFiles(str(tmp_path))
    for directory in ("names", "partitions", PARTITION):
        files.make_directory(directory)
    yield files
    files.close()


def add_file(files: OsFiles, name: str, data: bytes = b"data") -> str:
    file = files.create(name)
    file.write_at(0, data)
    file.sync_data()
    file.close()
    return name


def descriptor_count() -> int:
    gc.collect()  # Tracebacks of earlier tests may hold maps and directories.
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def error_number(error: StorageError) -> int | None:
    assert isinstance(error.__cause__, OSError)
    return error.__cause__.errno


# --- Descriptors


def test_a_map_takes_one_descriptor_and_gives_it_back_with_the_last_reference(
    files: OsFiles,
) -> None:
    add_file(files, SEGMENT)
    before = descriptor_count()
    first, second = files.map(SEGMENT), files.map(SEGMENT)
    assert descriptor_count() == before + 2

    first.close()
    assert descriptor_count() == before + 1

    del second
    assert descriptor_count() == before


def test_partitions_take_no_descriptors(files: OsFiles) -> None:
    before = descriptor_count()
    for year in range(2000, 2100):
        files.make_directory(f"partitions/{year}")
        add_file(files, segment_name(str(year), 1))
        files.sync_directory(f"partitions/{year}")
        assert files.entries(f"partitions/{year}") == ["00000001.seg"]

    assert descriptor_count() == before


@pytest.fixture
def no_descriptors() -> Iterator[list[int]]:
    """Take every descriptor that a low limit leaves; popping one of the list gives it back."""
    gc.collect()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry) for entry in os.listdir("/proc/self/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        pass
    yield taken
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for fd in taken:
        os.close(fd)


def give_back(taken: list[int], count: int) -> bool:
    for _ in range(count):
        os.close(taken.pop())
    return True


def test_an_exhausted_machine_is_asked_once_more_when_room_was_made(
    files: OsFiles, no_descriptors: list[int]
) -> None:
    calls = []

    def make_room() -> bool:
        calls.append(1)
        return give_back(no_descriptors, 1)

    files.on_exhausted = make_room
    add_file(files, RUN)
    # The directory of runs stays open, the file does not.
    assert len(calls) == 2

    # While a file is being mapped, it is open twice.
    assert files.map(RUN).read(0, 4) == b"data"
    assert len(calls) == 3

    # The two are free now, enough for a partition and a file in it.
    add_file(files, SEGMENT)
    assert len(calls) == 3


def test_an_exhausted_machine_without_room_is_an_error(
    files: OsFiles, no_descriptors: list[int]
) -> None:
    for hook in (None, lambda: False, lambda: True):
        files.on_exhausted = hook
        with pytest.raises(StorageError, match=r"cannot open .*00000001\.run") as opened:
            files.create(RUN)
        with pytest.raises(StorageError, match=r"cannot map .*00000001\.run") as mapped:
            files.map(RUN)
        assert error_number(opened.value) == error_number(mapped.value) == errno.EMFILE

    give_back(no_descriptors, 1)
    assert not files.exists(RUN)


def test_too_many_maps_are_an_error_of_the_machine_and_closed_ones_make_room(
    files: OsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_file(files, SEGMENT)
    real, is_full = mmap.mmap, [True]

    def limited(fd: int, size: int, **options: int) -> mmap.mmap:
        if is_full[0]:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return real(fd, size, **options)

    monkeypatch.setattr(mmap, "mmap", limited)
    before = descriptor_count()
    with pytest.raises(StorageError, match="cannot map") as caught:
        files.map(SEGMENT)
    assert error_number(caught.value) == errno.ENOMEM

    def make_room() -> bool:
        is_full[0] = False
        return True

    files.on_exhausted = make_room

    assert files.map(SEGMENT).read(0, 4) == b"data"
    assert descriptor_count() == before


def test_the_room_on_the_medium_is_told_in_bytes(files: OsFiles, tmp_path: Path) -> None:
    told, free = files.free_bytes(), shutil.disk_usage(tmp_path).free

    assert free / 2 < told < free * 2
    files.close()
    with pytest.raises(StorageError, match="Bad file descriptor"):
        files.free_bytes()


# --- Directories that another process removes and makes


def test_a_partition_that_was_removed_and_made_again_is_found(
    files: OsFiles, tmp_path: Path
) -> None:
    other = OsFiles(str(tmp_path))
    add_file(files, SEGMENT)
    files.unlink(SEGMENT)
    assert other.remove_directory(PARTITION)
    other.make_directory(PARTITION)
    add_file(other, segment_name("2026-11", 4))

    add_file(files, SEGMENT, b"again")
    files.sync_directory(PARTITION)

    assert files.entries(PARTITION) == ["00000003.seg", "00000004.seg"]
    assert other.map(SEGMENT).read(0, 5) == b"again"
    other.close()


def test_a_link_in_place_of_a_partition_is_not_followed(files: OsFiles, tmp_path: Path) -> None:
    add_file(files, SEGMENT)
    (tmp_path / "partitions" / "2026-12").symlink_to(tmp_path / "partitions" / "2026-11")

    name = segment_name("2026-12", 3)
    for call in (files.map, files.open, files.create, files.unlink):
        with pytest.raises(StorageError) as caught:
            call(name)
        assert error_number(caught.value) == errno.ENOTDIR
    with pytest.raises(StorageError):
        files.remove_directory("partitions/2026-12")

    assert files.exists(SEGMENT)


def test_only_regular_files_are_mapped(files: OsFiles, tmp_path: Path) -> None:
    add_file(files, SEGMENT)
    partition = tmp_path / PARTITION
    (partition / "00000004.seg").symlink_to(partition / "00000003.seg")
    os.mkfifo(partition / "00000005.seg")
    (partition / "00000006.seg").mkdir()

    for number in (4, 5, 6):
        with pytest.raises(CorruptionError, match="not a regular file"):
            files.map(segment_name("2026-11", number))
    with pytest.raises(CorruptionError, match="the file is missing"):
        files.map(segment_name("2026-11", 7))


# --- Maps that are closed


def test_a_map_of_a_file_that_was_cut_does_not_kill_the_process(
    files: OsFiles, tmp_path: Path
) -> None:
    add_file(files, SEGMENT, bytes(5 * mmap.PAGESIZE))
    mapped = files.map(SEGMENT)
    os.truncate(tmp_path / SEGMENT, mmap.PAGESIZE + 1)

    assert mapped.read(mmap.PAGESIZE, 1) == b"\0"
    for offset, size in ((4 * mmap.PAGESIZE, 1), (mmap.PAGESIZE, 2), (0, 5 * mmap.PAGESIZE)):
        with pytest.raises(TruncatedError):
            mapped.read(offset, size)


def read_until_closed(
    mapped: FileMap, started: threading.Barrier, numbers: list[int | None]
) -> None:
    started.wait()
    try:
        while mapped.read(10, 90_000) == b"x" * 90_000:
            pass
    except StorageError as error:
        numbers.append(error_number(error))


def test_closing_a_map_under_threads_that_read_is_an_error_for_them(files: OsFiles) -> None:
    add_file(files, SEGMENT, b"x" * 100_000)
    for _ in range(20):
        mapped = files.map(SEGMENT)
        numbers: list[int | None] = []
        started = threading.Barrier(4)
        threads = [
            threading.Thread(target=read_until_closed, args=(mapped, started, numbers))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        started.wait()
        mapped.close()
        for thread in threads:
            thread.join()

        assert numbers == [errno.EBADF] * 3


def test_a_map_closed_between_two_steps_of_a_reader_is_an_error(files: OsFiles) -> None:
    add_file(files, SEGMENT)
    first, second = files.map(SEGMENT), files.map(SEGMENT)
    assert isinstance(first, os_map.OsFileMap)
    assert isinstance(second, os_map.OsFileMap)

    def close_and_say() -> int:
        second.close()
        return 4

    # What another thread does at the worst moment.
    assert first._map is not None
    first._map.close()
    second.size = close_and_say  # type: ignore[method-assign]

    for call in (first.size, lambda: first.read(0, 1), lambda: second.read(0, 1)):
        with pytest.raises(StorageError, match="Bad file descriptor"):
            call()


def test_abandoned_and_closed_files_close_their_maps(files: OsFiles, tmp_path: Path) -> None:
    add_file(files, SEGMENT)
    for end in ("close", "abandon"):
        other = OsFiles(str(tmp_path))
        before = descriptor_count()
        mapped = other.map(SEGMENT)
        getattr(other, end)()

        assert descriptor_count() < before
        for call in (mapped.size, lambda mapped=mapped: mapped.read(0, 1)):
            with pytest.raises(StorageError) as caught:
                call()
            assert error_number(caught.value) == errno.EBADF
        with pytest.raises(StorageError, match="Bad file descriptor"):
            other.map(SEGMENT)
        with pytest.raises(StorageError, match="Bad file descriptor"):
            other.entries("")
