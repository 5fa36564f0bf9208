# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Compiled twins of lithograph.kernel.reference; every offset is checked against the buffer's length."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef uint64_t PRIME_1 = 0x9E3779B185EBCA87
cdef uint64_t PRIME_2 = 0xC2B2AE3D27D4EB4F
cdef uint64_t PRIME_3 = 0x165667B19E3779F9
cdef uint64_t PRIME_4 = 0x85EBCA77C2B2AE63
cdef uint64_t PRIME_5 = 0x27D4EB2F165667C5

cdef Py_ssize_t RECORD_SIZE_MIN = 56  # On disk; SPEC.md, section 6.2.


cdef inline uint64_t rotate(uint64_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (64 - bits))


cdef inline uint64_t load64(const uint8_t *at) noexcept nogil:
    # On disk everything is little-endian, and so is every machine this is built for.
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value


cdef inline uint32_t load32(const uint8_t *at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value


cdef inline uint64_t lane(uint64_t accumulator, uint64_t value) noexcept nogil:
    return rotate(accumulator + value * PRIME_2, 31) * PRIME_1


cdef inline uint64_t merge(uint64_t hash, uint64_t accumulator) noexcept nogil:
    return (hash ^ lane(0, accumulator)) * PRIME_1 + PRIME_4


cdef uint64_t hash64(const uint8_t *at, Py_ssize_t size) noexcept nogil:
    """XXH64, seed 0, by the published specification (doc/xxhash_spec.md of the xxHash project)."""
    cdef const uint8_t *end = at + size
    cdef uint64_t a, b, c, d, hash
    if size >= 32:
        a = PRIME_1 + PRIME_2
        b = PRIME_2
        c = 0
        d = 0 - PRIME_1
        while end - at >= 32:
            a = lane(a, load64(at))
            b = lane(b, load64(at + 8))
            c = lane(c, load64(at + 16))
            d = lane(d, load64(at + 24))
            at += 32
        hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
        hash = merge(merge(merge(merge(hash, a), b), c), d)
    else:
        hash = PRIME_5
    hash += <uint64_t>size
    while end - at >= 8:
        hash = rotate(hash ^ lane(0, load64(at)), 27) * PRIME_1 + PRIME_4
        at += 8
    if end - at >= 4:
        hash = rotate(hash ^ (load32(at) * PRIME_1), 23) * PRIME_2 + PRIME_3
        at += 4
    while at < end:
        hash = rotate(hash ^ (at[0] * PRIME_5), 11) * PRIME_1
        at += 1
    hash = (hash ^ (hash >> 33)) * PRIME_2
    hash = (hash ^ (hash >> 29)) * PRIME_3
    return hash ^ (hash >> 32)


def xxh64(const uint8_t[::1] data not None):
    """Return the XXH64 of the bytes, seed 0."""
    cdef Py_ssize_t size = data.shape[0]
    return hash64(&data[0] if size else NULL, size)


def scan_records(
    const uint8_t[::1] data not None,
    Py_ssize_t offset,
    uint64_t epoch,
    uint64_t sequence,
    uint64_t chain,
):
    """See lithograph.kernel.reference.scan_records."""
    cdef Py_ssize_t size = data.shape[0], end
    cdef const uint8_t *base
    cdef const uint8_t *head
    cdef uint64_t checksum
    if not 0 <= offset <= size:
        raise ValueError(f"offset {offset} is outside the {size} bytes of data")
    offsets = []
    if size == 0:
        return offsets, offset, chain
    base = &data[0]
    # Invariant: 0 <= offset <= size, and all before offset belongs to the chain.
    while size - offset >= RECORD_SIZE_MIN:
        head = base + offset
        # A payload size is below 2**32, so the sum cannot overflow 63 bits.
        end = offset + RECORD_SIZE_MIN + ((<Py_ssize_t>load32(head + 48) + 7) & ~<Py_ssize_t>7)
        if (
            end > size
            or load64(head + 8) != chain
            or load64(head + 16) != epoch
            or load64(head + 24) != sequence
        ):
            break
        checksum = load64(head)
        if hash64(head + 8, end - offset - 8) != checksum:
            break
        offsets.append(offset)
        offset = end
        chain = checksum
        sequence += 1
    return offsets, offset, chain
