"""Edges put by the thousand, from lines: as one by one, on either kernel."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lithograph
from lithograph import Graph, kernel
from lithograph.errors import InvalidArgumentError
from lithograph.formats.text import TEXT_SIZE_MAX
from lithograph.graph import graph as graph_module
from lithograph.transaction import transaction as transaction_module
from lithograph.transaction.edge_lines import LinesTaken, Reason
from lithograph.write.commit import Commit
from lithograph.write.journal import Journal

both_ways = pytest.mark.skipif(kernel.memory is None, reason="there is one way: the plain one")

PIECES = [b"a", b"b", b"node", "Ä".encode(), b"#", b"%", b"\xff", b"\xed\xa0\x80", b"\x00", b"\x0b"]
GAPS = [b" ", b"\t", b",", b" \t ", b",,"]
ENDS = [b"\n", b"\n", b"\r\n", b"\n\n", b" \n", b",\n", b"\r", b""]
TEXTS = st.lists(
    st.one_of(st.sampled_from(PIECES), st.sampled_from(GAPS), st.sampled_from(ENDS)), max_size=40
).map(b"".join)


@contextlib.contextmanager
def recorded(*, drafts: bool) -> Iterator[tuple[Graph, list[tuple[bytes, int]]]]:
    """Open an empty graph; yield it and the list of what its commits say in the log."""
    payloads: list[tuple[bytes, int]] = []
    append = Journal.append

    def note(self: Journal, commits: list[Commit], *, sync: bool) -> None:
        payloads.extend((commit.payload, commit.operation_count) for commit in commits)
        append(self, commits, sync=sync)

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as directory:
        patch.setattr(Journal, "append", note)
        if not drafts:
            patch.setattr(transaction_module, "memory", None)
            patch.setattr(graph_module, "memory", None)
        with lithograph.open(Path(directory) / "g", durability="off") as graph:
            yield graph, payloads


def put_all(graph: Graph, text: bytes, **options: Any) -> list[LinesTaken]:
    """Put a text in as many transactions as it takes."""
    taken = []
    while True:
        with graph.transaction() as transaction:
            taken.append(transaction.put_edge_lines(text, **options))
        text = text[taken[-1].size :]
        if not text:
            return taken


@both_ways
@given(
    TEXTS, st.sampled_from([None, ",", " ", "\t"]), st.sampled_from(["", "T"]), st.integers(1, 4)
)
@example(b"a b\r\nb a T\r\n", None, "", 1)
@example(b"a,b,\na,b,T,\n,b\na,\n", ",", "T", 3)
@example(b"a b c\na b c\na b d\na b c", None, "", 4)
@example(b"x" * TEXT_SIZE_MAX + b" y\n" + b"x" * (TEXT_SIZE_MAX + 1) + b" y\n", None, "", 4)
def test_lines_are_logged_as_the_plain_way_logs_them(
    text: bytes, delimiter: str | None, type_name: str, count: int
) -> None:
    found = []
    for drafts in (False, True):
        with recorded(drafts=drafts) as (graph, payloads):
            taken = put_all(graph, text, delimiter=delimiter, type=type_name, line_count_max=count)
            found.append((taken, payloads))

    assert found[0] == found[1]


@both_ways
@pytest.mark.parametrize("way", ["memory", "flushed", "compacted"])
def test_edges_that_are_there_are_not_made_again_wherever_they_are(way: str) -> None:
    """Among them edges that ended, were made again, have fields or a key, in many layers."""
    found = []
    for drafts in (False, True):
        chance = random.Random(7)
        with recorded(drafts=drafts) as (graph, payloads):
            for step in range(4):
                text = "".join(
                    f"n{chance.randrange(40)} n{chance.randrange(40)} T{chance.randrange(2)}\n"
                    for _ in range(900)
                )
                with graph.transaction() as transaction:
                    transaction.put_edge_lines(text.encode())
                edges = sorted((e.source, e.type, e.target) for e in graph.edges())
                with graph.transaction() as transaction:
                    # Apart from each other: an edge that ends and is made again holds the time.
                    some = chance.sample(edges, 80)
                    for source, type_name, target in some[:60]:
                        transaction.delete_edge(source, type_name, target)
                    for source, type_name, target in some[60:]:
                        transaction.put_edge(source, type_name, target, properties={"step": step})
                        transaction.put_edge(source, type_name, target, key="k")
                    transaction.delete_node(f"n{chance.randrange(40)}")
                if way != "memory":
                    graph.checkpoint()
                if way == "compacted" and step == 2:
                    graph.compact()
            assert graph.verify(deep=True) == []
            found.append((payloads, sorted(map(repr, graph.edges()))))

    assert len(found[0][0]) == 8
    assert found[0][0] == found[1][0]


def test_lines_make_edges_and_what_is_none_is_refused(tmp_path: Path) -> None:
    text = (
        "# a comment\n% another\n\n   \n"
        "Ada Charles\n  Ada\tByron  child_of \r\nAda Charles\nalone\na b c d\nÄda Ada"
    ).encode() + b"\nAda \xff\n"
    with lithograph.open(tmp_path / "g") as graph:
        with graph.transaction() as transaction:
            taken = transaction.put_edge_lines(text, type="knows")
        edges = [(edge.source, edge.type, edge.target) for edge in graph.edges()]

    assert sorted(edges) == [
        ("Ada", "child_of", "Byron"),
        ("Ada", "knows", "Charles"),
        ("Äda", "knows", "Ada"),
    ]
    assert (taken.size, taken.line_count, taken.edge_count) == (len(text), 11, 4)
    assert [(text[at : at + size], reason) for at, size, reason in taken.refused] == [
        (b"alone", Reason.ONE_COLUMN),
        (b"a b c d", Reason.MANY_COLUMNS),
        (b"Ada \xff", Reason.NOT_UTF8),
    ]
    assert all("wanted" in reason.text or "UTF-8" in reason.text for _, _, reason in taken.refused)


def test_lines_go_on_where_the_last_ones_ended(tmp_path: Path) -> None:
    text = b"".join(b"a b%d\n" % number for number in range(10))
    with lithograph.open(tmp_path / "g") as graph:
        taken = put_all(graph, text, line_count_max=4)

        assert [each.line_count for each in taken] == [4, 4, 2]
        assert graph.edge_count == 10


def test_lines_after_reads_go_the_plain_way(tmp_path: Path) -> None:
    with lithograph.open(tmp_path / "g") as graph, graph.transaction() as transaction:
        transaction.put_edge_lines(b"a b\n")
        assert transaction.get_edge("a", "", "b") is not None
        taken = transaction.put_edge_lines(b"b c\nb\n")
        assert (taken.edge_count, taken.refused[0].reason) == (1, Reason.ONE_COLUMN)
        assert transaction.get_edge("b", "", "c") is not None


@pytest.mark.parametrize("delimiter", ["", "ab", "\n", "\r", "ü"])
def test_a_delimiter_that_cannot_be_is_refused(tmp_path: Path, delimiter: str) -> None:
    with (
        lithograph.open(tmp_path / "g") as graph,
        graph.transaction() as transaction,
        pytest.raises(InvalidArgumentError, match="delimiter"),
    ):
        transaction.put_edge_lines(b"a b\n", delimiter=delimiter)


def test_a_transaction_that_grows_too_large_says_so(tmp_path: Path) -> None:
    text = b"".join(b"%s%d b\n" % (b"x" * 60_000, number) for number in range(1_200))
    with (
        lithograph.open(tmp_path / "g") as graph,
        pytest.raises(InvalidArgumentError, match="limit"),
        graph.transaction() as transaction,
    ):
        transaction.put_edge_lines(text)
