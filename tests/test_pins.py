"""Pins: what living processes may still read is kept, and nobody else's."""

from __future__ import annotations

import errno
import gc
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithograph.catalog.pins import Pin, read_pins
from lithograph.environment import Environment
from lithograph.errors import ChecksumError, CorruptionError, StorageError, TruncatedError
from lithograph.files import Files, OsFiles
from lithograph.formats.file_names import LOCKS_DIRECTORY, PINS_DIRECTORY, pin_name
from lithograph.formats.pin import NO_SEQUENCE, PIN, PIN_SIZE, PINS_EVERYTHING, PinState
from lithograph.tools.testing.child_process import ChildProcess
from lithograph.tools.testing.faulty_files import Fault, FaultPlan, FaultyFiles
from lithograph.tools.testing.simulated_disk import SimulatedDisk

# --- The bytes

GOLDEN = bytes.fromhex(
    "0700000000000000 ffffffffffffff7f d204000000000000" + "00" * 32 + "2e5798454a66a087"
)
SAMPLE = PinState(7, NO_SEQUENCE, 1234)


def test_a_pin_has_the_bytes_of_the_spec() -> None:
    assert SAMPLE.encode() == GOLDEN
    assert PinState.decode(GOLDEN) == SAMPLE


@given(
    generation=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, NO_SEQUENCE),
    process=st.integers(0, 2**64 - 1),
)
def test_a_pin_comes_back_as_it_was(generation: int, sequence: int, process: int) -> None:
    state = PinState(generation, sequence, process)

    assert PinState.decode(state.encode()) == state


def test_a_pin_that_is_too_short_is_truncated() -> None:
    for size in range(PIN_SIZE):
        with pytest.raises(TruncatedError):
            PinState.decode(GOLDEN[:size])


def test_any_flipped_bit_of_a_pin_is_corruption() -> None:
    for bit in range(8 * PIN_SIZE):
        data = bytearray(GOLDEN)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptionError):
            PinState.decode(data)


def test_a_sound_checksum_does_not_excuse_a_sequence_out_of_range() -> None:
    data = PinState(1, NO_SEQUENCE + 1, 1).encode()

    with pytest.raises(CorruptionError, match="a sequence of 9223372036854775808") as caught:
        PinState.decode(data)
    assert not isinstance(caught.value, ChecksumError)
    assert caught.value.offset == PIN.offset_of["sequence"]


# --- Processes on both machines

Start = Callable[[], Files]


@pytest.fixture(params=["machine", "simulated"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """A function that starts a process on one store."""
    disk = SimulatedDisk()
    disk.process(create=True)
    started: list[Files] = []

    def start() -> Files:
        started.append(OsFiles(str(tmp_path)) if request.param == "machine" else disk.process())
        return started[-1]

    start().make_directory(LOCKS_DIRECTORY)
    yield start
    for files in started:
        files.close()


def environment(*identities: int) -> Environment:
    """Return an environment whose random numbers are these."""
    numbers = iter(identities)
    return replace(
        Environment(), random_u64=lambda: next(numbers), process_id=itertools.repeat(4321).__next__
    )


def pins(files: Files) -> list[str]:
    return files.entries(PINS_DIRECTORY)


def write(files: Files, name: str, data: bytes) -> None:
    file = files.open(name, writable=True)
    file.truncate(0)
    file.write_at(0, data)
    file.close()


def test_every_process_sees_what_all_of_them_pin(start: Start) -> None:
    first, second, third = start(), start(), start()
    assert read_pins(third) == []

    Pin.take(first, environment(1), 5, NO_SEQUENCE)
    pin = Pin.take(second, environment(2), 3, 70)

    states = [PinState(5, NO_SEQUENCE, 4321), PinState(3, 70, 4321)]
    for files in (first, second, third):
        assert read_pins(files) == states

    pin.update(6, 80)

    assert read_pins(first)[1] == PinState(6, 80, 4321)


def test_a_released_pin_is_gone(start: Start) -> None:
    files = start()
    pin = Pin.take(files, environment(1), 5, NO_SEQUENCE)
    pin.release()

    assert pins(files) == []
    assert read_pins(start()) == []


def test_the_pin_of_a_dead_process_is_removed_whatever_it_holds(start: Start) -> None:
    dead, files = start(), start()
    for identity, content in enumerate((b"", b"\xff" * PIN_SIZE, SAMPLE.encode(), GOLDEN * 99)):
        write(dead, Pin.take(dead, environment(identity), 1, 1).name, content)
    Pin.take(files, environment(9), 5, NO_SEQUENCE)
    dead.close()
    assert len(pins(files)) == 5

    assert read_pins(files) == [PinState(5, NO_SEQUENCE, 4321)]
    assert pins(files) == [pin_name(9).rpartition("/")[2]]


@pytest.mark.parametrize(
    "content",
    [b"", GOLDEN[:-1], b"\xff" * PIN_SIZE, bytes(PIN_SIZE), PinState(1, 2**63, 1).encode()],
    ids=["empty", "short", "ones", "zeros", "out of range"],
)
def test_a_pin_that_cannot_be_read_pins_everything(start: Start, content: bytes) -> None:
    files, other = start(), start()
    pin = Pin.take(files, environment(1), 5, NO_SEQUENCE)
    write(files, pin.name, content)

    assert read_pins(other) == [PINS_EVERYTHING]

    pin.update(5, NO_SEQUENCE)

    assert read_pins(other) == [PinState(5, NO_SEQUENCE, 4321)]


def test_a_pin_whose_lock_is_had_but_nothing_written_yet_pins_everything(start: Start) -> None:
    files, other = start(), start()
    files.make_directory(PINS_DIRECTORY)
    assert files.lock(pin_name(1), None).try_acquire(exclusive=True)

    assert read_pins(other) == [PINS_EVERYTHING]


def test_what_is_no_pin_is_left_alone(start: Start) -> None:
    files = start()
    Pin.take(files, environment(1), 5, NO_SEQUENCE)
    if isinstance(files, OsFiles):
        Path(files.root, PINS_DIRECTORY, "notes.txt").write_text("mine")

        assert len(read_pins(files)) == 1
        assert "notes.txt" in pins(files)


def test_a_lock_without_a_process_number_leaves_its_file_as_it_is(start: Start) -> None:
    files = start()
    files.make_directory(PINS_DIRECTORY)
    files.create(pin_name(1)).write_at(0, GOLDEN)
    assert files.lock(pin_name(1), None).try_acquire(exclusive=True)

    assert files.open(pin_name(1)).read_at(0, 99) == GOLDEN


def test_a_new_pin_that_is_taken_for_a_dead_one_gets_another_name(start: Start) -> None:
    """Whoever reads the pins may lock a new one before its process does."""
    files, reader = start(), start()
    files.make_directory(PINS_DIRECTORY)
    lock = reader.lock(pin_name(1), None)
    assert lock.try_acquire(exclusive=True)

    pin = Pin.take(files, environment(1, 2), 5, NO_SEQUENCE)
    reader.unlink(pin_name(1))
    lock.close()

    assert pin.name == pin_name(2)
    assert read_pins(reader) == [PinState(5, NO_SEQUENCE, 4321)]


# --- When the machine fails


def faulty(*faults: Fault) -> tuple[FaultyFiles, Files]:
    disk = SimulatedDisk()
    files = disk.process(create=True)
    files.make_directory(LOCKS_DIRECTORY)
    return FaultyFiles(files, FaultPlan(*faults)), disk.process()


@pytest.mark.parametrize("kind", ["mkdir", "lock", "open", "write"])
def test_a_pin_that_cannot_be_taken_leaves_none(kind: str) -> None:
    files, other = faulty(Fault({kind}, errno.EROFS))

    with pytest.raises(StorageError):
        Pin.take(files, environment(1), 5, NO_SEQUENCE)
    assert read_pins(other) == []

    Pin.take(files, environment(2), 5, NO_SEQUENCE)

    assert len(read_pins(other)) == 1


@pytest.mark.parametrize("kind", ["lock", "open", "write"])
def test_a_pin_that_cannot_be_taken_leaves_nothing_open(kind: str, tmp_path: Path) -> None:
    inner = OsFiles(str(tmp_path))
    inner.make_directory(LOCKS_DIRECTORY)
    files = FaultyFiles(inner, FaultPlan(Fault({kind}, errno.EIO)))
    inner.make_directory(PINS_DIRECTORY)
    assert read_pins(inner) == []
    gc.collect()
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    with pytest.raises(StorageError):
        Pin.take(files, environment(1), 5, NO_SEQUENCE)

    gc.collect()
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
    inner.close()


@pytest.mark.parametrize("landed", range(0, PIN_SIZE + 1, 8))
def test_an_update_that_fails_pins_everything_or_what_was_or_will_be(landed: int) -> None:
    """The new pin is above the old one; where it landed, nothing below is read any more."""
    files, other = faulty()
    pin = Pin.take(files, environment(1), 5, 50)
    files.plan.faults.append(Fault({"write"}, errno.ENOSPC, landed=landed))
    with pytest.raises(StorageError):
        pin.update(6, 60)

    old, new = PinState(5, 50, 4321), PinState(6, 60, 4321)
    expected = [old] if landed == 0 else [new] if landed == PIN_SIZE else [PINS_EVERYTHING]
    assert read_pins(other) == expected


@pytest.mark.parametrize("kind", ["lock", "open", "read"])
def test_a_pin_of_which_the_machine_tells_nothing_pins_everything(kind: str) -> None:
    files, other = faulty(Fault({kind}, errno.EIO, is_sticky=True))
    Pin.take(other, environment(1), 5, NO_SEQUENCE)

    assert read_pins(files) == [PINS_EVERYTHING]


def test_a_pin_that_cannot_be_removed_is_let_go_all_the_same() -> None:
    files, other = faulty(Fault({"unlink"}, errno.EIO, is_sticky=True))
    pin = Pin.take(files, environment(1), 5, NO_SEQUENCE)
    pin.release()
    assert len(pins(files)) == 1
    assert read_pins(files) == []
    assert len(pins(files)) == 1

    assert read_pins(other) == []
    assert pins(files) == []


def test_a_pin_that_is_released_while_it_is_read_pins_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, other = start(), start()
    pin = Pin.take(files, environment(1), 5, NO_SEQUENCE)
    real = other.open

    def release_and_open(name: str) -> object:
        pin.release()
        return real(name)

    monkeypatch.setattr(other, "open", release_and_open)

    assert read_pins(other) == []


# --- Real processes


def test_a_pin_dies_with_its_process_whatever_kills_it(tmp_path: Path) -> None:
    files = OsFiles(str(tmp_path))
    files.make_directory(LOCKS_DIRECTORY)
    with ChildProcess(tmp_path) as child:
        child.run(
            "from lithograph.files import OsFiles; from lithograph.environment import Environment;"
            "from lithograph.catalog.pins import Pin;"
            "pin = Pin.take(OsFiles(path), Environment(), 8, 99)"
        )
        assert read_pins(files) == [PinState(8, 99, child.pid)]
        child.run("pin.update(9, 100)")
        assert read_pins(files) == [PinState(9, 100, child.pid)]
        child.kill()

        assert read_pins(files) == []
    assert pins(files) == []
    files.close()


def test_a_forked_child_that_lets_go_does_not_take_the_pin_along(tmp_path: Path) -> None:
    files = OsFiles(str(tmp_path))
    files.make_directory(LOCKS_DIRECTORY)
    pin = Pin.take(files, environment(1), 5, NO_SEQUENCE)
    child = os.fork()
    if child == 0:
        files.abandon()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    other = OsFiles(str(tmp_path))

    assert read_pins(other) == [PinState(5, NO_SEQUENCE, 4321)]
    pin.release()
    assert read_pins(other) == []
    other.close()
    files.close()
