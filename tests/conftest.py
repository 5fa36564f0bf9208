"""Options of the suite, and the Hypothesis profiles."""

from __future__ import annotations

import os

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
