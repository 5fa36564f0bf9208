# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Runs of the name index, built and merged (SPEC.md, section 13)."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.pycapsule cimport (
    PyCapsule_GetContext, PyCapsule_GetPointer, PyCapsule_New, PyCapsule_SetContext,
)
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef extern from "bytes.h":
    int compare_bytes(
        const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size
    ) noexcept nogil
    uint16_t load16(const uint8_t *at) noexcept nogil
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    size_t filter_block(uint64_t digest, uint64_t block_count) noexcept nogil

cdef extern from "growing.h":
    ctypedef struct Growing:
        uint8_t *data
        size_t size, room
    enum: VARINT_ROOM
    int growing_room(Growing *out, size_t more) noexcept nogil
    void growing_free(Growing *out) noexcept nogil
    void put_varint(Growing *out, uint64_t value) noexcept nogil
    void put32(Growing *out, uint32_t value) noexcept nogil
    void put64(Growing *out, uint64_t value) noexcept nogil
    void put_bytes(Growing *out, const void *data, size_t size) noexcept nogil

cdef extern from "keys.h":
    void store16(uint8_t *at, uint16_t value) noexcept nogil
    size_t shared_size(
        const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size
    ) noexcept nogil
    uint8_t *write_varint(uint8_t *at, uint64_t value) noexcept nogil
    void set_filter_bits(uint8_t *block, uint64_t digest) noexcept nogil

cdef extern from "name_source.h":
    const char *NAME_SOURCE
    ctypedef struct NameVersion:
        uint64_t sequence
        int64_t id
    ctypedef struct NamedVersions:
        const uint8_t *name
        size_t size
        const NameVersion *versions
        size_t count
    ctypedef struct NameSource:
        int (*next)(NameSource *self, NamedVersions *item) noexcept nogil

# On disk; SPEC.md, sections 12 and 13.
cdef enum:
    PAGE_SIZE = 4096
    PAGE_HEAD_SIZE = 16
    OVERFLOW_CAPACITY = 4080
    RESTART_INTERVAL = 16
    RESTARTS_MAX = 128
    HEAD_SIZE_MAX = 1024
    TEXT_SIZE_MAX = 65535
    LEAF = 1
    BRANCH = 2
    OVERFLOW = 3
    SHARED_INLINE_END = 15
    SUFFIX_INLINE_END = 14
    WITH_FLAGS = 15
    KEY_OVERFLOW = 2

cdef enum:
    INLINE_SIZE_MAX = 512  # bytes of versions that a writer leaves in the leaf
    VALUE_SIZE_MAX = INLINE_SIZE_MAX + 64  # with two counts and a chain
    NOTE_SIZE = 12

cdef int64_t ID_END = <int64_t>1 << 48

include "page_builder.pxi"
include "name_list.pxi"
include "tree.pxi"
include "tree_builder.pxi"
include "name_entry.pxi"
include "leaf_scan.pxi"
include "run_stream.pxi"
include "run_merge.pxi"
include "filter_bits.pxi"
