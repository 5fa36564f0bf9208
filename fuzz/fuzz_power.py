"""Power cuts, process deaths and I/O errors on the simulated disk; prints what was tried."""

from __future__ import annotations

import logging
import sys
import time

from lithograph.tools.testing.crash_harness import Tally, histories, run_history
from lithograph.tools.testing.fault_harness import FaultTally, run_faults


def main(states: int, seed: int) -> int:
    """Judge at least `states` power cuts, and the faults of the same histories; 0 when sound."""
    logging.getLogger("lithograph").setLevel(logging.CRITICAL)
    begun = time.monotonic()
    tally, faults = Tally(), FaultTally()
    for number, durability, steps in histories(seed):
        run_history(steps, number, tally, durability=durability)
        run_faults(steps, number, faults, durability=durability, share=0.5)
        if tally.states >= states:
            break
    print(f"power cuts: {tally}, {time.monotonic() - begun:.0f} s")
    print(f"I/O errors: {faults}")
    for violation in [*tally.violations, *faults.violations][:20]:
        print(f"VIOLATION {violation}", file=sys.stderr)
    return 1 if tally.violations or faults.violations else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
