"""Real SIGKILLs; LITHOGRAPH_KILLS sets how many."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from lithograph.tools.testing import kill_harness

FUZZ = Path(__file__).parents[1] / "fuzz" / "fuzz_kill.py"


def test_no_acknowledged_commit_is_lost_to_sigkill() -> None:
    """In a process of its own: it forks, and the test runner may have threads."""
    count = int(os.environ.get("LITHOGRAPH_KILLS", "20"))
    seed = random.randrange(2**32)
    run = subprocess.run(
        [sys.executable, FUZZ, str(count), str(seed)], capture_output=True, text=True, timeout=1800
    )

    assert run.returncode == 0, run.stdout + run.stderr
    found = re.search(r"^(\d+) kills, (\d+) commits acknowledged, 0 lost", run.stdout, re.MULTILINE)
    assert found, run.stdout
    assert int(found[1]) >= count
    # Children that never commit would prove nothing.
    assert int(found[2]) >= count
    assert "Traceback" not in run.stderr, run.stderr


def test_the_check_after_a_kill_sees_what_is_missing_torn_or_too_much(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with kill_harness.opened(path) as graph:
        for _ in range(20):
            kill_harness.commit_next(graph)
    assert kill_harness.check(path, 20, 1) == []

    assert "commit 22 was acknowledged" in kill_harness.check(path, 22, 1)[0]
    assert "commit 5 was acknowledged" in kill_harness.check(path, 5, 2)[0]
    with kill_harness.opened(path) as graph:
        graph.delete_edge("15:1", "next", "15:2")
    assert any("edges [('15:1', '15:2')]" in wrong for wrong in kill_harness.check(path, 21, 1))
    with kill_harness.opened(path) as graph:
        graph.delete_node("16:0")
    assert any("missing ['16:0']" in wrong for wrong in kill_harness.check(path, 21, 1))
