"""Split-block Bloom filters: which names a file may hold (SPEC.md, section 13.5).

A filter answers "certainly not" or "perhaps", and one look-up touches one block of 32 bytes.
Blocks, salts and hashing are those of Apache Parquet (parquet-format, BloomFilter.md).

With c bits per name a block of 256 bits is hit by a Poisson-distributed number of names with mean
256 / c, each of which sets one of the 32 bits of each of its 8 words; so an absent name passes with

    p(c) = sum over j of Poisson(j; 256 / c) * (1 - (1 - 1/32) ** j) ** 8

Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007); Apple,
"Split block Bloom filters" (arXiv:2101.01719).
"""

from __future__ import annotations

import math
from typing import Final

from lithograph.formats.layout import Buffer

FILTER_BLOCK_SIZE: Final = 32
WORD_COUNT: Final = 8
SALTS: Final = (
    0x47B6137B,
    0x44974D91,
    0x8824AD5B,
    0xA2B7289D,
    0x705495C7,
    0x2DF1424B,
    0x9EFC4947,
    0x5C6BFB31,
)
assert len(SALTS) == WORD_COUNT  # On disk; SPEC.md, section 13.5.

BITS_PER_NAME: Final = 12
"""p(12) = 0.54 %; ten bits would let 1.26 % pass, sixteen 0.13 %."""
BLOCK_COUNT_MAX: Final = 2**31
_U32_MASK: Final = 2**32 - 1


def block_count_for(name_count: int) -> int:
    """Return how many blocks a filter for so many names has, at least one.

    >>> block_count_for(0), block_count_for(1000)
    (1, 47)
    """
    return min(max(1, -(-name_count * BITS_PER_NAME // (8 * FILTER_BLOCK_SIZE))), BLOCK_COUNT_MAX)


def block_index(digest: int, block_count: int) -> int:
    """Return the block that a name belongs to; `digest` is the XXH64 of its UTF-8."""
    return (digest >> 32) * block_count >> 32


def block_mask(digest: int) -> int:
    """Return the eight bits that a name sets in its block, as one integer of 256 bits."""
    key = digest & _U32_MASK
    mask = 0
    for word, salt in enumerate(SALTS):
        mask |= 1 << 32 * word + ((key * salt & _U32_MASK) >> 27)
    return mask


def may_hold(block: Buffer, digest: int) -> bool:
    """Return False if the name is certainly not in the filter; `block` is that of its index."""
    mask = block_mask(digest)
    return int.from_bytes(block, "little") & mask == mask


def add_digest(bits: bytearray, digest: int) -> None:
    """Add a name to a whole filter."""
    start = block_index(digest, len(bits) // FILTER_BLOCK_SIZE) * FILTER_BLOCK_SIZE
    end = start + FILTER_BLOCK_SIZE
    block = int.from_bytes(bits[start:end], "little") | block_mask(digest)
    bits[start:end] = block.to_bytes(FILTER_BLOCK_SIZE, "little")


def false_positive_rate(bits_per_name: float) -> float:
    """Return p(c) from the head of this page: the share of absent names that pass.

    >>> round(false_positive_rate(12), 5)
    0.00542
    """
    mean = 8 * FILTER_BLOCK_SIZE / bits_per_name
    chance, total = math.exp(-mean), 0.0
    for count in range(int(mean + 20 * math.sqrt(mean)) + 20):
        total += chance * (1 - (1 - 1 / 32) ** count) ** WORD_COUNT
        chance *= mean / (count + 1)
    return total
