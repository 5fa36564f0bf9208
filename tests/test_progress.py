"""A bar is shown on a terminal, after a second, and is gone at the end."""

from __future__ import annotations

import io
import sys
import time

import pytest

from lithograph.tools import progress as module
from lithograph.tools.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch, delay_s: float = 0.01) -> Terminal:
    """Return what takes the place of standard error: a terminal. To be called by the test itself,
    for between fixtures and tests the place is pytest's."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "DELAY_S", delay_s)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    return stream


def test_a_short_job_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = watched(monkeypatch, 1.0)
    with progress("counting") as report:
        report(1, 10)
        time.sleep(0.4)

    assert errors.getvalue() == ""


@pytest.mark.parametrize(("unit", "shown"), [("", " of 100,000"), ("bytes", "KiB")])
def test_a_long_job_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, unit: str, shown: str
) -> None:
    errors = watched(monkeypatch)
    with progress("counting", unit) as report:
        for done in range(1, 1_000):
            report(done * 50, 100_000)
            time.sleep(0.01)
            if "/s" in errors.getvalue():
                break
    text = errors.getvalue()

    assert "counting" in text
    assert shown in text
    assert "/s" in text
    # The line is erased, and the cursor is there again.
    assert text.endswith("\x1b[2K")
    assert text.rindex("\x1b[?25h") > text.rindex("counting")


def test_a_pipe_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("counting") as report:
        report(1, 10)

    assert capsys.readouterr() == ("", "")


def test_an_interrupt_ends_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = watched(monkeypatch)

    def work() -> None:
        with progress("counting"):
            for _ in range(500):
                time.sleep(0.01)
                if "counting" in errors.getvalue():
                    break
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "counting" in errors.getvalue()
    assert "\x1b[?25h" in errors.getvalue()
