"""Options of the suite, and the Hypothesis profiles."""

from __future__ import annotations

import os
import signal

# Who starts the suite in the background may have turned Ctrl-C off, for children too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before the engine is imported: whatever a test writes is read back before it is published.
os.environ.setdefault("LITHOGRAPH_VERIFY", "1")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile(
    "fuzz", deadline=None, max_examples=2000, suppress_health_check=list(HealthCheck)
)
settings.load_profile("fuzz" if os.environ.get("LITHOGRAPH_FUZZ") else "quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden", action="store_true", help="write the golden files anew and look at them"
    )
