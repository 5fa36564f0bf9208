"""The pool of open files: any number of files behind few descriptors, and nobody reads in vain."""

from __future__ import annotations

import functools
import random
import threading
from pathlib import Path

import pytest

from lithograph.errors import ClosedError
from lithograph.files import OsFiles
from lithograph.formats.file_names import segment_name
from lithograph.segments.map_pool import MapPool
from lithograph.tools.testing.child_process import ChildProcess


class Thing:
    """Counts how many of its kind are alive, and how often it was closed."""

    alive = 0

    def __init__(self, key: object = None) -> None:
        self.key = key
        self.close_count = 0
        Thing.alive += 1

    def __del__(self) -> None:
        Thing.alive -= 1

    def close(self) -> None:
        self.close_count += 1


@pytest.fixture(autouse=True)
def count() -> None:
    Thing.alive = 0


def test_a_thing_is_opened_once_as_long_as_it_is_used_often_enough() -> None:
    pool = MapPool(2)
    first = pool.get("a", Thing)
    pool.get("b", Thing)
    assert pool.get("a", Thing) is first

    pool.get("c", Thing)

    assert pool.open_count == 2
    assert pool.get("a", Thing) is first
    assert Thing.alive == 2


def test_what_is_let_go_lives_as_long_as_somebody_uses_it_and_is_not_closed() -> None:
    pool = MapPool(1)
    used = pool.get("a", Thing)
    pool.get("b", Thing)
    pool.get("c", Thing)
    assert Thing.alive == 2
    assert used.close_count == 0

    del used

    assert Thing.alive == 1


def test_a_dropped_thing_is_opened_anew() -> None:
    pool = MapPool(2)
    first = pool.get("a", Thing)
    pool.drop("a")
    pool.drop("never there")
    assert pool.open_count == 0

    assert pool.get("a", Thing) is not first
    assert first.close_count == 0


def test_shrinking_lets_go_of_the_half_that_was_not_used_for_longest() -> None:
    pool = MapPool(5)
    for key in "abcde":
        pool.get(key, Thing)
    pool.get("a", Thing)

    assert pool.shrink()
    assert pool.open_count == Thing.alive == 2
    first, second = (pool.get(key, Thing) for key in "ea")
    assert Thing.alive == 2
    del first, second

    assert [pool.shrink() for _ in range(3)] == [True, True, False]
    assert pool.open_count == Thing.alive == 0


def test_a_closed_pool_has_closed_everything_and_opens_nothing() -> None:
    pool = MapPool(3)
    used = pool.get("a", Thing)
    pool.close()
    pool.close()

    assert used.close_count == 1
    for key in "ab":
        with pytest.raises(ClosedError):
            pool.get(key, Thing)
    assert not pool.shrink()


def test_what_was_opened_while_the_pool_was_closed_is_closed() -> None:
    pool = MapPool(3)
    opened = Thing()

    def open_late() -> Thing:
        pool.close()
        return opened

    with pytest.raises(ClosedError):
        pool.get("a", open_late)
    assert opened.close_count == 1
    assert pool.open_count == 0


def test_what_an_opener_raises_passes_and_the_next_one_tries_again() -> None:
    pool = MapPool(3)

    def fail() -> Thing:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        pool.get("a", fail)
    assert pool.open_count == 0
    assert isinstance(pool.get("a", Thing), Thing)


def test_an_opener_may_shrink_the_pool_as_an_exhausted_machine_does() -> None:
    pool = MapPool(3)
    pool.get("a", Thing)

    opened = pool.get("b", lambda: Thing(pool.shrink()))

    assert opened.key is True
    assert (pool.open_count, Thing.alive) == (1, 1)


def test_of_two_that_open_at_once_the_first_is_kept_and_the_other_closed() -> None:
    pool = MapPool(3)
    made: list[Thing] = []

    def open_slowly() -> Thing:
        made.append(pool.get("a", Thing))
        made.append(Thing())
        return made[1]

    found = pool.get("a", open_slowly)

    assert found is made[0]
    assert [thing.close_count for thing in made] == [0, 1]


def test_threads_share_a_pool() -> None:
    pool = MapPool(4)
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(3000):
            key = rng.randrange(9)
            thing = pool.get(key, functools.partial(Thing, key))
            if thing.key != key or thing.close_count:
                wrong.append(thing)
            if rng.random() < 0.02:
                pool.shrink()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert pool.open_count <= 4


# --- A store of thousands of files, and a process with 64 descriptors

FILE_COUNT = 2000
YEARS = range(3000, 3000 + FILE_COUNT)


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with as many partitions as files; each file holds its number."""
    path = tmp_path_factory.mktemp("large")
    files = OsFiles(str(path))
    files.make_directory("partitions")
    for year in YEARS:
        files.make_directory(f"partitions/{year}")
        file = files.create(segment_name(str(year), year))
        file.write_at(0, year.to_bytes(8, "little") * 20)
        file.close()
    files.close()
    return path


CHILD = """
from lithograph.files import OsFiles
from lithograph.formats.file_names import segment_name
from lithograph.segments.map_pool import MapPool
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
files = OsFiles(path)
pool = MapPool(OPEN_MAX)
shrunk = []
def make_room():
    shrunk.append(pool.open_count)
    return pool.shrink()
files.on_exhausted = make_room
def read(year, at):
    mapped = pool.get(year, lambda: files.map(segment_name(str(year), year)))
    return int.from_bytes(mapped.read(8 * at, 8), "little") == year
kept = [files.map(segment_name(str(year), year)) for year in YEARS[:5]]
right = sum(read(year, at) for at, years in enumerate((YEARS, YEARS[::-1], YEARS[::3]))
            for year in years)
right += sum(mapped.read(0, 8) == (3000 + at).to_bytes(8, "little")
             for at, mapped in enumerate(kept))
"""


@pytest.mark.parametrize("open_max", [1, 20, 40, 5000])
def test_thousands_of_files_are_read_with_few_descriptors(large_store: Path, open_max: int) -> None:
    code = f"OPEN_MAX, YEARS = {open_max}, {YEARS!r}\n{CHILD}"
    with ChildProcess(large_store) as child:
        child.run(f"exec({code!r}, globals())")

        assert child.run("right") == 2 * FILE_COUNT + len(YEARS[::3]) + 5
        open_count, shrunk = child.run("pool.open_count"), child.run("shrunk")
        child.run("pool.close()")
        assert child.run("len(os.listdir('/proc/self/fd'))") < 16
    assert open_count <= min(open_max, 64)
    # A pool that fits is never called; one that does not goes on with half of what fitted.
    assert bool(shrunk) == (open_max > 64)
    assert all(40 < count < 64 for count in shrunk)
