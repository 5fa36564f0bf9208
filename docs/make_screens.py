"""Make the pictures in docs/screens: what somebody sees who meets lithograph for the first time.

Every screen is what `segtool` really wrote to a terminal, on a store that is made here anew each
time. The report is photographed by Chromium and made small by pngquant, where they are installed.

    .venv/bin/python docs/make_screens.py
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

import lithograph

SCREENS: Final = Path(__file__).parent / "screens"
WIDTH: Final = 96
PICTURE_SIZE_MAX: Final = 150 * 1024

PATHS: Final[dict[str, tuple[str, ...]]] = {
    "import": (
        "segtool import jsonl memory.jsonl",
        "segtool get 'Ada Lovelace'",
        "segtool neighbors 'Ada Lovelace' --direction both",
        "segtool path 'Charles Babbage' 'Ada Lovelace' --direction both",
    ),
    "info": ("segtool info",),
    "map": ("segtool map",),
    "stats": ("segtool stats --by-type --hubs 5",),
    "care": (
        "segtool doctor",
        "segtool report -o report.html",
        "segtool compact",
        "segtool backup copy.graph",
    ),
}
"""The screens, and the commands whose output each shows."""

MEMORY: Final = [
    {
        "type": "entity",
        "name": name,
        "entityType": kind,
        "observations": observations,
    }
    for name, kind, observations in (
        ("Ada Lovelace", "person", ["wrote the first program", "was born in 1815"]),
        ("Charles Babbage", "person", ["designed the engine"]),
        ("Analytical Engine", "machine", ["was never finished"]),
    )
] + [
    {"type": "relation", "from": source, "to": target, "relationType": relation}
    for source, relation, target in (
        ("Ada Lovelace", "corresponded with", "Charles Babbage"),
        ("Ada Lovelace", "wrote about", "Analytical Engine"),
        ("Charles Babbage", "designed", "Analytical Engine"),
    )
]
"""What an agent's memory.jsonl holds."""

SVG: Final = """\
<svg viewBox="0 0 {width} {height}" width="{width}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: 15px system-ui, sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
  height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""What rich draws a terminal by, without the fonts that its own would load."""


def main() -> None:
    """Make every picture anew."""
    SCREENS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "memory.jsonl").write_text("".join(json.dumps(line) + "\n" for line in MEMORY))
        make_years(work / "years.graph")
        for name, commands in PATHS.items():
            store = "my.graph" if name == "import" else "years.graph"
            save_screen(name, [(command, shown(command, work, store)) for command in commands])
        photograph(work / "report.html", SCREENS / "report.png")


def shown(command: str, work: Path, store: str) -> str:
    """Return what a command writes to a terminal."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(work),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "LITHOGRAPH_STORE": store,
    }
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
    # Progress is shown on standard error only where that is a terminal: not here.
    with subprocess.Popen(
        command, shell=True, cwd=work, env=environment, stdout=theirs, stderr=subprocess.PIPE
    ) as running:
        os.close(theirs)
        text = b""
        while part := _read(ours):
            text += part
        os.close(ours)
        assert running.stderr is not None
        told = running.stderr.read().decode()
    if running.returncode:
        sys.exit(f"{command}: exit code {running.returncode}\n{told}")
    return told + text.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # How Linux says that nobody writes to it any more.
        return b""


def save_screen(name: str, said: list[tuple[str, str]]) -> None:
    """Draw commands and what they wrote as a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for command, text in said:
        console.print(Text(f"$ {command}", style="bold green"))
        console.print(Text.from_ansi(text.strip("\n")))
        console.print()
    console.save_svg(
        str(SCREENS / f"{name}.svg"), title="segtool", code_format=SVG, unique_id=f"screen-{name}"
    )


def photograph(page: Path, picture: Path) -> None:
    """Take a picture of a page, light, as wide as a desk."""
    if shutil.which("chromium") is None or shutil.which("pngquant") is None:
        sys.exit(f"{picture.name} is as it was: it takes chromium and pngquant")
    raw = page.with_suffix(".png")
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--blink-settings=preferredColorScheme=1",
            f"--user-data-dir={page.parent / 'profile'}",
            "--window-size=1180,2760",
            f"--screenshot={raw}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    command = ["pngquant", "--force", "--speed", "1", "--output", str(picture), "32", str(raw)]
    subprocess.run(command, check=True)
    size = picture.stat().st_size
    if size > PICTURE_SIZE_MAX:
        sys.exit(f"{picture.name} has {size:,} bytes, above {PICTURE_SIZE_MAX:,}")


def make_years(path: Path) -> None:
    """Make a store that has seen fourteen months of notes about people and projects."""
    rng = random.Random(7)
    kinds = ["Person", "Project", "Document", "Decision", "Place", "Meeting"]
    relations = ["knows", "mentions", "decided in", "works on", "located in", "attended"]
    words = ["alpha", "stone", "press", "ink", "plate", "print"]
    names: list[str] = []
    time = datetime(2025, 9, 3, 8, tzinfo=UTC)
    with lithograph.open(path, durability="normal") as graph:
        for step in range(400):
            time += timedelta(hours=rng.randrange(4, 44))
            with graph.transaction(at=time) as tx:
                for _ in range(rng.randrange(20, 80)):
                    [kind] = rng.choices(kinds, [9, 3, 14, 4, 2, 5])
                    names.append(f"{kind.lower()} {len(names):05}")
                    noted = " ".join(rng.choices(words, k=12))
                    tx.put_node(names[-1], type=kind, observations=[noted])
                for _ in range(rng.randrange(60, 240)):
                    source = names[int(len(names) * rng.random() ** 3)]
                    target = names[int(len(names) * rng.random() ** 2)]
                    [relation] = rng.choices(relations, [9, 12, 3, 6, 2, 5])
                    tx.put_edge(source, relation, target, properties={"weight": rng.random()})
                for _ in range(rng.randrange(60)):
                    tx.put_node(rng.choice(names), properties={"score": rng.random()})
            if step % 9 == 8:
                graph.checkpoint()


if __name__ == "__main__":
    main()
