# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Tables of segments, built and merged (SPEC.md, section 12).

What is written here is what the plain writers (`segments`) would write, byte for byte. What these
loops do not do themselves they hand back, entry by entry, and the plain way does it.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    object PyBytes_FromStringAndSize(const char *data, Py_ssize_t size)

cdef extern from "bytes.h":
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    const uint8_t *add_sizes(
        const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *sum
    ) noexcept nogil
    uint64_t count_bits(const uint8_t *bits, uint64_t count) noexcept nogil

cdef extern from "growing.h":
    ctypedef struct Growing:
        uint8_t *data
        size_t size, room
    bint growing_room(Growing *out, size_t more) noexcept nogil
    void growing_free(Growing *out) noexcept nogil
    void put_byte(Growing *out, uint8_t value) noexcept nogil
    void put_varint(Growing *out, uint64_t value) noexcept nogil
    void put32(Growing *out, uint32_t value) noexcept nogil
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

cdef extern from "utf8.h":
    bint is_utf8(const uint8_t *at, size_t size) noexcept nogil

cdef extern from "list_source.h":
    ctypedef struct ListEdge:
        uint64_t code, neighbor, sequence, born
        const uint8_t *key
        const uint8_t *fields
        uint32_t key_size, fields_size
        uint8_t mark, head, careful
    enum:
        LIST_READY
        LIST_END
        LIST_ASKS
        LIST_NO_MEMORY
    ctypedef struct ListSource:
        int (*advance)(ListSource *source) noexcept nogil
        uint64_t id, count
        const ListEdge *edges
        int odd

# On disk; SPEC.md, section 12.
cdef enum:
    BLOCK_SIZE = 4096
    VARINT_ROOM = 10
    OUT_OF_LINE = 1
    TEXT_SIZE_MAX = 65535
    PURE = 1
    INDEXED = 2

cdef uint64_t ID_END = <uint64_t>1 << 48
cdef uint64_t TYPE_CODE_END = <uint64_t>1 << 32
cdef uint64_t U64_MAX = ~<uint64_t>0

if guard_install() != 0:
    raise ImportError("SIGBUS cannot be handled here")

from lithograph.kernel._reads import UNSURE

include "quick_files.pxi"
include "quick_blocks.pxi"
include "block_columns.pxi"
include "block_builder.pxi"
include "stored_source.pxi"
include "edge_blocks.pxi"
include "stored_lists.pxi"
include "list_decoder.pxi"
include "list_encoder.pxi"
include "careful_ids.pxi"
include "list_merge.pxi"
include "joined_columns.pxi"
include "stored_versions.pxi"
include "record_merge.pxi"
