"""The cache of blocks: bounded in bytes, whatever is put in."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from lithograph.segments.block_cache import ENTRY_OVERHEAD, BlockCache

BLOCK = b"x" * 100
COST = len(BLOCK) + ENTRY_OVERHEAD


def test_a_block_is_found_until_others_take_its_place() -> None:
    cache = BlockCache(3 * COST)
    for key in range(3):
        cache.put(key, BLOCK)
    assert cache.get(0) == BLOCK

    cache.put(3, BLOCK)

    assert [cache.get(key) for key in range(4)] == [BLOCK, None, BLOCK, BLOCK]
    assert cache.size_bytes == 3 * COST
    assert (cache.hit_count, cache.miss_count) == (4, 1)


def test_a_large_block_takes_the_place_of_several() -> None:
    cache = BlockCache(3 * COST)
    for key in range(3):
        cache.put(key, BLOCK)

    cache.put("large", b"y" * (COST + len(BLOCK)))

    assert [cache.get(key) for key in range(3)] == [None, None, BLOCK]
    assert cache.size_bytes == 3 * COST


def test_a_block_larger_than_the_cache_is_not_kept_and_costs_nothing() -> None:
    cache = BlockCache(2 * COST)
    cache.put(0, BLOCK)

    cache.put(1, bytes(2 * COST - ENTRY_OVERHEAD + 1))
    assert (cache.get(0), cache.get(1)) == (BLOCK, None)

    cache.put(2, bytes(2 * COST - ENTRY_OVERHEAD))
    assert (cache.get(0), cache.get(2)) == (None, bytes(2 * COST - ENTRY_OVERHEAD))


def test_a_cache_of_no_size_keeps_nothing() -> None:
    cache = BlockCache(0)
    cache.put(0, b"")

    assert cache.get(0) is None
    assert cache.size_bytes == 0


@given(
    size_max=st.integers(0, 4 * COST),
    puts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2 * COST))),
)
def test_the_cache_never_outgrows_its_size(size_max: int, puts: list[tuple[int, int]]) -> None:
    cache = BlockCache(size_max)
    last: dict[int, bytes] = {}
    for key, size in puts:
        data = bytes([key]) * size
        if size + ENTRY_OVERHEAD <= size_max:
            last[key] = data
        cache.put(key, data)

        assert cache.size_bytes <= size_max
    kept = [(key, found) for key in range(10) if (found := cache.get(key)) is not None]
    assert all(last[key] == found for key, found in kept)
    assert cache.size_bytes == sum(len(found) + ENTRY_OVERHEAD for _, found in kept)


def test_threads_share_a_cache() -> None:
    cache = BlockCache(5 * COST)

    def work(seed: int) -> None:
        for step in range(2000):
            key = (seed + step * 7) % 11
            found = cache.get(key)
            assert found in (None, bytes([key]) * 100)
            cache.put(key, bytes([key]) * 100)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert cache.hit_count + cache.miss_count == 8000
    assert cache.size_bytes == 5 * COST
