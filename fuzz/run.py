"""Every fuzzer, with counts: `make fuzz`; a short round of each: `make fuzz-smoke`, in `make
test`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
STATES, FORGED, KILLS, REPAIRS = 200_000, 50_000, 500, 2_000


def _python(*arguments: str, fuzz: bool = False) -> int:
    environment = {**os.environ, **({"LITHOGRAPH_FUZZ": "1"} if fuzz else {})}
    return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a short round of each fuzzer")
    parser.add_argument("--seed", type=int, default=None, help="where the random choices start")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else int(time.time())
    print(f"seed {seed}")
    counts = (300, 1_000, 3, 5) if options.smoke else (STATES, FORGED, KILLS, REPAIRS)
    states, forged, kills, repairs = counts
    failed = _python(str(HERE / "fuzz_power.py"), str(states), str(seed))
    failed += _python(str(HERE / "fuzz_hostile.py"), str(forged), str(seed))
    failed += _python(str(HERE / "fuzz_kill.py"), str(kills), str(seed))
    failed += _python(str(HERE / "fuzz_repair.py"), str(repairs), str(seed))
    if not options.smoke:
        tests = HERE.parent / "tests"
        names = ("test_bit_flips.py", "test_interrupts.py", "test_state_machine.py")
        failed += _python("-m", "pytest", "-q", *(str(tests / name) for name in names), fuzz=True)
    print("violations found" if failed else "0 violations")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
