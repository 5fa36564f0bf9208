"""The demo's crash test: a process that commits is killed; what it acknowledged must be there.

The child commits number 1, 2, 3… and tells the parent each number only after its commit returned.
The parent kills it with SIGKILL at a random moment and reads from the pipe what it had told.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import IO, Final

import lithograph

_PREFIX: Final = "crash test "
_COMMITS: Final = range(150, 450)
"""After which acknowledgement the child is killed: a random one of these."""

_PATIENCE_S: Final = 40.0
"""On a slow disk the child is killed after so long, however far it is."""


@dataclass(frozen=True, slots=True)
class Killing:
    """What the parent saw.

    acknowledged : the last number that the child told; all before it were told too.
    signal : what ended the child.   complaint : what the child said on standard error.
    seconds : from the child's first acknowledgement to its last.
    """

    pid: int
    acknowledged: int
    signal: int
    seconds: float
    complaint: str


def commit_numbers(store: str, told: IO[bytes]) -> None:
    """Commit for ever, each number in a durable commit of its own; tell each afterwards."""
    with lithograph.open(store, mode="w", durability="full") as graph:
        for number in count(1):
            first, second = _names(number)
            with graph.transaction() as transaction:
                transaction.put_node(first, type="crash test", properties={"number": number})
                transaction.put_node(second, type="crash test", properties={"number": number})
                transaction.put_edge(first, "pair", second, properties={"number": number})
            told.write(b"%d\n" % number)
            told.flush()


def kill_a_writer(store: str) -> Killing:
    """Start a child that commits to `store`, kill it in the middle, and return what it told."""
    goal = random.choice(_COMMITS)
    command = [sys.executable, "-m", "lithograph.tools.demo", "--child", "--store", store]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    timer = threading.Timer(_PATIENCE_S, child.kill)
    timer.start()
    try:
        told, times = [], []
        for line in child.stdout:
            told.append(int(line))
            times.append(time.perf_counter())
            if len(told) == goal:
                # Somewhere in one of the next commits, or between two of them.
                time.sleep(random.uniform(0, 0.01))
                child.send_signal(signal.SIGKILL)
                break
        # What was in the pipe was told, too; a number cut short was not.
        told += [int(line) for line in child.stdout if line.endswith(b"\n")]
        complaint = child.stderr.read().decode(errors="replace").strip()
        child.wait()
    finally:
        timer.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()
    assert told == list(range(1, len(told) + 1))
    seconds = times[-1] - times[0] if times else 0.0
    return Killing(child.pid, len(told), -child.returncode, seconds, complaint)


def judge(graph: lithograph.Graph, killing: Killing) -> tuple[int, list[str]]:
    """Return how many of the child's commits the store holds, and what is wrong with them.

    Promised: every acknowledged commit and at most the one that was under way, no gap, each whole.
    """
    wrong = []
    found = {node.name for node in graph.nodes(prefix=_PREFIX)}
    held = len(found) // 2
    expected = {name for number in range(1, held + 1) for name in _names(number)}
    if found != expected:
        wrong.append(f"the commits found are not 1 to {held}: {sorted(found ^ expected)[:6]}")
    if held < killing.acknowledged:
        wrong.append(f"{killing.acknowledged} commits were acknowledged, {held} are there")
    if held > killing.acknowledged + 1:
        wrong.append(f"{held} commits are there, only {killing.acknowledged} were acknowledged")
    for number in range(1, held + 1):
        first, second = _names(number)
        edge = graph.get_edge(first, "pair", second) if {first, second} <= found else None
        parts = (graph.get_node(first), graph.get_node(second), edge)
        if any(part is None or part.properties != {"number": number} for part in parts):
            wrong.append(f"commit {number} is not whole")
    pair_count = sum(1 for edge in graph.edges(types="pair"))
    if pair_count != held:
        wrong.append(f"{pair_count} edges are there, not {held}")
    return held, wrong


def was_killed(killing: Killing) -> bool:
    return killing.signal == signal.SIGKILL and killing.acknowledged > 0


def _names(number: int) -> tuple[str, str]:
    return f"{_PREFIX}{number:06} a", f"{_PREFIX}{number:06} b"


def tell_parent(store: str) -> int:
    """Be the child: until it is killed, or its parent is gone."""
    try:
        commit_numbers(store, os.fdopen(os.dup(1), "wb"))
    except BrokenPipeError:
        return 0
    return 1
