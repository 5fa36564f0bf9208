"""Kill committing processes with SIGKILL: `python fuzz/fuzz_kill.py [COUNT [SEED]]`."""

from __future__ import annotations

import random
import sys

from lithograph.tools.testing import kill_harness


def main(count: int, seed: int) -> int:
    """Kill `count` times, print what came of it, and return the exit code."""
    return kill_harness.main(count, seed)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    count, seed = [*arguments, *(500, random.randrange(2**32))[len(arguments) :]]
    sys.exit(main(count, seed))
