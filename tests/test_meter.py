"""How far a long job is: never back, never beyond the end, and at the end when it is over."""

from __future__ import annotations

import pytest

from lithograph.maintenance.meter import Meter, Pace


@pytest.mark.parametrize("item_count", [0, 1, 1024, 5_000, 100_000])
@pytest.mark.parametrize("size", [0, 7, 10**6])
def test_a_pace_tells_all_of_its_bytes_however_many_items_pass(size: int, item_count: int) -> None:
    """Also where more pass than were announced."""
    told: list[tuple[int, int]] = []
    meter = Meter(lambda *step: told.append(step), size + 5)
    with Pace(meter, size, item_count) as pace:
        for _ in range(10_000):
            pace.step()
    meter.advance(5)

    assert told == sorted(told)
    assert told[-1] == (size + 5, size + 5)
    assert len(told) == 11


def test_a_meter_does_not_go_beyond_its_end() -> None:
    told: list[tuple[int, int]] = []
    meter = Meter(lambda *step: told.append(step), 10)
    meter.advance(4)
    meter.advance(100)
    meter.finish()

    assert told == [(4, 10), (10, 10), (10, 10)]
