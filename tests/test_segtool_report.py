"""The report: a page that is well-formed, loads nothing, shows hostile names as text, tells damage,
is bounded, and is seen in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from segtool_views import HOSTILE, make_past, segtool

import lithograph
from lithograph.tools.page.charts import Series, log_lines
from lithograph.tools.page.markup import tag

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
GROUNDS = {"light": b"\xfb\xfa\xf8", "dark": b"\x14\x17\x1a"}
PAGE_SIZE_MAX = 256 * 1024
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
)
OWN = re.compile(r"https?://[a-z0-9.]*\.google\.com/")
"""What the browser asks for by itself."""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to look at; no test changes it."""
    return make_past(tmp_path_factory.mktemp("past") / "past.graph")


@pytest.fixture(scope="module")
def page(past: Path) -> str:
    """Its report."""
    return write_report(past)


def write_report(store: Path, *options: str, code: int = 0) -> str:
    place = store.parent / "report.html"
    answer = segtool("report", "-o", place, *options, "--json", "--store", store)
    assert (answer.code, answer.err) == (code, "")
    assert answer.json["size_bytes"] == place.stat().st_size
    return place.read_text(encoding="utf-8")


def parse(page: str) -> ElementTree.Element:
    doctype, markup = page.split("\n", 1)
    assert doctype == "<!DOCTYPE html>"
    return ElementTree.fromstring(markup)


def words_of(page: str) -> str:
    return " ".join(text.strip() for text in parse(page).itertext())


def test_a_report_has_every_part(page: str) -> None:
    titles = [element.text for element in parse(page).iter("h2")]

    assert titles == [
        "Store map",
        "Size by part",
        "Health",
        "Compaction",
        "Nodes by type",
        "Edges by type",
        "Degree distribution",
        "Top hubs",
        "Cache and memory",
    ]
    assert "Sound: nothing was found." in words_of(page)
    assert "152" in words_of(page)


def test_a_report_loads_nothing(page: str) -> None:
    root = parse(page)
    assert not [element.tag for element in root.iter() if element.tag in ("script", "link", "img")]
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"src", "href", "srcset", "action", "data", "style"}
    assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"https?:|url\(|@import|//", page)
    policies = [
        meta.get("content", "") for meta in root.iter("meta") if "http-equiv" in meta.attrib
    ]
    assert [policy.split(";")[0] for policy in policies] == ["default-src 'none'"]


def test_a_report_reads_well_in_both_schemes_and_on_paper(page: str) -> None:
    for wanted in ("prefers-color-scheme: dark", "@media print", "width=device-width"):
        assert wanted in page
    for image in parse(page).iter("svg"):
        assert image.get("role") == "img"
        assert image.get("aria-label") == image.findtext("title")


def test_hostile_names_are_shown_not_obeyed(page: str) -> None:
    shown = HOSTILE.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
    texts = [element.text for element in parse(page).iter("td")]

    assert shown in texts
    assert "<script" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe]", page)


def test_attributes_cannot_be_broken_out_of() -> None:
    element = ElementTree.fromstring(tag("p", HOSTILE, title=HOSTILE, aria_label=None))

    assert list(element.attrib) == ["title"]
    assert element.get("title") == element.text


def test_what_xml_cannot_hold_is_shown_as_a_number() -> None:
    assert ElementTree.fromstring(tag("p", "\0\ufffe\ud800")).text == "\\u0000\\ufffe\\ud800"


def test_a_report_of_damage_says_where(past: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(past, tmp_path / "copy.graph")
    path = min(copy.glob("partitions/*/*.seg"))
    data = bytearray(path.read_bytes())
    with lithograph.open(past, mode="r") as graph:
        [(_, footer, _), *_] = graph._engine.journal.stack.generation.footers()
    data[footer.sections["dense_out"].offset + 3] ^= 1
    path.write_bytes(data)

    shallow, deep = write_report(copy, code=1), write_report(copy, "--deep", code=1)

    for page in (shallow, deep):
        assert [title.text for title in parse(page).iter("h2")][:2] == ["Health", "Store map"]
        assert path.name in words_of(page)
        assert "Types and degrees were not counted" in words_of(page)
    assert "every byte was decoded" in words_of(deep)


def test_a_report_of_an_empty_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.graph"
    lithograph.open(path).close()

    words = words_of(write_report(path))

    assert "No segment yet" in words
    assert "There are no edges." in words


def test_a_report_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "wide.graph"
    with lithograph.open(path, durability="off") as graph, graph.transaction() as tx:
        for number in range(40):
            name = f"{number:04}" + "&" * 10_000
            tx.put_node(name, type=name[:2000])
            for edge in range(number):
                tx.put_edge(name, name[:2000], f"m{edge}", create_missing=True)

    page = write_report(path)

    assert len(page) < PAGE_SIZE_MAX
    assert "other types" in words_of(page)


def test_a_line_of_many_degrees_is_thinned() -> None:
    points = [(float(x), 1e6 / x) for x in range(1, 50_000)]
    drawn = ElementTree.fromstring(
        tag("div", log_lines("t", [Series("s", "one", points)], "x", "y"))
    )

    assert 100 < len(list(drawn.iter("circle"))) < 180


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    past: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "report.html"
    place.write_text("old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    answer = segtool("report", "-o", place, "--store", past)

    assert answer.code == 5
    assert "No space left on device" in answer.err
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


# In a browser -------------------------------------------------------------------------------------


class Seen:
    """What a browser made of a page."""

    def __init__(self, page: Path, scheme: str, width: int) -> None:
        folder = page.parent / scheme
        folder.mkdir()
        assert BROWSER is not None
        done = subprocess.run(
            [
                BROWSER,
                *SWITCHES,
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
                f"--user-data-dir={folder / 'profile'}",
                f"--log-net-log={folder / 'net.json'}",
                f"--window-size={width},1000",
                f"--screenshot={folder / 'seen.png'}",
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        self.complaints = [line for line in done.stderr.splitlines() if ":CONSOLE:" in line]
        events = json.loads((folder / "net.json").read_text())["events"]
        self.addresses = {
            event["params"]["url"] for event in events if "url" in event.get("params", {})
        }
        self._png = (folder / "seen.png").read_bytes()

    @property
    def rows(self) -> list[bytes]:
        """The rows of the picture, each filtered as it is in the file."""
        width = int.from_bytes(self._png[16:20], "big")
        depth, kind = self._png[24:26]
        data, at = b"", 8
        while at < len(self._png):
            size = int.from_bytes(self._png[at : at + 4], "big")
            if self._png[at + 4 : at + 8] == b"IDAT":
                data += self._png[at + 8 : at + 8 + size]
            at += 12 + size
        assert (depth, kind) in ((8, 2), (8, 6))
        pixels, length = zlib.decompress(data), 1 + width * (3 if kind == 2 else 4)
        return [pixels[start : start + length] for start in range(0, len(pixels), length)]

    @property
    def ground(self) -> bytes:
        """The color of the first point, which no filter changes."""
        return self.rows[0][1:4]


@pytest.mark.skipif(BROWSER is None, reason="chromium is not installed (apt install chromium)")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_browser_shows_the_report(page: str, tmp_path: Path, scheme: str, width: int) -> None:
    """Of the two, the light one is without the policy that forbids loading: there is nothing that
    it would have to forbid."""
    if scheme == "light":
        page = re.sub("<meta http-equiv[^>]*>", "", page)
    place = tmp_path / "report.html"
    place.write_text(page, encoding="utf-8")

    found = Seen(place, scheme, width)

    assert found.complaints == []
    assert not [address for address in found.addresses if not OWN.match(address)]
    assert found.ground == GROUNDS[scheme]
    assert len(set(found.rows)) > 200
