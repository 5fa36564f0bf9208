"""segtool import git: real repositories, made by the real git."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import lithograph
from lithograph.formats.text import check_name
from lithograph.tools.importers import git_history, git_log
from lithograph.tools.segtool import main

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")

START = 1_600_000_000


class Repository:
    """A repository in which a minute goes by between two commits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = START
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, **more: str) -> str:
        environment = {name: text for name, text in os.environ.items() if name[:4] != "GIT_"}
        environment |= {
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "GIT_AUTHOR_DATE": f"{self.now} +0200",
            "GIT_COMMITTER_DATE": f"{self.now} +0000",
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=environment | more,
            check=True,
            capture_output=True,
        )
        return done.stdout.decode().strip()

    def commit(self, message: str, files: dict[str, str | None], **more: str) -> str:
        """Write or, where the text is None, remove files; return the commit's name."""
        for name, text in files.items():
            if text is None:
                (self.path / name).unlink()
            else:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).write_text(text)
        self.now += 60
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, **more)
        return "commit:" + self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def imported(
    capsys: pytest.CaptureFixture[str], repository: Repository, store: Path, *options: str
) -> tuple[int, Any]:
    code = main(["import", "git", str(repository.path), "--store", str(store), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_history_is_what_the_store_was_at_each_time(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    first = repository.commit("first\n\nwith a body", {"a.txt": "one\n" * 9, "b/c.txt": "x"})
    repository.git("mv", "a.txt", "d.txt")
    second = repository.commit("rename", {}, GIT_AUTHOR_NAME="Ada Lovelace")
    third = repository.commit("remove", {"b/c.txt": None})
    code, answer = imported(capsys, repository, tmp_path / "g")

    assert (code, answer["commits"], answer["rejected"]) == (0, 3, 0)
    assert answer["edges"] == answer["edges_made"] == 3 + 2 + 4 + 1
    assert answer["more"] == {
        "commits_read": 3,
        "commits_known": 0,
        "commits_moved": 0,
        "not_utf8": 0,
    }
    with lithograph.open(tmp_path / "g") as graph:
        assert graph.verify(deep=True) == []
        node = graph.node(first)
        assert (node.type, node.observations) == ("Commit", ("first\n\nwith a body",))
        assert node.created_at == datetime.fromtimestamp(START + 60, UTC)
        assert node.properties["authored_at"] == "2020-09-13T14:27:40+02:00"
        assert graph.neighbors(third, types="parent") == [second]
        assert graph.neighbors("file:d.txt", types="renamed_from") == ["file:a.txt"]
        touched = {edge.target: edge.properties for edge in graph.edges(second, types="touched")}
        assert touched == {"file:d.txt": {"change": "R", "similarity": 100, "from": "a.txt"}}
        assert graph.node("author:ada@example.org").properties["name"] == "Ada"
        with graph.as_of(datetime.fromtimestamp(START + 119, UTC)) as then:
            assert first in then
            assert second not in then
            assert "file:d.txt" not in then
        with graph.as_of(datetime.fromtimestamp(START + 120, UTC)) as then:
            assert "file:d.txt" in then
            assert then.node("author:ada@example.org").properties["name"] == "Ada Lovelace"


def test_importing_again_writes_what_is_new(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("first", {"a": "1"})
    imported(capsys, repository, tmp_path / "g")
    again = imported(capsys, repository, tmp_path / "g")[1]
    repository.commit("second", {"a": "2"})
    more = imported(capsys, repository, tmp_path / "g")[1]

    assert (again["commits"], again["written"], again["more"]["commits_known"]) == (0, 0, 1)
    assert (more["commits"], more["more"]["commits_known"], more["nodes_made"]) == (1, 1, 1)


def test_merges_have_their_parents_in_order_and_times_never_run_back(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    base = repository.commit("base", {"a": "1"})
    repository.git("checkout", "-q", "-b", "side")
    side = repository.commit("side", {"s": "1"}, GIT_COMMITTER_DATE=f"{START - 999} +0000")
    repository.git("checkout", "-q", "main")
    main_ = repository.commit("main", {"m": "1"})
    repository.git("merge", "-q", "side", "-m", "merge")
    merge = "commit:" + repository.git("rev-parse", "HEAD")
    code, answer = imported(capsys, repository, tmp_path / "g")

    assert (code, answer["commits"]) == (0, 4)
    assert answer["more"]["commits_moved"] >= 1
    with lithograph.open(tmp_path / "g") as graph:
        parents = {edge.target: edge.properties["place"] for edge in graph.edges(merge)}
        assert parents == {main_: 0, side: 1}
        assert graph.node(side).created_at == datetime.fromtimestamp(START - 999, UTC)
        assert graph.neighbors(side, types="parent") == [base]


def test_names_that_are_not_utf8_are_shown_byte_by_byte(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = os.fsencode(repository.path) + b"/caf\xe9\n\t.txt"
    Path(os.fsdecode(raw)).write_text("x")
    sha = repository.commit("ä \x1b[31m", {"with space": "1", "日本": "2"})
    code, answer = imported(capsys, repository, tmp_path / "g")

    assert (code, answer["more"]["not_utf8"]) == (0, 1)
    with lithograph.open(tmp_path / "g") as graph:
        assert graph.node(sha).observations == ("ä \x1b[31m",)
        assert sorted(graph.neighbors(sha, types="touched")) == sorted(
            ["file:caf\\xe9\n\t.txt", "file:with space", "file:日本"]
        )


def test_other_branches_are_read_when_asked_for(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("base", {"a": "1"})
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("side", {"s": "1"})
    repository.git("checkout", "-q", "main")

    assert imported(capsys, repository, tmp_path / "g")[1]["commits"] == 1
    assert imported(capsys, repository, tmp_path / "g", "--all")[1]["commits"] == 1


def test_a_repository_without_commits_has_none(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ((), ("--all",), ("--strict",)):
        code, answer = imported(capsys, repository, tmp_path / "g", *option)
        assert (code, answer["nodes"], answer["commits"]) == (0, 0, 0)


def test_a_large_commit_is_several_and_an_interrupted_one_is_done_again(
    tmp_path: Path,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(git_history, "_CHANGES_MAX", 3)
    sha = repository.commit("seven", {f"f{number}": "x" for number in range(7)})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(git_history._Write, "_itself", interrupt)
        code = main(["import", "git", str(repository.path), "--store", str(tmp_path / "g")])
        assert code == 130
    capsys.readouterr()
    answer = imported(capsys, repository, tmp_path / "g")[1]

    assert (answer["commits"], answer["more"]["commits_known"]) == (3, 0)
    with lithograph.open(tmp_path / "g") as graph:
        assert graph.degree(sha, types="touched") == 7
        assert graph.node(sha).type == "Commit"
        assert graph.verify(deep=True) == []


def test_paths_that_cannot_be_names_are_set_aside(
    tmp_path: Path,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository.commit("one", {"a": "1", "bad": "2"})

    def refuse(name: str, what: str) -> str:
        return check_name("" if name == "file:bad" else name, what)

    monkeypatch.setattr(git_history, "check_name", refuse)
    code, answer = imported(capsys, repository, tmp_path / "g")
    strict = imported(capsys, repository, tmp_path / "strict", "--strict")

    assert (code, answer["rejected"]) == (1, 1)
    reject = json.loads(Path(f"{repository.path}.rejects").read_text())
    assert reject["text"] == "bad"
    assert (strict[0], strict[1]["refused"], (tmp_path / "strict").exists()) == (1, True, False)


def test_what_is_no_repository_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for path in (tmp_path / "none", tmp_path / "-x"):
        code = main(["import", "git", f"{path}", "--store", str(tmp_path / "g")])
        assert code == 5
        assert "git cannot read" in capsys.readouterr().err
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / ".git").write_text("nonsense")
    assert main(["import", "git", str(tmp_path / "here"), "--store", str(tmp_path / "g")]) == 5
    assert not (tmp_path / "g").exists()


def test_a_missing_git_is_told(
    tmp_path: Path,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["import", "git", str(repository.path), "--store", str(tmp_path / "g")]) == 5
    assert "install git" in capsys.readouterr().err


def test_a_repository_that_is_damaged_is_told(
    tmp_path: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("one", {"a": "1"})
    sha = repository.commit("two", {"a": "2"}).removeprefix("commit:")
    tree = repository.git("rev-parse", f"{sha}^{{tree}}")
    (repository.path / ".git/objects" / tree[:2] / tree[2:]).unlink()

    assert main(["import", "git", str(repository.path), "--store", str(tmp_path / "g")]) == 5
    assert "git cannot read" in capsys.readouterr().err


def test_a_message_that_is_too_large_is_told(
    tmp_path: Path,
    repository: Repository,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(git_log, "_TOKEN_SIZE_MAX", 100_000)
    (repository.path / "message").write_text("x" * 400_000)
    repository.git("add", "-A")
    repository.git("commit", "-q", "-F", "message")

    assert main(["import", "git", str(repository.path), "--store", str(tmp_path / "g")]) == 5
    assert "more than 100,000 bytes" in capsys.readouterr().err
