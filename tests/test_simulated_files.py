"""The simulated machine: what a power cut may leave, what a dead process leaves, which calls fail.

Everything the fault harness concludes rests on these rules, so each has a test of its own; that the
disk behaves like a machine while it is up is compared with `OsFiles`.
"""

from __future__ import annotations

import errno
import functools
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithograph.errors import (
    CorruptionError,
    LithographError,
    LockedError,
    StorageError,
    StoreNotFoundError,
    TruncatedError,
)
from lithograph.files import File, FileMap, Files, Lock, OsFiles
from lithograph.files.protocol import failed
from lithograph.formats.file_names import (
    CURRENT,
    LOCK_OPEN,
    PINS_DIRECTORY,
    SHARED_MAP,
    manifest_name,
    pin_name,
    segment_name,
    wal_name,
)
from lithograph.tools.testing.faulty_files import KINDS, Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.inodes import Image
from lithograph.tools.testing.power_cut import SECTOR_SIZE
from lithograph.tools.testing.simulated_disk import SimulatedDisk
from lithograph.tools.testing.simulated_files import (
    ProcessKilled,
    SimulatedFile,
    SimulatedFiles,
    os_error,
)

WAL = wal_name(1)
SEGMENT = segment_name("2026-11", 3)
PARTITION = "partitions/2026-11"
PAGE = 4096


def new_store() -> tuple[SimulatedDisk, SimulatedFiles]:
    """Return a disk with a durable, empty store, and a process on it."""
    disk = SimulatedDisk()
    files = disk.process(create=True)
    files.sync_directory("..")
    for name in ("wal", "manifest", "locks"):
        files.make_directory(name)
    files.sync_directory("")
    return disk, files


def add_file(files: Files, name: str, data: bytes) -> File:
    """Make a durable file, and return it open."""
    file = files.create(name)
    file.write_at(0, data)
    file.sync_data()
    files.sync_directory(name.rpartition("/")[0])
    return file


def add_partition(files: Files) -> None:
    """Make a durable, empty partition."""
    files.make_directory("partitions")
    files.sync_directory("")
    files.make_directory(PARTITION)
    files.sync_directory("partitions")


def read(disk: SimulatedDisk, name: str) -> bytes | None:
    """Return the bytes of a file, or None if there is none."""
    try:
        files = disk.process()
    except StoreNotFoundError:
        return None
    if not files.exists(name):
        return None
    return files.open(name).read_at(0, 1 << 20)


def crash(disk: SimulatedDisk, limit: int = 10_000, seed: int = 0) -> list[SimulatedDisk]:
    return list(disk.crash_states(random.Random(seed), limit))


def left_of(disk: SimulatedDisk, *names: str) -> set[Any]:
    """Return what power cuts may leave of one file, or together of several ones."""
    found = [tuple(read(state, name) for name in names) for state in crash(disk)]
    return {contents[0] if len(names) == 1 else contents for contents in found}


# --- What a power cut may leave


def test_everything_synced_leaves_one_state() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"data")

    assert [state.image() for state in crash(disk)] == [disk.image()]


def test_a_synced_file_without_its_directory_entry_may_vanish() -> None:
    disk, files = new_store()
    file = files.create(WAL)
    file.write_at(0, b"data")
    file.sync_data()

    assert left_of(disk, WAL) == {None, b"data"}


def test_a_durable_entry_may_lead_to_a_file_without_its_contents() -> None:
    disk, files = new_store()
    files.create(WAL).write_at(0, b"data")
    files.sync_directory("wal")

    assert left_of(disk, WAL) == {b"", b"\0\0\0\0", b"data"}


def test_syncing_a_directory_does_not_sync_the_directories_in_it() -> None:
    disk, files = new_store()
    files.create(WAL).sync_data()
    files.sync_directory("")

    assert left_of(disk, WAL) == {None, b""}


def test_the_store_may_vanish_until_its_parent_is_synced() -> None:
    disk = SimulatedDisk()
    files = disk.process(create=True)
    add_file(files, CURRENT, b"data")

    assert left_of(disk, CURRENT) == {None, b"data"}
    assert () in {state.image() for state in crash(disk)}

    files.sync_directory("..")

    assert left_of(disk, CURRENT) == {b"data"}


def test_an_unsynced_directory_may_vanish_with_all_that_is_synced_in_it() -> None:
    disk = SimulatedDisk()
    files = disk.process(create=True)
    files.sync_directory("..")
    files.make_directory("wal")
    add_file(files, WAL, b"data")

    assert left_of(disk, WAL) == {None, b"data"}
    assert {tuple(state.process().entries("")) for state in crash(disk)} == {(), ("wal",)}


def test_unsynced_writes_land_in_any_subset() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"...")
    for offset, data in enumerate((b"a", b"b", b"c")):
        file.write_at(offset, data)

    subsets = {bytes([a, b, c]) for a in b".a" for b in b".b" for c in b".c"}
    assert left_of(disk, WAL) == subsets


def test_the_later_of_two_overlapping_writes_wins_if_it_lands() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"..")
    file.write_at(0, b"aa")
    file.write_at(1, b"b")

    assert left_of(disk, WAL) == {b"..", b"aa", b".b", b"ab"}


def test_a_write_may_be_torn_between_any_sectors() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"." * 2000)
    file.write_at(100, b"x" * 1500)

    found = left_of(disk, WAL)

    cuts = (SECTOR_SIZE, 2 * SECTOR_SIZE, 3 * SECTOR_SIZE)
    for cut in cuts:
        assert b"." * 100 + b"x" * (cut - 100) + b"." * (2000 - cut) in found
        assert b"." * cut + b"x" * (1600 - cut) + b"." * 400 in found
    for contents in found:
        changes = {at for at in range(101, 1600) if contents[at] != contents[at - 1]}
        assert changes <= set(cuts)


def test_a_long_write_may_be_torn_between_pages_and_at_its_ends() -> None:
    disk, files = new_store()
    size = 5 * PAGE
    add_file(files, WAL, b"." * size).write_at(0, b"x" * size)

    found = left_of(disk, WAL)

    for cut in (SECTOR_SIZE, *range(PAGE, size, PAGE), size - SECTOR_SIZE):
        assert b"x" * cut + b"." * (size - cut) in found


def test_a_sector_inside_a_write_may_be_missing() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"." * 3 * SECTOR_SIZE).write_at(0, b"x" * 3 * SECTOR_SIZE)

    x, old = b"x" * SECTOR_SIZE, b"." * SECTOR_SIZE
    assert x + old + x in left_of(disk, WAL)


def test_a_write_within_a_sector_is_never_torn() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"." * 2 * SECTOR_SIZE).write_at(SECTOR_SIZE, b"x" * SECTOR_SIZE)

    old = b"." * SECTOR_SIZE
    assert left_of(disk, WAL) == {old + old, old + b"x" * SECTOR_SIZE}


def test_growth_may_land_without_its_data_as_zeros() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"old")
    file.write_at(3, b"one")
    file.write_at(6, b"two")

    found = left_of(disk, WAL)

    assert {b"old\0\0\0", b"oldone\0\0\0", b"old\0\0\0\0\0\0", b"old\0\0\0two"} <= found
    assert {b"old", b"oldone", b"oldonetwo"} <= found


def test_growth_may_stop_where_the_data_was_torn() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"").write_at(0, b"x" * 2 * SECTOR_SIZE)

    x, zero = b"x" * SECTOR_SIZE, bytes(SECTOR_SIZE)
    assert left_of(disk, WAL) == {b"", x, x + zero, zero + x, zero + zero, x + x}


def test_every_prefix_of_many_writes_may_land_alone_and_with_zeros_after_it() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"")
    for at in range(12):
        file.write_at(at, b"x")

    found = left_of(disk, WAL)

    for count in range(12):
        assert b"x" * count in found
        assert b"x" * count + b"\0" * (12 - count) in found
        assert b"x" * count + b"\0" + b"x" * (11 - count) in found
        assert b"\0" * count + b"x" in found


def test_an_unsynced_truncate_may_be_lost_or_land_without_what_came_after() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"old")
    file.truncate(0)
    file.write_at(0, b"n")

    assert left_of(disk, WAL) == {b"old", b"", b"nld", b"\0", b"n"}


def test_a_truncate_may_add_zeros() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"old").truncate(5)

    assert left_of(disk, WAL) == {b"old", b"old\0\0"}


def test_an_unlink_may_land_before_an_earlier_link() -> None:
    disk, files = new_store()
    add_file(files, wal_name(1), b"old")
    files.create(wal_name(2)).sync_data()
    files.unlink(wal_name(1))

    found = left_of(disk, wal_name(1), wal_name(2))

    assert found == {(b"old", None), (b"old", b""), (None, None), (None, b"")}


def test_a_name_used_again_may_lead_to_the_old_file_the_new_one_or_none() -> None:
    disk, files = new_store()
    add_file(files, WAL, b"old")
    files.unlink(WAL)
    file = files.create(WAL)
    file.write_at(0, b"new")
    file.sync_data()

    assert left_of(disk, WAL) == {b"old", None, b"new"}


def test_writes_to_an_unlinked_file_may_land_where_the_unlink_does_not() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"old")
    files.unlink(WAL)
    file.write_at(0, b"new")

    assert left_of(disk, WAL) == {None, b"old", b"new"}


def test_two_files_land_independently() -> None:
    disk, files = new_store()
    add_file(files, CURRENT, b"a").write_at(0, b"b")
    add_file(files, WAL, b"1").write_at(0, b"2")

    found = left_of(disk, CURRENT, WAL)

    assert found == {(b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", b"2")}


def test_entries_of_many_files_land_in_every_prefix_and_with_one_missing_or_alone() -> None:
    disk, files = new_store()
    names = [f"{number:08}.wal" for number in range(1, 9)]
    for name in names:
        files.create(f"wal/{name}")

    found = {tuple(state.process().entries("wal")) for state in crash(disk)}

    for at, name in enumerate(names):
        assert {tuple(names[:at]), (*names[:at], *names[at + 1 :]), (name,)} <= found


def test_lock_files_land_together_so_that_they_do_not_multiply_the_states() -> None:
    disk, files = new_store()
    for name in ("locks/open", "locks/commit", "locks/publish"):
        assert files.lock(name, 1).try_acquire(exclusive=True)

    assert len(crash(disk)) == 2


def test_pins_do_not_multiply_the_states_for_nobody_lives_who_pinned() -> None:
    disk, files = new_store()
    files.make_directory(PINS_DIRECTORY)
    files.sync_directory("locks")
    for identity in (1, 2):
        name = pin_name(identity)
        assert files.lock(name, None).try_acquire(exclusive=True)
        files.open(name, writable=True).write_at(0, b"pin")

    (state,) = crash(disk)
    assert state.process().entries(PINS_DIRECTORY) == []
    assert disk.after_process_death().image() == disk.image()

    state.process().create(pin_name(1)).write_at(0, b"new")

    assert len(crash(state)) == 1


def test_a_directory_in_a_directory_needs_a_sync_of_its_own_parent() -> None:
    disk, files = new_store()
    files.make_directory("partitions")
    files.make_directory(PARTITION)
    add_file(files, SEGMENT, b"data")
    files.sync_directory("")
    assert left_of(disk, SEGMENT) == {None, b"data"}

    files.sync_directory("partitions")

    assert left_of(disk, SEGMENT) == {b"data"}


def test_an_unsynced_removal_of_a_directory_may_land_or_not() -> None:
    disk, files = new_store()
    add_partition(files)

    assert files.remove_directory(PARTITION)
    found = {tuple(state.process().entries("partitions")) for state in crash(disk)}
    assert found == {(), ("2026-11",)}

    files.sync_directory("partitions")
    found = {tuple(state.process().entries("partitions")) for state in crash(disk)}
    assert found == {()}


def test_a_directory_removed_and_made_again_may_be_either_or_none() -> None:
    """The old one comes back with the file in it, whose removal did not land."""
    disk, files = new_store()
    add_partition(files)
    add_file(files, SEGMENT, b"old")
    files.unlink(SEGMENT)
    assert files.remove_directory(PARTITION)
    files.make_directory(PARTITION)
    add_file(files, segment_name("2026-11", 4), b"new")

    found = left_of(disk, SEGMENT, segment_name("2026-11", 4))

    assert found == {(b"old", None), (None, None), (None, b"new")}


# --- Hard links


def two_stores(where: str, above: Path) -> tuple[Files, Files]:
    """Return the files of a store with one segment, and of an empty one beside it."""
    first: Files
    second: Files
    if where == "machine":
        first, second = (OsFiles.create_root(str(above / name)) for name in ("store", "copy"))
    else:
        disk = SimulatedDisk(str(above / "store"))
        first = disk.process(create=True)
        second = disk.process(create=True, store="copy")
    for files in (first, second):
        files.make_directory("partitions")
        files.make_directory(PARTITION)
    add_file(first, SEGMENT, b"data").close()
    return first, second


@pytest.mark.parametrize("where", ["machine", "simulated"])
def test_a_linked_file_is_the_same_under_both_names(where: str, tmp_path: Path) -> None:
    store, copy = two_stores(where, tmp_path)

    assert store.identity() != copy.identity()
    assert copy.link(SEGMENT, store)
    assert copy.map(SEGMENT).read(0, 4) == b"data"
    with pytest.raises(FileExistsError):
        copy.link(SEGMENT, store)
    with pytest.raises(CorruptionError, match="the file is missing"):
        copy.link(segment_name("2026-11", 9), store)
    store.open(SEGMENT, writable=True).write_at(0, b"D")
    assert copy.open(SEGMENT).read_at(0, 9) == b"Data"

    store.unlink(SEGMENT)

    assert copy.open(SEGMENT).read_at(0, 9) == b"Data"
    assert store.entries(PARTITION) == []
    for files in (store, copy):
        files.close()


def test_what_is_no_regular_file_is_not_linked(tmp_path: Path) -> None:
    store, copy = two_stores("machine", tmp_path)
    (tmp_path / "store" / SEGMENT).rename(tmp_path / "elsewhere")
    (tmp_path / "store" / SEGMENT).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CorruptionError, match="not a regular file"):
        copy.link(SEGMENT, store)

    assert copy.entries(PARTITION) == []
    assert not copy.link(SEGMENT, new_store()[1])
    for files in (store, copy):
        files.close()


def test_an_unsynced_link_may_land_or_not_and_keeps_what_was_synced(tmp_path: Path) -> None:
    store, copy = two_stores("simulated", tmp_path)
    assert isinstance(store, SimulatedFiles)
    for files in (store, copy):
        for directory in ("partitions", "", ".."):
            files.sync_directory(directory)
    store.sync_directory(PARTITION)
    store.open(SEGMENT).sync_data()
    assert copy.link(SEGMENT, store)
    store.unlink(SEGMENT)

    def found() -> set[tuple[bytes | None, ...]]:
        return {
            tuple(
                files.open(SEGMENT).read_at(0, 9) if files.exists(SEGMENT) else None
                for files in (state.process(), state.process(store="copy"))
            )
            for state in crash(store.disk)
        }

    assert found() == {(a, b) for a in (None, b"data") for b in (None, b"data")}
    copy.sync_directory(PARTITION)
    assert found() == {(None, b"data"), (b"data", b"data")}


# --- The iterator of crash states


def busy_disk() -> SimulatedDisk:
    """Return a disk with far more crash states than anybody can try."""
    disk, files = new_store()
    for number in range(1, 5):
        file = files.create(wal_name(number))
        for offset in range(0, 3 * PAGE, 1000):
            file.write_at(offset, bytes([number]) * 1000)
    return disk


def test_crash_states_are_all_combinations_when_they_fit_the_limit() -> None:
    disk, files = new_store()
    for name in (CURRENT, SHARED_MAP, WAL):
        file = add_file(files, name, b"....")
        for offset in range(4):
            file.write_at(offset, b"x")

    assert len(crash(disk, limit=16**3)) == 16**3


def test_crash_states_begin_with_nothing_and_everything_and_keep_to_the_limit() -> None:
    disk = busy_disk()

    nothing, everything = crash(disk, limit=2)

    assert nothing.process().entries("wal") == []
    assert everything.image() == disk.image()
    assert len(crash(disk, limit=500)) == 500


def test_crash_states_have_different_images() -> None:
    images = [state.image() for state in crash(busy_disk(), limit=1000)]

    assert len(set(images)) == len(images) == 1000


def test_equal_trees_have_equal_images_in_whatever_order_they_were_made() -> None:
    images = []
    for names in ([CURRENT, SHARED_MAP, WAL], [WAL, SHARED_MAP, CURRENT]):
        disk, files = new_store()
        for name in names:
            files.create(name)
        images.append(disk.image())

    assert images[0] == images[1]


def test_crash_states_skip_what_was_seen() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"a")
    seen: set[Image] = set()
    file.write_at(0, b"b")
    assert len(list(disk.crash_states(random.Random(0), 9, seen=seen))) == 2

    file.sync_data()
    file.write_at(0, b"c")

    states = list(disk.crash_states(random.Random(0), 9, seen=seen))
    assert [read(state, WAL) for state in states] == [b"c"]


def test_crash_states_of_crash_states_may_share_what_was_seen() -> None:
    """The limit is of one iterator: what another one adds meanwhile must not end it."""
    disk, files = new_store()
    file = add_file(files, WAL, b"..")
    file.write_at(0, b"a")
    file.write_at(1, b"b")
    seen: set[Image] = set()
    found = []
    for state in disk.crash_states(random.Random(0), 4, seen=seen):
        found.append(read(state, WAL))
        state.process().open(WAL, writable=True).write_at(0, bytes([len(found)]))
        assert len(list(state.crash_states(random.Random(0), 4, seen=seen))) == 1

    assert len(found) == 4


def test_crash_states_are_settled_at_the_call() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"a")
    file.write_at(0, b"b")
    files.create(CURRENT)

    states = disk.crash_states(random.Random(0), 9)
    file.write_at(0, b"c")
    file.sync_data()
    files.unlink(WAL)
    files.sync_directory("wal")
    files.sync_directory("")

    found = {(read(state, WAL), read(state, CURRENT)) for state in states}
    assert found == {(b"a", None), (b"a", b""), (b"b", None), (b"b", b"")}


def test_crash_states_leave_the_disk_as_it_is() -> None:
    disk = busy_disk()
    before = disk.image()

    for state in crash(disk, limit=50):
        files = state.process(create=True)
        files.create(SHARED_MAP).write_at(0, b"x")

    assert disk.image() == before


def test_a_crash_state_is_durable_and_can_crash_again() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"a")
    file.write_at(0, b"b")
    second = crash(disk)[1]

    assert read(second, WAL) == b"b"
    assert [state.image() for state in crash(second)] == [second.image()]
    assert second.log == []

    second.process().open(WAL, writable=True).write_at(0, b"c")

    assert left_of(second, WAL) == {b"b", b"c"}


def test_crash_states_and_the_log_depend_on_nothing_but_the_seed() -> None:
    first, second = busy_disk(), busy_disk()

    assert first.log == second.log
    images = [[state.image() for state in crash(disk, 300, seed=7)] for disk in (first, second)]
    assert images[0] == images[1]
    assert images[0] != [state.image() for state in crash(first, 300, seed=8)]


# --- Process death


def test_a_killed_process_can_do_nothing_more() -> None:
    _, files = new_store()
    file = add_file(files, WAL, b"data")
    mapped = files.map(WAL)
    lock = files.lock(LOCK_OPEN, files.pid)
    assert lock.try_acquire(exclusive=True)
    files.kill()

    calls: dict[str, Callable[[], object]] = {
        "identity": files.identity,
        "exists": lambda: files.exists(WAL),
        "free_bytes": files.free_bytes,
        "entries": lambda: files.entries(""),
        "make_directory": lambda: files.make_directory("names"),
        "remove_directory": lambda: files.remove_directory(PARTITION),
        "sync_directory": lambda: files.sync_directory(""),
        "create": lambda: files.create(CURRENT),
        "open": lambda: files.open(WAL),
        "map": lambda: files.map(WAL),
        "read": lambda: mapped.read(0, 1),
        "size of a map": mapped.size,
        "unlink": lambda: files.unlink(WAL),
        "lock": lambda: files.lock(LOCK_OPEN, 1),
        "read_at": lambda: file.read_at(0, 1),
        "write_at": lambda: file.write_at(0, b"x"),
        "size": file.size,
        "truncate": lambda: file.truncate(0),
        "sync_data": file.sync_data,
        "try_acquire": lambda: lock.try_acquire(exclusive=True),
        "acquire": lambda: lock.acquire(exclusive=True, timeout_s=0),
        "release": lock.release,
    }
    for call in calls.values():
        with pytest.raises(ProcessKilled):
            call()
    assert not issubclass(ProcessKilled, Exception)
    # What closes on the way out of a dead process must not add errors of its own.
    for close in (lock.close, file.close, mapped.close, files.abandon, files.close):
        close()


def test_a_killed_process_leaves_what_it_wrote_and_drops_its_locks() -> None:
    disk, files = new_store()
    files.create(WAL).write_at(0, b"data")
    assert files.lock(LOCK_OPEN, files.pid).try_acquire(exclusive=True)
    other = disk.process()
    assert not other.lock(LOCK_OPEN, other.pid).try_acquire(exclusive=False)

    files.kill()

    assert other.lock(LOCK_OPEN, other.pid).try_acquire(exclusive=True)
    assert read(disk, WAL) == b"data"


def test_what_a_dead_process_wrote_is_seen_and_may_still_be_lost() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"old")
    file.write_at(0, b"new")
    assert files.lock(LOCK_OPEN, files.pid).try_acquire(exclusive=True)

    survivor = disk.after_process_death()
    file.write_at(0, b"xxx")

    assert survivor.process().lock(LOCK_OPEN, 1).try_acquire(exclusive=True)
    assert read(survivor, WAL) == b"new"
    assert left_of(survivor, WAL) == {b"old", b"new"}

    survivor.process().open(WAL).sync_data()

    assert left_of(survivor, WAL) == {b"new"}


# --- Hooks


def steps(disk: SimulatedDisk, files: SimulatedFiles) -> Iterator[Callable[[], object]]:
    """Yield one call of every kind that changes the disk."""
    files.make_directory("partitions")
    yield lambda: files.make_directory(PARTITION)
    yield lambda: files.remove_directory(PARTITION)
    yield lambda: files.create(WAL)
    file = files.open(WAL, writable=True)
    yield lambda: file.write_at(0, b"data")
    yield lambda: file.truncate(2)
    yield file.sync_data
    yield lambda: files.sync_directory("wal")
    yield lambda: files.unlink(WAL)
    lock = files.lock(LOCK_OPEN, files.pid)
    files.create(LOCK_OPEN).close()
    yield lambda: lock.try_acquire(exclusive=True)
    yield lambda: disk.process(create=True)


def take(calls: Iterator[Callable[[], object]]) -> None:
    for call in calls:
        call()


KINDS_OF_STEPS = ["mkdir", "mkdir", "rmdir", "create", "write", "truncate", "sync"]
KINDS_OF_STEPS += ["sync_directory", "unlink", "create", "lock", "mkdir"]
NAMES_OF_STEPS = ["partitions", PARTITION, PARTITION, *[WAL] * 4, "wal", WAL, *[LOCK_OPEN] * 2, ""]


def test_the_hook_is_called_before_each_operation_with_its_kind_and_name() -> None:
    disk, files = new_store()
    start = disk.operation_count
    seen: list[tuple[str, str, int, Image]] = []

    def note(kind: str, name: str) -> None:
        seen.append((kind, name, disk.operation_count, disk.image()))

    disk.on_operation = note
    for step in steps(disk, files):
        count, before = len(seen), disk.image()
        step()
        # What comes before the step, such as making the lock file, is not looked at.
        assert seen[count][3] == before

    assert [kind for kind, *_ in seen] == KINDS_OF_STEPS
    assert [name for _, name, *_ in seen] == NAMES_OF_STEPS
    assert [index for *_, index, _ in seen] == list(range(start, start + len(seen)))
    assert disk.log[start:] == [(kind, name) for kind, name, *_ in seen]


@pytest.mark.parametrize("index", range(len(KINDS_OF_STEPS) - 1))
def test_a_kill_in_the_hook_keeps_the_operation_from_happening(index: int) -> None:
    disk, files = new_store()
    end = disk.operation_count + index
    before: list[Image] = []

    def kill(kind: str, name: str) -> None:
        if disk.operation_count == end:
            before.append(disk.image())
            files.kill()

    disk.on_operation = kill
    with pytest.raises(ProcessKilled):
        take(steps(disk, files))

    assert [disk.image()] == before
    assert disk.operation_count == end
    assert disk.process().lock(LOCK_OPEN, 1).try_acquire(exclusive=True)


def test_what_the_hook_raises_keeps_the_operation_from_happening() -> None:
    disk, files = new_store()
    file = add_file(files, WAL, b"old")

    def interrupt(kind: str, name: str) -> None:
        raise KeyboardInterrupt

    disk.on_operation = interrupt
    with pytest.raises(KeyboardInterrupt):
        file.write_at(0, b"new")

    assert file.read_at(0, 3) == b"old"
    assert disk.log[-1] != ("write", WAL)


def test_the_hook_may_let_another_process_make_the_lock_file_first() -> None:
    disk, files = new_store()
    other = disk.process()

    def overtake(kind: str, name: str) -> None:
        if kind == "create":
            disk.on_operation = None
            assert other.lock(LOCK_OPEN, other.pid).try_acquire(exclusive=True)

    disk.on_operation = overtake

    assert not files.lock(LOCK_OPEN, files.pid).try_acquire(exclusive=True)


# --- Locks


def locks(count: int) -> list[Lock]:
    """Return the same lock in that many processes, with pids from 1 on."""
    disk, _ = new_store()
    return [disk.process(pid).lock(LOCK_OPEN, pid) for pid in range(1, count + 1)]


def test_a_lock_is_held_by_many_or_exclusively_by_one() -> None:
    first, second, third = locks(3)

    assert first.try_acquire(exclusive=False)
    assert second.try_acquire(exclusive=False)
    assert not third.try_acquire(exclusive=True)

    first.release()
    second.close()

    assert third.try_acquire(exclusive=True)
    assert not first.try_acquire(exclusive=False)


def test_two_locks_of_one_process_exclude_each_other() -> None:
    _, files = new_store()

    assert files.lock(LOCK_OPEN, 1).try_acquire(exclusive=True)
    assert not files.lock(LOCK_OPEN, 1).try_acquire(exclusive=True)


def test_a_lock_is_converted_when_nobody_is_in_the_way() -> None:
    first, second = locks(2)

    assert first.try_acquire(exclusive=False)
    assert first.try_acquire(exclusive=True)
    assert not second.try_acquire(exclusive=False)

    assert first.try_acquire(exclusive=False)
    assert second.try_acquire(exclusive=False)


def test_a_conversion_that_fails_gives_up_what_was_held() -> None:
    first, second, third = locks(3)
    assert first.try_acquire(exclusive=False)
    assert second.try_acquire(exclusive=False)

    assert not first.try_acquire(exclusive=True)
    second.release()

    assert third.try_acquire(exclusive=True)


def test_a_contended_acquire_raises_at_once_and_names_the_holder() -> None:
    first, second = locks(2)
    first.acquire(exclusive=True, timeout_s=5)

    with pytest.raises(LockedError, match=r"locks/open is held by process 1 ") as caught:
        second.acquire(exclusive=False, timeout_s=3600)
    assert caught.value.pid == 1


def test_a_removed_lock_file_does_not_let_two_in() -> None:
    disk, files = new_store()
    first, second = files.lock(LOCK_OPEN, 1), files.lock(LOCK_OPEN, 2)
    assert first.try_acquire(exclusive=True)
    files.unlink(LOCK_OPEN)

    assert second.try_acquire(exclusive=True)
    assert not first.try_acquire(exclusive=True)
    assert disk.log.count(("create", LOCK_OPEN)) == 2


def test_closed_files_let_go_of_their_locks_and_abandoned_ones_do_not() -> None:
    disk, files = new_store()
    child, other = disk.process(), disk.process().lock(LOCK_OPEN, 3)
    lock = files.lock(LOCK_OPEN, 1)
    assert lock.try_acquire(exclusive=True)
    files.close()
    assert child.lock(LOCK_OPEN, 2).try_acquire(exclusive=True)

    child.abandon()
    assert not other.try_acquire(exclusive=True)

    child.kill()
    assert other.try_acquire(exclusive=True)


def test_the_holders_number_is_not_written_so_that_lock_files_stay_empty() -> None:
    disk, files = new_store()
    assert files.lock(LOCK_OPEN, 77).try_acquire(exclusive=True)

    assert read(disk, LOCK_OPEN) == b""


# --- Faults


def failing(*faults: Fault) -> tuple[SimulatedDisk, FaultyFiles]:
    disk, files = new_store()
    return disk, FaultyFiles(files, FaultPlan(*faults))


def error_number(call: Callable[[], object]) -> int | None:
    """Return the errno behind the StorageError that a call raises, or None if it does not."""
    try:
        call()
    except StorageError as error:
        return cause_number(error)
    return None


def cause_number(error: StorageError) -> int | None:
    assert isinstance(error.__cause__, OSError)
    return error.__cause__.errno


def test_a_fault_fails_one_call_of_its_kind_and_file() -> None:
    fault = Fault({"write"}, errno.ENOSPC, names=r"wal/.*", index=1)
    disk, files = failing(fault)
    current, wal = files.create(CURRENT), files.create(WAL)

    numbers = [
        error_number(functools.partial(file.write_at, 0, b"x")) for file in [current, wal] * 3
    ]

    assert numbers == [None, None, None, errno.ENOSPC, None, None]
    assert disk.log.count(("write", WAL)) == 2


def test_a_sticky_fault_fails_until_it_is_taken_away() -> None:
    disk, files = failing(Fault({"create", "write"}, errno.ENOSPC, index=1, is_sticky=True))
    file = files.create(CURRENT)

    assert error_number(lambda: file.write_at(0, b"x")) == errno.ENOSPC
    assert error_number(lambda: files.create(WAL)) == errno.ENOSPC
    assert error_number(file.sync_data) is None

    files.plan.faults.clear()
    file.write_at(0, b"x")

    assert read(disk, CURRENT) == b"x"


def test_a_short_write_leaves_a_part_and_fails() -> None:
    disk, files = failing(Fault({"write"}, errno.EFBIG, landed=3))
    file = files.create(WAL)

    assert error_number(lambda: file.write_at(1, b"abcdef")) == errno.EFBIG
    assert read(disk, WAL) == b"\0abc"


def test_a_failed_sync_loses_what_it_did_not_write_and_shows_it_still() -> None:
    disk, files = failing(Fault({"sync"}, errno.EIO, index=1))
    file = add_file(files, WAL, b"old")
    file.write_at(0, b"new")

    assert error_number(file.sync_data) == errno.EIO
    assert file.read_at(0, 3) == b"new"

    file.write_at(4, b"more")
    file.sync_data()

    # Nothing failed this time, and still the earlier write is not known to be durable.
    assert left_of(disk, WAL) == {b"old\0more", b"new\0more"}
    assert read(disk.after_process_death(), WAL) == b"new\0more"

    file.write_at(0, b"new")
    file.sync_data()

    assert left_of(disk, WAL) == {b"new\0more"}


def test_a_failed_sync_of_a_directory_can_be_tried_again() -> None:
    disk, files = failing(Fault({"sync_directory"}, errno.EIO))
    file = files.create(WAL)
    file.sync_data()

    assert error_number(lambda: files.sync_directory("wal")) == errno.EIO
    assert left_of(disk, WAL) == {None, b""}

    files.sync_directory("wal")

    assert left_of(disk, WAL) == {b""}


def test_a_directory_that_cannot_be_synced_looks_as_if_it_was() -> None:
    disk, files = failing(Fault({"sync_directory"}, errno.EINVAL))
    files.create(WAL)

    files.sync_directory("wal")

    assert left_of(disk, WAL) == {None, b""}


def test_a_fault_may_be_an_exception_instead_of_an_error_of_the_machine() -> None:
    disk, files = failing(Fault({"sync"}, KeyboardInterrupt))
    file = files.create(WAL)
    file.write_at(0, b"x")
    with pytest.raises(KeyboardInterrupt):
        file.sync_data()

    file.sync_data()
    files.sync_directory("wal")

    assert left_of(disk, WAL) == {b"x"}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("where", ["simulated", "machine"])
def test_every_kind_of_call_can_fail_over_any_files(kind: str, where: str, tmp_path: Path) -> None:
    inner: Files = new_store()[1] if where == "simulated" else OsFiles(str(tmp_path))
    for directory in ("wal", "locks", "partitions", PARTITION):
        inner.make_directory(directory)
    files: Files = FaultyFiles(inner, FaultPlan(Fault({kind}, errno.EIO, is_sticky=True)))
    other = OsFiles(str(tmp_path)) if where == "simulated" else new_store()[1]
    calls: list[tuple[str, Callable[[], object]]] = [
        ("create", lambda: files.create(CURRENT)),
        ("mkdir", lambda: files.make_directory("names")),
        ("sync_directory", lambda: files.sync_directory("")),
        ("list", lambda: files.entries("")),
        ("look", lambda: files.exists(CURRENT)),
        ("look", files.free_bytes),
        ("lock", lambda: files.lock(LOCK_OPEN, 1).try_acquire(exclusive=True)),
        ("open", lambda: files.open(SHARED_MAP)),
        ("map", lambda: files.map(SHARED_MAP)),
        ("rmdir", lambda: files.remove_directory(PARTITION)),
        ("link", lambda: files.link(SHARED_MAP, other)),
        ("unlink", lambda: files.unlink(SHARED_MAP)),
    ]
    inner.create(SHARED_MAP).close()
    mapped = files.map(SHARED_MAP) if kind != "map" else None
    if mapped is not None:
        calls += [("read", lambda: mapped.read(0, 0)), ("look", mapped.size)]
    file = files.open(SHARED_MAP, writable=True) if kind != "open" else None
    if file is not None:
        calls = [
            ("write", lambda: file.write_at(0, b"x")),
            ("read", lambda: file.read_at(0, 1)),
            ("sync", file.sync_data),
            ("truncate", lambda: file.truncate(0)),
            ("look", file.size),
            *calls,
        ]
    expected = [at for at, (name, _) in enumerate(calls) if name == kind]

    failed = [at for at, (_, call) in enumerate(calls) if error_number(call) == errno.EIO]

    assert failed == expected != []
    files.close()


def test_a_plan_notes_the_calls_so_that_a_second_run_can_fail_each() -> None:
    disk, files = failing()
    add_file(files, WAL, b"x")
    files.lock(LOCK_OPEN, 1).acquire(exclusive=True, timeout_s=0)

    calls = [("create", WAL), ("write", WAL), ("sync", WAL), ("sync_directory", "wal")]
    assert files.plan.calls == [*calls, ("lock", LOCK_OPEN)]
    assert disk.log[-6:] == [*files.plan.calls, ("create", LOCK_OPEN)]


# --- A lying disk, and the point of it all


def test_an_ignored_sync_does_nothing_and_stays_ignored_after_the_power_cut() -> None:
    disk, files = new_store()
    disk.ignores_sync = lambda kind, name: (kind, name) == ("sync", WAL)
    add_file(files, WAL, b"x")
    assert disk.log[-2:] == [("sync", WAL), ("sync_directory", "wal")]
    assert left_of(disk, WAL) == {b"", b"\0", b"x"}

    disk.ignores_sync = lambda kind, name: kind == "sync_directory"
    files.create(CURRENT)
    files.sync_directory("")
    assert left_of(disk, CURRENT) == {None, b""}

    again = crash(disk)[0]
    again.process().create(SHARED_MAP)
    again.process().sync_directory("")
    assert left_of(again, SHARED_MAP) == {None, b""}


def commit_to_a_new_store(files: SimulatedFiles) -> None:
    """Make a store that holds one record: a pointer, a directory and a log."""
    files.make_directory("wal")
    files.sync_directory("..")
    log = files.create(WAL)
    log.write_at(0, b"record")
    log.sync_data()
    files.sync_directory("wal")
    current = files.create(CURRENT)
    current.write_at(0, b"1")
    current.sync_data()
    files.sync_directory("")


def test_leaving_out_any_one_sync_is_found_by_some_crash_state() -> None:
    disk = SimulatedDisk()
    commit_to_a_new_store(disk.process(create=True))
    assert left_of(disk, CURRENT, WAL) == {(b"1", b"record")}

    syncs = [index for index, (kind, _) in enumerate(disk.log) if kind.startswith("sync")]
    assert len(syncs) == 5
    for left_out in syncs:
        lying = SimulatedDisk()

        def ignores(
            kind: str, name: str, lying: SimulatedDisk = lying, left_out: int = left_out
        ) -> bool:
            return lying.operation_count == left_out + 1

        lying.ignores_sync = ignores
        commit_to_a_new_store(lying.process(create=True))

        assert left_of(lying, CURRENT, WAL) > {(b"1", b"record")}, disk.log[left_out]


# --- The disk behaves like the machine while it is up


def test_a_missing_store_is_not_made_without_being_asked() -> None:
    disk = SimulatedDisk()

    with pytest.raises(StoreNotFoundError):
        disk.process()
    assert disk.process(create=True).entries("") == []
    assert disk.process(create=True).identity() == disk.process().identity()
    assert disk.process().identity() != SimulatedDisk().process(create=True).identity()


def test_processes_see_what_the_others_wrote_at_once() -> None:
    disk, files = new_store()
    file = files.create(WAL)
    seen_by_other = disk.process().open(WAL)
    file.write_at(0, b"data")

    assert seen_by_other.read_at(0, 9) == b"data"

    files.unlink(WAL)

    assert seen_by_other.read_at(0, 9) == b"data"
    assert not disk.process().exists(WAL)


def test_closed_files_cannot_be_used() -> None:
    _, files = new_store()
    file = add_file(files, WAL, b"data")
    mapped = files.map(WAL)
    files.close()
    files.close()

    assert error_number(lambda: file.read_at(0, 1)) == errno.EBADF
    assert error_number(lambda: mapped.read(0, 1)) == errno.EBADF
    assert error_number(lambda: files.map(WAL)) == errno.EBADF
    assert error_number(lambda: files.open(WAL)) == errno.EBADF


def test_every_process_has_a_number_of_its_own_unless_one_is_given() -> None:
    disk, files = new_store()

    assert files.pid != disk.process().pid
    assert disk.process(42).pid == 42


NAMES = st.sampled_from(
    [CURRENT, SHARED_MAP, wal_name(1), wal_name(2), manifest_name(1), SEGMENT, LOCK_OPEN]
)
DATA_NAMES = NAMES.filter(lambda name: name != LOCK_OPEN)
PARTITIONS = st.sampled_from([PARTITION, "partitions/2026-12"])
DIRECTORIES = st.sampled_from(["wal", "manifest", "locks", "names", "partitions"]) | PARTITIONS
OFFSETS = st.integers(-1, 40)
FILE_CALLS = st.one_of(
    st.tuples(st.just("read_at"), st.tuples(OFFSETS, st.integers(0, 40))),
    st.tuples(st.just("write_at"), st.tuples(OFFSETS, st.binary(max_size=9))),
    st.tuples(st.just("truncate"), st.tuples(OFFSETS)),
    st.tuples(st.sampled_from(["size", "sync_data", "close"]), st.just(())),
)
MAP_CALLS = st.one_of(
    st.tuples(st.just("read"), st.tuples(st.integers(0, 40), st.integers(0, 40))),
    st.tuples(st.sampled_from(["size", "close"]), st.just(())),
)
DIRECTORY_CALLS = st.one_of(
    st.tuples(st.sampled_from(["create", "open", "open_to_write", "map"]), st.tuples(DATA_NAMES)),
    st.tuples(st.just("remove_directory"), st.tuples(PARTITIONS)),
    st.tuples(st.sampled_from(["exists", "unlink"]), st.tuples(NAMES)),
    st.tuples(st.just("make_directory"), st.tuples(DIRECTORIES | st.just(CURRENT))),
    st.tuples(
        st.sampled_from(["entries", "sync_directory"]),
        st.tuples(DIRECTORIES | st.sampled_from(["", CURRENT])),
    ),
    st.tuples(st.just("sync_directory"), st.just(("..",))),
)
LOCK_CALLS = st.sampled_from(
    [("try_acquire", (True,)), ("try_acquire", (False,)), ("release", ()), ("close", ())]
)
CALLS = st.one_of(
    st.tuples(st.just("file"), st.integers(0, 5), FILE_CALLS),
    st.tuples(st.just("map"), st.integers(0, 2), MAP_CALLS),
    st.tuples(st.just("files"), st.integers(0, 1), DIRECTORY_CALLS),
    st.tuples(st.just("lock"), st.integers(0, 3), LOCK_CALLS),
    st.tuples(st.just("restart"), st.integers(0, 1), st.just(("", ()))),
)


class Side:
    """Two processes on one of the two machines that are compared."""

    def __init__(self, start: Callable[[], Files]) -> None:
        self.start = start
        self.processes = [start(), start()]
        self.files: list[File] = []
        self.maps: list[FileMap] = []
        self.locks: list[Lock] = []
        for directory in ("wal", "partitions", PARTITION):
            self.processes[0].make_directory(directory)
        for name in (CURRENT, WAL):
            self.files.append(self.processes[0].create(name))
        self.files[-1].write_at(0, b"mapped")
        self.maps.append(self.processes[0].map(WAL))
        for process in self.processes:
            self.locks += [process.lock(LOCK_OPEN, 1), process.lock(LOCK_OPEN, 1)]

    def call(self, target: str, index: int, call: tuple[str, tuple[Any, ...]]) -> object:
        """Return what a call returned, or what can be compared of its error."""
        name, arguments = call
        try:
            if target == "file":
                file = self.files[-1 - index % len(self.files)]
                return self.call_file(file, name, arguments)
            if target == "map":
                return getattr(self.maps[-1 - index % len(self.maps)], name)(*arguments)
            if target == "lock":
                return self.call_lock(self.locks[index], name, arguments)
            if target == "restart":
                self.restart(index)
                return None
            return self.call_process(self.processes[index], name, arguments)
        except (LithographError, OSError) as error:
            cause = error.__cause__ if isinstance(error, StorageError) else error
            number = cause.errno if isinstance(cause, OSError) else None
            # The system's own message has the name without the directory.
            message = str(error) if isinstance(error, LithographError) else ""
            return type(error), number, message

    def call_file(self, file: File, name: str, arguments: tuple[Any, ...]) -> object:
        try:
            return getattr(file, name)(*arguments)
        except ValueError:
            # `os.fdatasync` has an error of its own for the descriptor of a closed file.
            assert name == "sync_data"
            closed = os_error(errno.EBADF)
            raise failed("sync", file.path, closed) from closed

    def call_process(self, process: Files, name: str, arguments: tuple[Any, ...]) -> object:
        if name in ("create", "open"):
            self.files.append(getattr(process, name)(*arguments))
            return self.files[-1].path
        if name == "open_to_write":
            self.files.append(process.open(*arguments, writable=True))
            return self.files[-1].path
        if name == "map":
            self.maps.append(process.map(*arguments))
            return self.maps[-1].path
        return getattr(process, name)(*arguments)

    def call_lock(self, lock: Lock, name: str, arguments: tuple[Any, ...]) -> object:
        if name == "try_acquire":
            return lock.try_acquire(exclusive=arguments[0])
        return getattr(lock, name)()

    def restart(self, index: int) -> None:
        self.processes[index].close()
        self.processes[index] = self.start()
        lock = self.processes[index].lock
        self.locks[2 * index : 2 * index + 2] = [lock(LOCK_OPEN, 1), lock(LOCK_OPEN, 1)]

    def close(self) -> None:
        for lock in self.locks:
            lock.close()
        for process in self.processes:
            process.close()


@given(calls=st.lists(CALLS, max_size=40))
@settings(deadline=None, max_examples=max(300, settings().max_examples))
def test_while_it_is_up_the_disk_behaves_like_the_machine(calls: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as above:
        root = str(Path(above, "store"))
        disk = SimulatedDisk(root)
        machine, simulated = (
            Side(lambda: OsFiles.create_root(root)),
            Side(lambda: disk.process(create=True)),
        )
        for side in (machine, simulated):
            side.processes[0].make_directory("locks")
        try:
            for target, index, call in calls:
                expected = machine.call(target, index, call)
                assert simulated.call(target, index, call) == expected, (target, index, call)
        finally:
            machine.close()
            simulated.close()


def test_files_that_are_no_files_are_refused_as_on_the_machine(tmp_path: Path) -> None:
    root = str(tmp_path / "store")
    disk = SimulatedDisk(root)
    for files in (OsFiles.create_root(root), disk.process(create=True)):
        files.make_directory(CURRENT)

        with pytest.raises(CorruptionError, match="not a regular file"):
            files.open(CURRENT)
        assert error_number(functools.partial(files.open, CURRENT, writable=True)) == errno.EISDIR
        assert error_number(functools.partial(files.unlink, CURRENT)) == errno.EISDIR
        with pytest.raises(FileExistsError):
            files.create(CURRENT)
        files.close()


def test_a_file_opened_to_read_is_not_written_as_on_the_machine(tmp_path: Path) -> None:
    root = str(tmp_path / "store")
    disk = SimulatedDisk(root)
    for files in (OsFiles.create_root(root), disk.process(create=True)):
        files.create(CURRENT).write_at(0, b"data")
        file = files.open(CURRENT)

        assert error_number(functools.partial(file.write_at, 0, b"x")) == errno.EBADF
        assert error_number(functools.partial(file.truncate, 0)) == errno.EINVAL
        assert file.read_at(0, 9) == b"data"
        file.sync_data()
        files.close()


def test_an_empty_write_changes_nothing_as_on_the_machine(tmp_path: Path) -> None:
    root = str(tmp_path / "store")
    disk = SimulatedDisk(root)
    for files in (OsFiles.create_root(root), disk.process(create=True)):
        file = files.create(CURRENT)
        file.write_at(5, b"")

        assert file.size() == 0
        files.close()


@pytest.mark.parametrize("where", ["machine", "simulated"])
def test_a_map_reads_what_is_there_and_notices_when_it_is_cut(where: str, tmp_path: Path) -> None:
    files: Files = OsFiles(str(tmp_path)) if where == "machine" else new_store()[1]
    add_partition(files)
    file = add_file(files, SEGMENT, b"0123456789")
    mapped = files.map(SEGMENT)
    assert (mapped.size(), mapped.read(0, 10), mapped.read(3, 4), mapped.read(10, 0)) == (
        10,
        b"0123456789",
        b"3456",
        b"",
    )

    file.truncate(6)

    assert mapped.size() == 6
    assert mapped.read(2, 4) == b"2345"
    with pytest.raises(TruncatedError, match="bytes 3 to 7 are wanted, the file ends at 6") as cut:
        mapped.read(3, 4)
    assert (cut.value.path, cut.value.offset) == (files.path_of(SEGMENT), 6)
    files.close()


@pytest.mark.parametrize("where", ["machine", "simulated"])
def test_a_map_outlives_the_name_of_its_file_and_its_directory(where: str, tmp_path: Path) -> None:
    files: Files = OsFiles(str(tmp_path)) if where == "machine" else new_store()[1]
    add_partition(files)
    add_file(files, SEGMENT, b"data").close()
    mapped = files.map(SEGMENT)
    assert not files.remove_directory(PARTITION)
    files.unlink(SEGMENT)
    assert files.remove_directory(PARTITION)
    assert not files.remove_directory(PARTITION)

    assert mapped.read(0, 4) == b"data"
    with pytest.raises(CorruptionError, match="the file is missing"):
        files.map(SEGMENT)

    mapped.close()
    mapped.close()

    assert error_number(lambda: mapped.read(0, 4)) == errno.EBADF
    assert error_number(mapped.size) == errno.EBADF
    files.close()


@pytest.mark.parametrize("where", ["machine", "simulated"])
def test_an_empty_file_has_an_empty_map(where: str, tmp_path: Path) -> None:
    files: Files = OsFiles(str(tmp_path)) if where == "machine" else new_store()[1]
    add_partition(files)
    file = add_file(files, SEGMENT, b"")
    mapped = files.map(SEGMENT)
    file.write_at(0, b"late")

    assert (mapped.size(), mapped.read(0, 0)) == (0, b"")
    with pytest.raises(TruncatedError):
        mapped.read(0, 1)

    mapped.close()

    assert error_number(mapped.size) == errno.EBADF
    files.close()


def test_the_simulation_is_what_the_engine_asks_for() -> None:
    """For the type checker: these assignments are the test."""
    _, files = new_store()
    as_files: Files = files
    as_file: File = as_files.create(WAL)
    as_lock: Lock = as_files.lock(LOCK_OPEN, 1)
    as_map: FileMap = as_files.map(WAL)

    as_map.close()
    assert isinstance(as_file, SimulatedFile)
    as_lock.close()
