"""Power cuts, process deaths and I/O errors on the simulated disk; prints what was tried.

Every history is judged at each of its operations, by as many processes as there are processors;
`python fuzz/fuzz_power.py STATES [SEED]` stops with the history that brings the power cuts to
STATES.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from dataclasses import fields

from lithograph.tools.testing.crash_harness import Tally, run_history
from lithograph.tools.testing.crash_histories import histories
from lithograph.tools.testing.fault_harness import READING, WRITING, FaultTally, run_faults

_SHARES = {WRITING: 0.1, READING: 0.02}
"""Of the calls of a history, how many fail once each: beside the power cuts, not instead."""


def judge(seed: int) -> tuple[Tally, FaultTally]:
    """Play the history of one seed, with power cuts, deaths and errors."""
    logging.getLogger("lithograph").setLevel(logging.CRITICAL)
    tally, faults = Tally(), FaultTally()
    number, setup, steps = next(histories(seed))
    try:
        run_history(steps, number, tally, setup)
        for kinds, share in _SHARES.items():
            run_faults(steps, number, faults, setup, share=share, kinds=kinds)
    except Exception as error:
        # Nothing was cut or failed where this comes from, or it was and the harness did not expect
        # it: a violation either way.
        tally.violations.append(f"seed {seed}: {type(error).__name__}: {error}")
    return tally, faults


def _add(total: Tally | FaultTally, more: Tally | FaultTally) -> None:
    for field in fields(total):
        setattr(total, field.name, getattr(total, field.name) + getattr(more, field.name))


def main(states: int, seed: int) -> int:
    """Judge at least `states` power cuts, and the faults of the same histories; 0 when sound."""
    begun = time.monotonic()
    tally, faults = Tally(), FaultTally()
    # Not forked: the engine refuses to work in a child of a process that has a store open.
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=20) as pool:
        for cuts, errors in pool.imap_unordered(judge, iter(range(seed, seed + 10_000))):
            _add(tally, cuts)
            _add(faults, errors)
            if tally.states >= states:
                break
        pool.terminate()
    seconds = time.monotonic() - begun
    print(f"power cuts: {tally}, {seconds:.0f} s, {tally.states / seconds:.0f} states/s")
    print(f"I/O errors: {faults}")
    for violation in [*tally.violations, *faults.violations][:20]:
        print(f"VIOLATION {violation}", file=sys.stderr)
    return 1 if tally.violations or faults.violations else 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
