"""segtool verify, doctor, checkpoint, backup and restore: what they say, and what they leave."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.files import OsFiles
from lithograph.formats.file_names import pin_name
from lithograph.formats.pin import NO_SEQUENCE, PinState
from lithograph.maintenance import backup as backup_module
from lithograph.maintenance import flush as flush_module
from lithograph.maintenance import rebuild as rebuild_module
from lithograph.tools import diagnosis
from lithograph.tools.segtool import main
from lithograph.tools.testing.machine import contents_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "my.graph"
    with lithograph.open(path) as graph:
        with graph.transaction() as tx:
            for number in range(100):
                tx.put_node(f"n{number}", observations=["x" * 50])
            for number in range(1, 100):
                tx.put_edge(f"n{number}", "half", f"n{number // 2}")
        graph.put_node("n5", observations=["y"])
        graph.checkpoint()
        graph.put_node("late")
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Run a command with --json; return its code, its answer and standard error."""

    def go(*arguments: object) -> tuple[int, Any, str]:
        code = main([*map(str, arguments), "--json"])
        found = capsys.readouterr()
        return code, json.loads(found.out) if found.out else None, found.err

    return go


def only(path: Path, ending: str) -> Path:
    [file] = path.rglob(f"*{ending}")
    return file


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 1
    file.write_bytes(data)


def contents(path: Path) -> object:
    with lithograph.open(path, mode="r") as graph:
        assert graph.verify(deep=True) == []
        return contents_of(graph)


# --- verify


def test_verify_says_what_was_looked_at(store: Path, run: Any) -> None:
    for option, depth in ((None, "files"), ("--checksums", "checksums"), ("--deep", "deep")):
        code, answer, err = run("verify", "--store", store, *([option] if option else []))
        files = [file for file in store.rglob("*") if file.suffix in (".seg", ".his", ".run")]

        assert (code, err, answer["findings"]) == (0, "", [])
        assert (answer["depth"], answer["is_sound"], answer["sequence"]) == (depth, True, 3)
        assert answer["file_count"] == len(files) == 3
        assert answer["size_bytes"] == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("ending", [".seg", ".his", ".run"])
def test_verify_finds_a_rotten_byte_if_it_reads_it(store: Path, run: Any, ending: str) -> None:
    file = only(store, ending)
    flip(file, 70)

    assert run("verify", "--store", store)[0] == 0
    for option in ("--checksums", "--deep"):
        code, answer, _ = run("verify", "--store", store, option)
        assert code == 1
        assert {each["path"] for each in answer["findings"]} == {str(file)}
        assert not answer["is_sound"]


def test_verify_in_a_pipe_is_empty_where_all_is_sound(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--store", str(store), "--deep"]) == 0
    assert capsys.readouterr().out == ""
    flip(only(store, ".run"), 70)
    assert main(["verify", "--store", str(store), "--deep"]) == 1
    [line] = capsys.readouterr().out.splitlines()
    path, offset, message = line.split("\t")
    assert path.endswith(".run")
    assert int(offset) == 0
    assert "xxh64" in message


def test_progress_of_a_verification_ends_where_it_said(store: Path) -> None:
    for arguments in ({}, {"checksums": True}, {"deep": True}):
        steps: list[tuple[int, int]] = []
        with lithograph.open(store, mode="r") as graph:
            graph.verify(**arguments, progress=lambda *step: steps.append(step))  # noqa: B023

        assert steps == sorted(steps)
        assert len({total for _, total in steps}) == 1
        assert steps[-1][0] == steps[-1][1] > 0


# --- doctor


def test_a_sound_store_needs_nothing(store: Path, run: Any) -> None:
    code, answer, err = run("doctor", "--store", store)

    assert (code, err) == (0, "")
    assert answer == {
        "path": str(store),
        "verdict": "sound",
        "summary": "is sound, as far as a quick look goes.",
        "advice": [],
    }


def harm_run(path: Path) -> None:
    only(path, ".run").unlink()


def harm_segment(path: Path) -> None:
    os.truncate(only(path, ".seg"), 100)


def harm_slot(path: Path) -> None:
    data = (path / "CURRENT").read_bytes()
    newest = max((0, 1), key=lambda slot: int.from_bytes(data[slot * 4096 + 64 :][:8], "little"))
    flip(path / "CURRENT", (1 - newest) * 4096 + 70)


def harm_both_slots(path: Path) -> None:
    (path / "CURRENT").write_bytes(bytes(8192))


def harm_manifest(path: Path) -> None:
    flip(only(path, ".manifest"), 80)


def harm_log(path: Path) -> None:
    flip(only(path, ".wal"), 150)


@pytest.mark.parametrize(
    ("harm", "verdict", "level", "command"),
    [
        (harm_run, "damaged", "error", "segtool rebuild-index --store {store}"),
        (harm_segment, "damaged", "error", "segtool repair --store {store} --to {store}.repaired"),
        (harm_slot, "ailing", "warning", "segtool checkpoint --store {store}"),
        (
            harm_both_slots,
            "broken",
            "error",
            "segtool repair --store {store} --to {store}.repaired",
        ),
        (harm_manifest, "broken", "error", "segtool repair --store {store} --to {store}.repaired"),
        (harm_log, "broken", "error", "segtool repair --store {store} --to {store}.repaired"),
    ],
)
def test_damage_is_told_with_what_helps(
    store: Path,
    run: Any,
    harm: Callable[[Path], None],
    verdict: str,
    level: str,
    command: str,
) -> None:
    harm(store)
    before = {file: file.read_bytes() for file in store.rglob("*") if file.is_file()}
    code, answer, err = run("doctor", "--store", store)

    assert (code, err) == (1, "")
    assert answer["verdict"] == verdict
    first = answer["advice"][0]
    assert (first["level"], first["command"]) == (level, command.format(store=store))
    assert str(store) in first["what"]
    assert {file: file.read_bytes() for file in store.rglob("*") if file.is_file()} == before


def test_what_the_doctor_says_helps(store: Path, run: Any) -> None:
    held = contents(store)
    for harm in (harm_run, harm_slot):
        harm(store)
        _, answer, _ = run("doctor", "--store", store)
        words = answer["advice"][0]["command"].split()
        assert run(*words[1:])[0] == 0
        assert run("doctor", "--store", store)[1]["verdict"] == "sound"
        assert contents(store) == held


def test_a_store_that_is_held_is_told_with_who_holds_it(store: Path, run: Any) -> None:
    files = OsFiles(str(store))
    lock = files.lock("locks/open", 4321)
    assert lock.try_acquire(exclusive=True)
    try:
        code, answer, _ = run("doctor", "--store", store)
    finally:
        files.close()

    assert (code, answer["verdict"]) == (1, "locked")
    assert "exclusive=True" in answer["advice"][0]["what"]


def test_what_piles_up_is_told(store: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (store / pin_name(7)).write_bytes(PinState(1, NO_SEQUENCE, 99).encode())
    (store / "names" / "00000099.run").write_bytes(b"left behind")
    monkeypatch.setattr(diagnosis, "LOG_SIZE_MAX", 100)
    monkeypatch.setattr(OsFiles, "free_bytes", lambda self: 1000)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != store)
    code, answer, _ = run("doctor", "--store", store)

    assert (code, answer["verdict"]) == (1, "ailing")
    told = [(each["level"], each["what"]) for each in answer["advice"]]
    for level, words in (
        ("warning", "with 1 commit that is in no other file"),
        ("warning", "1000 B are free"),
        ("warning", "may not write to the directory itself"),
        ("note", "1 pin of a process that died is left"),
        ("note", "1 file, 11 B, is in no manifest"),
    ):
        assert any(found == level and words in what for found, what in told), (words, told)
    assert (store / pin_name(7)).exists()
    levels = [level for level, _ in told]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_a_reader_that_keeps_old_files_is_told(store: Path, run: Any) -> None:
    files = OsFiles(str(store))
    lock = files.lock(pin_name(8), None)
    assert lock.try_acquire(exclusive=True)
    (store / pin_name(8)).write_bytes(PinState(1, NO_SEQUENCE, 4321).encode())
    code, answer, err = run("doctor", "--store", store)
    files.close()

    assert (code, err, answer["verdict"]) == (0, "", "sound")
    assert "process 4321 still reads generation 1" in answer["advice"][0]["what"]
    assert answer["advice"][0]["command"] == f"segtool readers --store {store}"


# --- checkpoint


def test_a_checkpoint_empties_the_log(store: Path, run: Any) -> None:
    held = contents(store)
    code, answer, err = run("checkpoint", "--store", store)

    assert (code, err) == (0, "")
    assert (answer["sequence"], answer["commit_count"]) == (3, 1)
    assert answer["log_size_bytes"] < answer["log_size_bytes_before"]
    assert contents(store) == held
    assert run("checkpoint", "--store", store)[1]["commit_count"] == 0


# --- backup and restore


@pytest.mark.parametrize("options", [[], ["--copy"]])
def test_a_backup_can_be_restored(
    store: Path, run: Any, tmp_path: Path, options: list[str]
) -> None:
    held = contents(store)
    saved, again = tmp_path / "saved", tmp_path / "again"
    code, answer, err = run("backup", "--store", store, saved, *options)

    assert (code, err) == (0, "")
    assert (answer["sequence"], answer["node_count"], answer["edge_count"]) == (3, 101, 99)
    assert (answer["shared_bytes"] == 0) is bool(options)
    assert contents(saved) == held
    with lithograph.open(store) as graph:
        graph.delete_node("n1")
        graph.compact()
    assert run("restore", saved, again, *options)[0] == 0
    assert contents(again) == contents(saved) == held
    assert run("diff", saved, again)[:2] == (0, [])
    code, differences, _ = run("diff", saved, store)
    assert (code, differences[0]["name"]) == (1, "n1")


def test_what_is_restored_is_named_once(
    store: Path, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store that the variable names is not the one that comes into being."""
    held = contents(store)
    saved, again = tmp_path / "saved", tmp_path / "again"
    assert run("backup", "--store", store, saved)[0] == 0
    monkeypatch.setenv("LITHOGRAPH_STORE", str(tmp_path / "other"))
    assert run("restore", saved, "--deep", again)[0] == 0
    assert contents(again) == held
    assert not (tmp_path / "other").exists()
    code, _, err = run("restore", saved, tmp_path / "third", "--store", store)
    assert code == 2
    assert "leave out --store" in err


def test_nothing_is_restored_over_a_store_or_from_damage(
    store: Path, run: Any, tmp_path: Path
) -> None:
    assert run("backup", "--store", store, "--copy", tmp_path / "saved")[0] == 0
    held = contents(store)
    code, _, err = run("restore", tmp_path / "saved", store)
    assert code == 5
    assert "is there already" in err
    assert contents(store) == held

    flip(only(tmp_path / "saved", ".seg"), 70)
    for options in ([], ["--deep"]):
        code, answer, err = run("restore", tmp_path / "saved", tmp_path / "new", *options)
        assert (code, answer) == (4, None)
        assert "nothing was restored" in err
        assert err.count("\n") == 1
        assert not (tmp_path / "new").exists()


def test_a_backup_that_leads_elsewhere_is_not_followed(
    store: Path, run: Any, tmp_path: Path
) -> None:
    """FAULTS G9: no file of a hostile backup is reached but by its own name, in its directory."""
    assert run("backup", "--store", store, "--copy", tmp_path / "saved")[0] == 0
    segment = only(tmp_path / "saved", ".seg")
    partition = segment.parent
    secret = tmp_path / "secret"
    secret.mkdir()
    segment.rename(secret / segment.name)
    segment.symlink_to(secret / segment.name)
    assert run("restore", tmp_path / "saved", tmp_path / "new")[0] == 4
    segment.unlink()
    shutil.move(only(partition, ".his"), secret)
    partition.rmdir()
    partition.symlink_to(secret)
    assert run("restore", tmp_path / "saved", tmp_path / "new")[0] in (4, 5)

    assert not list((tmp_path / "new").rglob("*.*"))


# --- Interrupted


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str, int], None]:
    """Send this process a SIGINT at a call of a function, before it is done."""

    def at(owner: object, name: str, call: int) -> None:
        left = [call]
        real = getattr(owner, name)

        def hooked(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                signal.raise_signal(signal.SIGINT)
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, hooked)

    return at


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("name", ["backup", "restore"])
def test_an_interrupted_copy_leaves_no_files_and_a_sound_store(
    store: Path, run: Any, tmp_path: Path, interrupted: Any, name: str, call: int
) -> None:
    held = contents(store)
    words = {
        "backup": ("backup", "--store", store, "--copy", tmp_path / "new"),
        "restore": ("restore", "--copy", store, tmp_path / "new"),
    }[name]
    interrupted(backup_module._Copying, "_copy", call)
    assert run(*words) == (130, None, "segtool: interrupted\n")

    assert not [file for file in (tmp_path / "new").rglob("*") if not file.is_dir()]
    assert contents(store) == held
    assert run(*words)[0] == 0
    assert contents(tmp_path / "new") == held


@pytest.mark.parametrize("name", ["make_segment", "_write_run", "_publish"])
def test_an_interrupted_checkpoint_leaves_a_sound_store(
    store: Path, run: Any, interrupted: Any, name: str
) -> None:
    held = contents(store)
    interrupted(flush_module, name, 1)
    assert run("checkpoint", "--store", store) == (130, None, "segtool: interrupted\n")

    assert contents(store) == held
    code, answer, _ = run("checkpoint", "--store", store)
    assert (code, answer["sequence"]) == (0, 3)
    assert contents(store) == held


def test_an_interrupted_rebuilding_leaves_the_store_as_it_was(
    store: Path, run: Any, interrupted: Any
) -> None:
    held = contents(store)
    interrupted(rebuild_module, "install", 1)
    assert run("rebuild-index", "--store", store) == (130, None, "segtool: interrupted\n")

    assert contents(store) == held
    assert run("rebuild-index", "--store", store)[0] == 0
    assert contents(store) == held
