"""segtool stats and map: what they count and draw of a store with a past, of an empty one, and of
one whose names are hostile."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from segtool_views import HOSTILE, Terminal, make_past, seen, segtool

import lithograph
from lithograph.tools.commands.map_answer import MapAnswer, MapPartition, MapSegment
from lithograph.tools.commands.stats import binned
from lithograph.tools.commands.stats_answer import DegreeCount, StatsAnswer
from lithograph.tools.output import escape_name
from lithograph.tools.page.map_picture import map_picture
from lithograph.tools.store_stats import percentile

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to look at; no test changes it."""
    return make_past(tmp_path_factory.mktemp("past") / "past.graph")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "empty.graph"
    lithograph.open(path).close()
    return path


# stats --------------------------------------------------------------------------------------------


def test_stats_counts_types_degrees_and_hubs(past: Path) -> None:
    answer = segtool("stats", "--by-type", "--json", "--store", past)

    stats = msgspec.json.decode(answer.out, type=StatsAnswer)
    assert (answer.code, answer.err) == (0, "")
    assert (stats.node_count, stats.edge_count, stats.sequence) == (152, 152, 7)
    assert [(each.type, each.count) for each in stats.nodes_by_type or []] == [
        ("Document", 75),
        ("Person", 75),
        ("", 1),
        (HOSTILE, 1),
    ]
    assert [(each.type, each.count) for each in stats.edges_by_type or []] == [
        ("names", 75),
        ("cites", 75),
        (HOSTILE, 2),
    ]
    assert stats.out_degrees.distribution == [
        DegreeCount(0, 1),
        DegreeCount(1, 150),
        DegreeCount(2, 1),
    ]
    assert stats.in_degrees.max == 151
    assert [(hub.name, hub.out_degree, hub.in_degree) for hub in stats.hubs[:2]] == [
        ("hub", 0, 151),
        (HOSTILE, 2, 1),
    ]


def test_the_parts_are_all_that_there_is(past: Path) -> None:
    stats = msgspec.json.decode(segtool("stats", "--json", "--store", past).out, type=StatsAnswer)
    files = [*past.glob("partitions/*/*"), *past.glob("names/*"), *past.glob("wal/*")]
    histories = sum(path.stat().st_size for path in past.glob("partitions/*/*.his"))

    assert stats.size_bytes == sum(path.stat().st_size for path in files)
    assert stats.superseded_size_bytes == histories
    assert 0 < stats.superseded_share < 1
    assert stats.superseding_entry_count == 60  # 20 and 40 nodes that were there.


def test_stats_reads_nodes_only_where_it_is_asked_to(past: Path) -> None:
    answer = segtool("stats", "--hubs", "0", "--json", "--store", past)

    assert answer.json["nodes_by_type"] is None
    assert answer.json["edges_by_type"] is None
    assert answer.json["hubs"] == []


def test_rows_of_stats_in_a_pipe_say_what_they_are(past: Path) -> None:
    rows = segtool("stats", "--by-type", "--store", past).rows

    assert rows[:3] == [["nodes", "152"], ["edges", "152"], ["nodes_by_type", "Document", "75"]]
    assert ["nodes_by_type", escape_name(HOSTILE), "1"] in rows
    assert ["degree", "in", "max", "151"] in rows
    assert ["distribution", "both", "1", "150"] in rows
    assert ["hub", "hub", "", "0", "151"] in rows
    assert rows[-1][0] == "superseded"


def test_stats_on_a_terminal_draws_bars(past: Path) -> None:
    screen = seen("stats", "--by-type", "--store", past)

    assert "152 nodes, 152 edges\n" in screen
    assert f" Document 75 {'█' * 32}\n" in re.sub(" +", " ", screen)
    assert "\x1b" not in screen
    assert "\u202e" not in screen


def test_stats_of_nothing_are_noughts(empty: Path) -> None:
    stats = msgspec.json.decode(segtool("stats", "--json", "--store", empty).out, type=StatsAnswer)

    assert stats.degrees.distribution == []
    assert (stats.degrees.mean, stats.degrees.p50, stats.degrees.max) == (0, 0, 0)
    assert seen("stats", "--by-type", "--store", empty) == "0 nodes, 0 edges\n"


def test_too_many_hubs_are_wrong_usage(past: Path) -> None:
    assert segtool("stats", "--hubs", "100001", "--store", past).code == 2


def test_percentiles_are_degrees_that_occur() -> None:
    steps = [DegreeCount(0, 50), DegreeCount(2, 49), DegreeCount(70, 1)]

    assert [percentile(steps, percent) for percent in (1, 50, 51, 99, 100)] == [0, 0, 2, 2, 70]
    assert list(binned(steps))[:4] == [(0, 0, 50), (1, 1, 0), (2, 3, 49), (4, 7, 0)]
    assert list(binned(steps))[-1] == (64, 127, 1)


# map ----------------------------------------------------------------------------------------------


def test_map_names_every_segment_with_its_place_in_time(past: Path) -> None:
    found = msgspec.json.decode(segtool("map", "--json", "--store", past).out, type=MapAnswer)
    segments = [segment for partition in found.partitions for segment in partition.segments]

    assert [partition.name for partition in found.partitions] == ["2026-01", "2026-02", "2026-03"]
    assert [segment.first_sequence for segment in segments] == [1, 3, 5]
    assert [segment.first_time.isoformat()[:10] for segment in segments] == [
        "2026-01-15",
        "2026-02-14",
        "2026-03-16",
    ]
    assert all((past / segment.file).exists() for segment in segments)
    assert found.log_commit_count == 1
    assert found.size_bytes == sum(
        path.stat().st_size for path in past.glob("partitions/*/*") if path.is_file()
    )


def test_rows_of_map_in_a_pipe_are_segments(past: Path) -> None:
    rows = segtool("map", "--store", past).rows

    assert [row[0] for row in rows] == ["2026-01", "2026-02", "2026-03"]
    assert all(len(row) == 11 for row in rows)


def test_map_on_a_terminal_shows_when_and_how_much(past: Path) -> None:
    lines = seen("map", "--store", past).splitlines()
    rows = [line for line in lines if line.startswith(" 2026-")]

    assert lines[0].endswith("commits from 2026-01-15 00:00 UTC to 2026-03-21 00:00 UTC")
    lines_of_time = [re.findall("[█·]+", row)[0] for row in rows]
    assert [line[0] for line in lines_of_time] == ["█", "·", "·"]
    assert [line[-1] for line in lines_of_time] == ["·", "·", "█"]
    assert len({len(line) for line in lines_of_time}) == 1
    assert lines[-1].endswith(", 1 commit in no segment yet")


def test_map_draws_with_plain_letters_where_there_are_no_others(past: Path) -> None:
    class Old(Terminal):
        encoding = "ascii"

    screen = segtool("map", "--store", past, screen=Old()).out

    assert "#" in screen
    assert "█" not in screen


def test_map_of_nothing_says_that_all_is_in_the_log(empty: Path) -> None:
    assert segtool("map", "--store", empty).out == ""
    assert seen("map", "--store", empty).startswith("segments    0 B\n")


def test_a_picture_of_the_map_stands_alone(past: Path, tmp_path: Path) -> None:
    place = tmp_path / "map.svg"

    assert segtool("map", "--svg", place, "--store", past).code == 0
    root = ElementTree.parse(place).getroot()
    titles = [element.text or "" for element in root.iter(SVG + "title")]
    assert root.tag == SVG + "svg"
    assert sum(title.startswith("segment ") for title in titles) == 3
    assert "prefers-color-scheme: dark" in place.read_text()
    assert "http" not in place.read_text().replace("http://www.w3.org/2000/svg", "", 1)


def test_a_picture_of_the_map_is_bounded_and_escaped(past: Path) -> None:
    found = msgspec.json.decode(segtool("map", "--json", "--store", past).out, type=MapAnswer)
    [segment, *_] = found.partitions[0].segments
    found.path = HOSTILE
    found.partitions = [
        MapPartition(f"20{number:02}", 1000, 10, [segment] * 60) for number in range(100)
    ]

    picture = map_picture(found)
    texts = [element.text for element in ElementTree.fromstring(picture).iter(SVG + "text")]

    assert len(picture) < 2**20
    assert "older" in texts
    assert any((text or "").startswith("</text></svg><script>") for text in texts)


def test_a_picture_that_cannot_be_written_is_an_error(past: Path, tmp_path: Path) -> None:
    (tmp_path / "is.svg").mkdir()

    for place in (tmp_path / "is.svg", tmp_path / "none" / "map.svg"):
        answer = segtool("map", "--svg", place, "--store", past)
        assert answer.code == 5
        assert str(place) in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["is.svg"]


def test_a_segment_of_a_map_is_all_that_the_manifest_says(past: Path, tmp_path: Path) -> None:
    """A map opens no segment: damage in one does not stand in its way."""
    copy = shutil.copytree(past, tmp_path / "copy.graph")
    for path in copy.glob("partitions/*/*.seg"):
        path.write_bytes(b"\0" * path.stat().st_size)
    whole = msgspec.json.decode(segtool("map", "--json", "--store", past).out, type=MapAnswer)
    broken = msgspec.json.decode(segtool("map", "--json", "--store", copy).out, type=MapAnswer)

    assert isinstance(whole.partitions[0].segments[0], MapSegment)
    assert broken.partitions == whole.partitions


def test_a_picture_of_nothing_is_a_picture(empty: Path, tmp_path: Path) -> None:
    place = tmp_path / "map.svg"

    assert segtool("map", "--svg", place, "--store", empty).code == 0
    assert ElementTree.parse(place).getroot().tag == SVG + "svg"
