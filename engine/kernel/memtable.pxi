# What the C headers of the memtable declare.

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    bint PyUnicode_IS_ASCII(object text)

cdef extern from "bytes.h":
    uint32_t load32(const uint8_t *at) noexcept nogil
    int compare_bytes(
        const uint8_t *one, uint64_t one_size, const uint8_t *other, uint64_t other_size
    ) noexcept nogil

cdef extern from "growing.h":
    ctypedef struct Growing:
        uint8_t *data
        size_t size, room

    const size_t VARINT_ROOM
    int growing_room(Growing *out, size_t more) noexcept nogil
    void growing_free(Growing *out) noexcept nogil
    void put_varint(Growing *out, uint64_t value) noexcept nogil
    void put_byte(Growing *out, uint8_t value) noexcept nogil
    void put32(Growing *out, uint32_t value) noexcept nogil
    void put64(Growing *out, uint64_t value) noexcept nogil
    void put_bytes(Growing *out, const void *from_, size_t size) noexcept nogil

cdef extern from "memtable.h":
    ctypedef struct Arena:
        size_t taken

    ctypedef struct HashTable:
        uint64_t count

    ctypedef struct MemNameVersion:
        const MemNameVersion *older
        uint64_t sequence
        int64_t node_id

    ctypedef struct MemName:
        const MemName *before
        uint64_t digest
        const MemNameVersion *newest
        uint32_t size
        const uint8_t *text

    ctypedef struct MemNodeVersion:
        const MemNodeVersion *older
        uint64_t sequence
        uint32_t size
        uint16_t flags, kind
        const uint8_t *fields

    ctypedef struct MemNode:
        const MemNode *before
        uint64_t id
        const MemName *name
        const MemNodeVersion *newest

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
        uint64_t ends[2]
        const MemEdgeVersion *newest
        const uint8_t *key
        uint32_t key_size, code

    ctypedef struct MemList:
        const MemList *before
        uint64_t id

    ctypedef struct Memory:
        uint64_t first_id
        Arena arena
        HashTable names
        HashTable nodes
        HashTable edges
        HashTable lists[2]
        const MemName *last_name
        const MemNode *last_node
        const MemList **last_lists
        size_t table_bytes
        uint64_t version_count

    ctypedef struct ListedEdges:
        const MemEdge **edges
        uint64_t count

    cdef enum:
        MEM_FULL
        MEM_RELATIVE
        MEM_TOMBSTONE
        MEM_CREATED
        MEM_FROM
        MEM_TO
        MEM_PROPERTIES

    uint64_t xxh64_of(const uint8_t *at, size_t size) noexcept nogil
    void *arena_take(Arena *arena, size_t size) noexcept nogil
    void memory_free(Memory *memory) noexcept nogil
    const MemName *memory_name(
        const Memory *memory, const uint8_t *text, size_t size, uint64_t digest) noexcept nogil
    const MemNameVersion *name_seen(const MemName *name, uint64_t sequence) noexcept nogil
    const MemNode *memory_node(const Memory *memory, uint64_t id) noexcept nogil
    const MemNodeVersion *node_newest(const MemNode *node) noexcept nogil
    const MemList *memory_list(const Memory *memory, uint64_t id, int direction) noexcept nogil
    const MemEdge *memory_edge(
        const Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
        uint32_t key_size) noexcept nogil
    const MemEdgeVersion *edge_seen(const MemEdge *edge, uint64_t sequence) noexcept nogil
    int is_made_here(const MemEdgeVersion *version) noexcept nogil
    ListedEdges list_edges(const MemList *list, int direction) noexcept nogil

cdef extern from "memtable_write.h":
    MemName *name_entry(Memory *memory, const uint8_t *text, uint32_t size) noexcept
    int push_name(Memory *memory, MemName *name, uint64_t sequence, int64_t node_id) noexcept
    MemNode *node_entry(Memory *memory, uint64_t id, const MemName *name) noexcept
    int push_node(
        Memory *memory, MemNode *node, uint64_t sequence, uint16_t kind, uint16_t flags,
        const uint8_t *fields, uint32_t size) noexcept
    int change_edge(
        Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
        uint32_t key_size, uint64_t sequence, const MemEdgeFields *fields, uint32_t alive,
        uint32_t full) noexcept

cdef extern from "operations.h":
    ctypedef struct Bytes:
        const uint8_t *at
        const uint8_t *end

    ctypedef struct Operation:
        uint8_t kind
        uint16_t flags
        uint64_t subject, target
        uint32_t code
        const uint8_t *text
        uint32_t text_size
        Bytes rest

    ctypedef struct EndedEdges:
        Bytes rest

    cdef enum:
        DEFINE_TYPE
        INSERT_NODE
        UPDATE_NODE
        DELETE_NODE
        INSERT_EDGE
        UPDATE_EDGE
        DELETE_EDGE
        TEXT_SIZE_MAX
        HAS_CODE
        HAS_CREATED
        HAS_TEXTS
        HAS_MAP
        HAS_SET

    const int64_t NO_MOMENT

    int next_operation(Bytes *payload, Operation *found) noexcept nogil
    int is_sound(const Operation *found, uint64_t next_id, uint64_t type_count) noexcept nogil
    int begin_ended(EndedEdges *edges, Bytes from_) noexcept nogil
    int next_ended(
        EndedEdges *edges, uint32_t *code, uint64_t *neighbor, const uint8_t **key,
        uint32_t *key_size) noexcept nogil
    int take32(Bytes *from_, uint32_t *value) noexcept nogil
    int take64(Bytes *from_, int64_t *value) noexcept nogil
    int take_text(Bytes *from_, const uint8_t **text, uint32_t *size) noexcept nogil

cdef extern from "wal_record.h":
    ctypedef struct RecordHead:
        uint64_t checksum, chain, epoch, sequence, synced_upto
        int64_t commit_time
        uint32_t payload_size, operation_count

    const size_t RECORD_SIZE_MIN
    size_t record_size(size_t payload_size) noexcept nogil
    void seal_record(uint8_t *record, RecordHead head) noexcept nogil
