# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Reads straight from the maps of sealed files: names, adjacency lists, what is k hops away.

Nothing here says what is wrong. Where a block was not checked yet, a page cannot be had, a value is
rare or anything looks odd, the answer is UNSURE, and the careful way (`segments`) answers or raises.
Every offset is checked against the bytes that it leads into before it is followed.
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.datetime cimport datetime_new, import_datetime
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset

from datetime import UTC

import numpy

from lithograph.errors import CorruptionError
from lithograph.formats.moment import MOMENT_MAX, MOMENT_MIN
from lithograph.formats.properties import (
    EMPTY, check_encoded, decode_properties, encode_properties,
)
from lithograph.formats.text import TEXT_SIZE_MAX

import_datetime()

cdef object new_array = numpy.empty
cdef object INT64 = numpy.dtype(numpy.int64)

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    int PyErr_CheckSignals() except -1
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    object PyBytes_FromStringAndSize(const char *data, Py_ssize_t size)

cdef extern from "bytes.h":
    uint32_t load16(const uint8_t *at) noexcept nogil
    uint32_t load32(const uint8_t *at) noexcept nogil
    uint64_t load64(const uint8_t *at) noexcept nogil
    const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value) noexcept nogil
    const uint8_t *read_neighbors(
        const uint8_t *at, const uint8_t *end, const uint8_t *limit, uint64_t count,
        uint64_t *neighbors
    ) noexcept nogil
    void hand_over(const void **place, const void *what) noexcept nogil
    const void *handed_over(const void **place) noexcept nogil
    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    uint64_t first_eight(const uint8_t *at, size_t size) noexcept nogil
    int compare_bytes(
        const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size
    ) noexcept nogil
    bint is_ascii(const uint8_t *at, size_t size) noexcept nogil
    const uint8_t *add_sizes(
        const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *sum
    ) noexcept nogil
    uint64_t count_bits(const uint8_t *bits, uint64_t count) noexcept nogil
    int two_varints_size(uint64_t word) noexcept nogil
    void prefetch(const void *at) noexcept nogil
    void touch(const void *at) noexcept nogil
    size_t filter_block(uint64_t digest, uint64_t block_count) noexcept nogil
    int filter_may_hold(const uint8_t *block, uint64_t digest) noexcept nogil

cdef extern from "memtable.h":
    ctypedef struct MemNameVersion:
        int64_t node_id

    ctypedef struct MemName:
        uint32_t size
        const uint8_t *text

    ctypedef struct MemNodeVersion:
        const MemNodeVersion *older
        uint64_t sequence
        uint32_t size
        uint16_t flags, kind
        const uint8_t *fields

    ctypedef struct MemNode:
        const MemName *name

    ctypedef struct MemEdgeFields:
        int64_t created_at, valid_from, valid_to
        const uint8_t *properties
        uint32_t properties_size, flags

    ctypedef struct MemEdgeVersion:
        const MemEdgeVersion *older
        const MemEdgeFields *fields
        uint64_t sequence, born_sequence
        uint32_t full, alive

    ctypedef struct MemEdge:
        uint64_t *ends
        const uint8_t *key
        uint32_t key_size, code

    ctypedef struct MemList:
        pass

    ctypedef struct Memory:
        uint64_t first_id

    ctypedef struct ListedEdges:
        const MemEdge **edges
        uint64_t count

    const MemName *memory_name(
        const Memory *memory, const uint8_t *text, size_t size, uint64_t digest) noexcept nogil
    const MemNameVersion *name_seen(const MemName *name, uint64_t sequence) noexcept nogil
    const MemNode *memory_node(const Memory *memory, uint64_t id) noexcept nogil
    const MemNodeVersion *node_newest(const MemNode *node) noexcept nogil
    const MemList *memory_list(const Memory *memory, uint64_t id, int direction) noexcept nogil
    void fetch_edge(
        const Memory *memory, uint64_t source, uint64_t target, uint32_t code, int stage
    ) noexcept nogil
    const MemEdge *memory_edge(
        const Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
        uint32_t key_size) noexcept nogil
    const MemEdgeVersion *edge_seen(const MemEdge *edge, uint64_t sequence) noexcept nogil
    int is_made_here(const MemEdgeVersion *version) noexcept nogil
    ListedEdges list_edges(const MemList *list, int direction) noexcept nogil

    cdef enum:
        MEM_FULL
        MEM_RELATIVE
        MEM_TOMBSTONE

cdef extern from "operations.h":
    ctypedef struct Bytes:
        const uint8_t *at
        const uint8_t *end

    cdef enum:
        HAS_CODE
        HAS_CREATED
        HAS_TEXTS
        HAS_REMOVED
        HAS_APPENDED
        HAS_MAP
        HAS_SET
        HAS_UNSET

    const int64_t NO_MOMENT
    int take32(Bytes *from_, uint32_t *value) noexcept nogil
    int take64(Bytes *from_, int64_t *value) noexcept nogil
    int take_text(Bytes *from_, const uint8_t **text, uint32_t *size) noexcept nogil

cdef extern from "growing.h":
    ctypedef struct Growing:
        uint8_t *data
        size_t size, room
    bint growing_room(Growing *out, size_t more) noexcept nogil
    void growing_free(Growing *out) noexcept nogil
    void put_bytes(Growing *out, const void *source, size_t size) noexcept nogil

cdef extern from "packed.h":
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
    ctypedef struct ListSource:
        uint64_t count
        const ListEdge *edges

cdef extern from "guard.h":
    int guard_install() noexcept nogil
    int guarded(void (*work)(void *) noexcept nogil, void *what) noexcept nogil

# On disk; SPEC.md, sections 12 and 13.
cdef enum:
    BLOCK_SIZE = 4096
    PAGE_SIZE = 4096
    PAGE_HEAD_SIZE = 16
    RESTART_INTERVAL = 16
    HEAD_SIZE_MAX = 1024
    LEAF = 1
    BRANCH = 2
    GROUP_COUNT_MAX = 128
    LISTS = 64
    NODES = 64
    PURE = 1
    INDEXED = 2

cdef uint64_t ID_END = <uint64_t>1 << 48
cdef uint64_t TYPE_CODE_END = <uint64_t>1 << 32
cdef int TYPES_MAX = 64

UNSURE = object()
"""Returned where the careful way must look."""

cdef enum Answer:
    FOUND
    NONE
    GONE  # The name was deleted here: older runs do not count.
    ODD
    FULL

if guard_install() != 0:
    raise ImportError("SIGBUS cannot be handled here")

include "quick_files.pxi"
include "name_entry.pxi"
include "quick_hot.pxi"
include "quick_names.pxi"
include "quick_pages.pxi"
include "quick_blocks.pxi"
include "quick_lists.pxi"
include "visited.pxi"
include "quick_records.pxi"
include "quick_nodes.pxi"
include "quick_changes.pxi"
include "quick_maps.pxi"
include "quick_node.pxi"
include "stored_source.pxi"
include "quick_edge_list.pxi"
include "quick_edge_file.pxi"
include "quick_edge.pxi"
include "quick_layers.pxi"
include "quick_joined.pxi"
include "quick_store.pxi"
include "quick_fresh.pxi"
include "quick_view.pxi"
include "quick_edge_join.pxi"
include "quick_edges.pxi"
include "quick_node_batch.pxi"
