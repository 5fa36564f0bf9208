# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Compiled twins of lithograph.kernel.reference; every offset is checked against the buffer's length."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "bytes.h":
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil

cdef Py_ssize_t RECORD_SIZE_MIN = 56  # On disk; SPEC.md, section 6.2.


def xxh64(const uint8_t[::1] data not None):
    """Return the XXH64 of the bytes, seed 0."""
    cdef Py_ssize_t size = data.shape[0]
    return xxh64_of(&data[0] if size else NULL, size)


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
        if xxh64_of(head + 8, end - offset - 8) != checksum:
            break
        offsets.append(offset)
        offset = end
        chain = checksum
        sequence += 1
    return offsets, offset, chain
