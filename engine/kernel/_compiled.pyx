# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Compiled twins of lithograph.kernel.reference; every offset is checked against the buffer's length."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "bytes.h":
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil

cdef extern from "wal_record.h":
    ctypedef struct RecordHead:
        uint64_t checksum, chain, epoch, sequence, synced_upto
        int64_t commit_time
        uint32_t payload_size, operation_count

    const Py_ssize_t RECORD_SIZE_MIN
    size_t record_size(size_t payload_size) noexcept nogil
    void seal_record(uint8_t *record, RecordHead head) noexcept nogil


def encode_record(
    uint64_t chain, uint64_t epoch, uint64_t sequence, uint64_t synced_upto, int64_t commit_time,
    uint32_t operation_count, bytes payload not None,
):
    """See lithograph.formats.wal_record.encode_record."""
    cdef Py_ssize_t size = len(payload)
    cdef bytes record
    cdef uint8_t *at
    if not 0 < sequence < <uint64_t>1 << 63 or size >= <Py_ssize_t>1 << 32:
        raise AssertionError("no such record")
    record = PyBytes_FromStringAndSize(NULL, record_size(size))
    at = <uint8_t *>PyBytes_AS_STRING(record)
    memcpy(at + RECORD_SIZE_MIN, PyBytes_AS_STRING(payload), size)
    seal_record(
        at,
        RecordHead(
            0, chain, epoch, sequence, synced_upto, commit_time, <uint32_t>size, operation_count
        ),
    )
    return record


cdef struct Slot:
    uint64_t counter, session, generation, wal_number, wal_end, wal_synced, chain, last_sequence
    int64_t last_commit_time
    uint64_t flags, next_file_number
    uint64_t reserved[4]
    uint64_t checksum


def encode_slot(
    uint64_t counter, uint64_t session, uint64_t generation, uint64_t wal_number,
    uint64_t wal_end, uint64_t wal_synced, uint64_t chain, uint64_t last_sequence,
    int64_t last_commit_time, uint64_t flags, uint64_t next_file_number,
):
    """See lithograph.kernel.reference.encode_slot."""
    cdef Slot slot = Slot(
        counter, session, generation, wal_number, wal_end, wal_synced, chain, last_sequence,
        last_commit_time, flags, next_file_number, [0, 0, 0, 0], 0,
    )
    slot.checksum = xxh64_of(<const uint8_t *>&slot, sizeof(Slot) - 8)
    return PyBytes_FromStringAndSize(<const char *>&slot, sizeof(Slot))


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
