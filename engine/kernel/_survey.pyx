# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Whole files gone over for the deep check (SPEC.md, sections 12 and 13).

What is found right here would be found right by the careful way (`segments.segment_check`,
`segments.run_check`); of what is not, or is unusual, these functions say no more than that, and the
careful way looks. They work on bytes that are the caller's, with the interpreter's lock released.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "Python.h":
    object PyBytes_FromStringAndSize(const char *data, Py_ssize_t size)

cdef extern from "bytes.h":
    int compare_bytes(
        const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size
    ) noexcept nogil
    bint is_ascii(const uint8_t *at, size_t size) noexcept nogil
    uint16_t load16(const uint8_t *at) noexcept nogil
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil
    const uint8_t *read_neighbors(
        const uint8_t *at, const uint8_t *end, const uint8_t *limit, uint64_t count,
        uint64_t *neighbors
    ) noexcept nogil
    const uint8_t *add_sizes(
        const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *sum
    ) noexcept nogil
    uint64_t count_bits(const uint8_t *bits, uint64_t count) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    uint64_t xxh64_seeded(const uint8_t *at, size_t size, uint64_t seed) noexcept nogil
    size_t filter_block(uint64_t digest, uint64_t block_count) noexcept nogil
    bint filter_may_hold(const uint8_t *block, uint64_t digest) noexcept nogil

cdef extern from "growing.h":
    ctypedef struct Growing:
        uint8_t *data
        size_t size, room
    bint growing_room(Growing *out, size_t more) noexcept nogil
    void growing_free(Growing *out) noexcept nogil
    void put_byte(Growing *out, uint8_t value) noexcept nogil
    void put_varint(Growing *out, uint64_t value) noexcept nogil
    void put64(Growing *out, uint64_t value) noexcept nogil
    void put_bytes(Growing *out, const void *source, size_t size) noexcept nogil

cdef extern from "guard.h":
    int guard_install() noexcept nogil
    int guarded(void (*work)(void *) noexcept nogil, void *what) noexcept nogil

cdef extern from "packed.h":
    size_t packed_room(size_t count) noexcept nogil
    void put_packed(Growing *out, const uint64_t *values, size_t count) noexcept nogil
    const uint8_t *read_packed(
        const uint8_t *at, const uint8_t *end, size_t count, uint64_t value_max, uint64_t *values
    ) noexcept nogil

cdef extern from "property_map.h":
    bint is_property_map(const uint8_t *at, size_t size) noexcept nogil

cdef extern from "survey.h":
    uint64_t mixed(uint64_t value) noexcept nogil
    uint64_t hash_three(
        const uint64_t *key, uint64_t one, uint64_t two, uint64_t three
    ) noexcept nogil
    bint is_moment(uint64_t value, int64_t time) noexcept nogil
    uint64_t frame_content(const uint8_t *at, uint64_t size) noexcept nogil
    enum: FRAME_CONTENT_MAX

cdef extern from "utf8.h":
    bint is_utf8(const uint8_t *at, size_t size) noexcept nogil

# On disk; SPEC.md, sections 12 and 13.
cdef enum:
    PAGE_SIZE = 4096
    PAGE_HEAD_SIZE = 16
    RESTART_INTERVAL = 16
    HEAD_SIZE_MAX = 1024
    LEAF = 1
    VARINT_ROOM = 10
    OUT_OF_LINE = 1
    TEXT_SIZE_MAX = 65535
    PURE = 1
    INDEXED = 2
    GROUP_COUNT_MAX = 128
    LISTS = 64
    POSITIONS = 256

cdef uint64_t ID_END = <uint64_t>1 << 48
cdef uint64_t TYPE_CODE_END = <uint64_t>1 << 32
cdef uint64_t U64_MAX = ~<uint64_t>0

if guard_install() != 0:
    raise ImportError("SIGBUS cannot be handled here")

from lithograph.kernel._reads import UNSURE

include "quick_blocks.pxi"
include "block_columns.pxi"
include "joined_columns.pxi"
include "name_entry.pxi"
include "leaf_scan.pxi"
include "survey_sums.pxi"
include "survey_leaves.pxi"
include "survey_blocks.pxi"
include "survey_nodes.pxi"
include "survey_lists.pxi"
include "survey_edges.pxi"
include "survey_columns.pxi"
