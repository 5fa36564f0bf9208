/* The memtable: every version of the newest commits, read without any lock while it grows.
 *
 * One thread writes, holding the interpreter's lock; any number of threads read, holding it or not.
 * What readers reach is complete before it is handed over and never changes or moves afterwards;
 * everything is given back together, when nobody holds the memtable any more. Memory is that of the
 * interpreter's raw allocator, so that tools which watch it see what a memtable takes.
 *
 * Invariants
 * 1. The versions of a name, a node and an edge are chained newest first and descend by sequence.
 * 2. An edge is the same object in the list of its source and in that of its target.
 * 3. An edge of a list is in its sorted array or in its tail; while it moves, in both. So a reader
 *    takes the tail first.
 */

#ifndef LITHOGRAPH_MEMTABLE_H
#define LITHOGRAPH_MEMTABLE_H

#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define TABLE_SLOTS_MIN 8
#define ARENA_CHUNK_MIN 512
#define ARENA_CHUNK_MAX ((size_t)1 << 16)
#define TAIL_MIN 32

typedef struct Chunk_ {
    struct Chunk_ *older;
} ArenaChunk;

typedef struct {
    ArenaChunk *chunks;
    uint8_t *at;
    size_t left, taken; /* from the system: all chunks */
} Arena;

/* Return zeroed bytes, aligned to eight; NULL if there is no memory. */
static inline void *arena_take(Arena *arena, size_t size)
{
    void *taken;
    size = (size + 7) & ~(size_t)7;
    if (size > arena->left) {
        /* An eighth of what there is: so much may be taken and not used. */
        size_t wanted = arena->taken / 8;
        ArenaChunk *chunk;
        wanted = wanted < ARENA_CHUNK_MAX ? wanted : ARENA_CHUNK_MAX;
        wanted = wanted > ARENA_CHUNK_MIN ? wanted : ARENA_CHUNK_MIN;
        wanted = wanted > size ? wanted : size;
        chunk = PyMem_RawCalloc(1, sizeof(ArenaChunk) + wanted);
        if (!chunk) {
            return NULL;
        }
        chunk->older = arena->chunks;
        arena->chunks = chunk;
        arena->at = (uint8_t *)(chunk + 1);
        arena->left = wanted;
        arena->taken += sizeof(ArenaChunk) + wanted;
    }
    taken = arena->at;
    arena->at += size;
    arena->left -= size;
    return taken;
}

static inline void arena_free(Arena *arena)
{
    while (arena->chunks) {
        ArenaChunk *older = arena->chunks->older;
        PyMem_RawFree(arena->chunks);
        arena->chunks = older;
    }
}

/* Hash tables of pointers: open addressing; a fuller one replaces the old, which stays for readers. */

typedef struct Slots_ {
    struct Slots_ *replaced;
    uint64_t mask;
    const void *volatile entries[];
} Slots;

typedef struct {
    Slots *volatile slots;
    uint64_t count;
} HashTable;

static inline const Slots *table_slots(const HashTable *table)
{
    return handed_over((const void *const volatile *)&table->slots);
}

static inline uint64_t scattered(uint64_t value)
{
    value = (value ^ value >> 32) * 0x9E3779B97F4A7C15ULL;
    return value ^ value >> 29;
}

static inline void table_free(HashTable *table)
{
    Slots *slots = table->slots;
    while (slots) {
        Slots *replaced = slots->replaced;
        PyMem_RawFree(slots);
        slots = replaced;
    }
    table->slots = NULL;
}

/* Versions, names, nodes, edges. */

typedef struct MemNameVersion_ {
    const struct MemNameVersion_ *older;
    uint64_t sequence;
    int64_t node_id; /* -1: the name was taken from its node */
} MemNameVersion;

typedef struct MemName_ {
    const struct MemName_ *before; /* added before this one, as are those of nodes and lists */
    uint64_t digest;
    const MemNameVersion *volatile newest;
    uint32_t size;
    uint8_t text[];
} MemName;

enum { MEM_FULL, MEM_RELATIVE, MEM_TOMBSTONE };

typedef struct MemNodeVersion_ {
    const struct MemNodeVersion_ *older;
    uint64_t sequence;
    uint32_t size;
    uint16_t flags;
    uint16_t kind;
    uint8_t fields[]; /* as in the log (SPEC.md, section 7.2) */
} MemNodeVersion;

typedef struct MemNode_ {
    const struct MemNode_ *before;
    uint64_t id;
    const MemName *name; /* NULL where only an older layer knows it */
    const MemNodeVersion *volatile newest;
} MemNode;

enum { MEM_CREATED = 1, MEM_FROM = 2, MEM_TO = 4, MEM_PROPERTIES = 8 };

typedef struct {
    int64_t created_at, valid_from, valid_to;
    const uint8_t *properties;
    uint32_t properties_size;
    uint32_t flags; /* which fields there are (SPEC.md, section 7.3) */
} MemEdgeFields;

typedef struct MemEdgeVersion_ {
    const struct MemEdgeVersion_ *older;
    const MemEdgeFields *fields; /* NULL: none */
    uint64_t sequence, born_sequence;
    uint32_t full, alive;
} MemEdgeVersion;

typedef struct MemEdge_ {
    uint64_t ends[2]; /* source, target */
    const MemEdgeVersion *volatile newest;
    const struct MemEdge_ *next[2]; /* in the tails of both lists */
    const uint8_t *key;
    uint32_t key_size, code;
} MemEdge;

typedef struct {
    uint64_t count;
    const MemEdge *edges[];
} MemSorted;

typedef struct MemList_ {
    const struct MemList_ *before;
    uint64_t id;
    const MemEdge *volatile tail;
    const MemSorted *volatile sorted;
    uint64_t tail_count;
} MemList;

typedef struct {
    uint64_t first_id; /* ids from here on were born in this memtable or a newer one */
    Arena arena;
    HashTable names, nodes, edges, lists[2];
    const MemName *last_name;
    const MemNode *last_node;
    const MemList *last_lists[2];
    size_t table_bytes; /* of all tables, those that were replaced too */
    uint64_t version_count;
} Memory;

static inline void memory_free(Memory *memory)
{
    table_free(&memory->names);
    table_free(&memory->nodes);
    table_free(&memory->edges);
    table_free(&memory->lists[0]);
    table_free(&memory->lists[1]);
    arena_free(&memory->arena);
}

/* Reading ------------------------------------------------------------------------------------- */

static inline const MemName *memory_name(
    const Memory *memory, const uint8_t *text, size_t size, uint64_t digest)
{
    const Slots *slots = table_slots(&memory->names);
    uint64_t place;
    if (!slots) {
        return NULL;
    }
    for (place = digest & slots->mask;; place = (place + 1) & slots->mask) {
        const MemName *name = handed_over(&slots->entries[place]);
        if (!name) {
            return NULL;
        }
        if (name->digest == digest && name->size == size && !memcmp(name->text, text, size)) {
            return name;
        }
    }
}

/* Return the version of a name that a view at `sequence` sees, or NULL. */
static inline const MemNameVersion *name_seen(const MemName *name, uint64_t sequence)
{
    const MemNameVersion *version = handed_over((const void *const volatile *)&name->newest);
    while (version && version->sequence > sequence) {
        version = version->older;
    }
    return version;
}

static inline const MemNode *memory_node(const Memory *memory, uint64_t id)
{
    const Slots *slots = table_slots(&memory->nodes);
    uint64_t place;
    if (!slots) {
        return NULL;
    }
    for (place = scattered(id) & slots->mask;; place = (place + 1) & slots->mask) {
        const MemNode *node = handed_over(&slots->entries[place]);
        if (!node || node->id == id) {
            return node;
        }
    }
}

static inline const MemNodeVersion *node_newest(const MemNode *node)
{
    return handed_over((const void *const volatile *)&node->newest);
}

static inline const MemList *memory_list(const Memory *memory, uint64_t id, int direction)
{
    const Slots *slots = table_slots(&memory->lists[direction]);
    uint64_t place;
    if (!slots) {
        return NULL;
    }
    for (place = scattered(id) & slots->mask;; place = (place + 1) & slots->mask) {
        const MemList *list = handed_over(&slots->entries[place]);
        if (!list || list->id == id) {
            return list;
        }
    }
}

static inline uint64_t edge_digest(
    uint64_t source, uint64_t target, uint32_t code, const uint8_t *key, uint32_t key_size)
{
    uint64_t digest = scattered(source * XXH_1 + scattered(target * XXH_2 + code));
    return key_size ? digest ^ xxh64_of(key, key_size) : digest;
}

static inline int is_edge(
    const MemEdge *edge, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
    uint32_t key_size)
{
    return edge->ends[0] == source && edge->ends[1] == target && edge->code == code
        && edge->key_size == key_size && (!key_size || !memcmp(edge->key, key, key_size));
}

static inline const MemEdge *memory_edge(
    const Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
    uint32_t key_size)
{
    const Slots *slots = table_slots(&memory->edges);
    uint64_t place;
    if (!slots) {
        return NULL;
    }
    place = edge_digest(source, target, code, key, key_size) & slots->mask;
    for (;; place = (place + 1) & slots->mask) {
        const MemEdge *edge = handed_over(&slots->entries[place]);
        if (!edge || is_edge(edge, source, target, code, key, key_size)) {
            return edge;
        }
    }
}

/* Let memory come that `memory_edge` will want: where the edge is noted (0), then the edge (1). */
static inline void fetch_edge(
    const Memory *memory, uint64_t source, uint64_t target, uint32_t code, int stage)
{
    const Slots *slots = table_slots(&memory->edges);
    uint64_t place;
    if (!slots) {
        return;
    }
    place = edge_digest(source, target, code, NULL, 0) & slots->mask;
    prefetch(stage ? handed_over(&slots->entries[place]) : (const void *)&slots->entries[place]);
}

/* Return the version of an edge that a view at `sequence` sees, or NULL. */
static inline const MemEdgeVersion *edge_seen(const MemEdge *edge, uint64_t sequence)
{
    const MemEdgeVersion *version = handed_over((const void *const volatile *)&edge->newest);
    while (version && version->sequence > sequence) {
        version = version->older;
    }
    return version;
}

/* Whether the memtable made the edge: then no older layer holds it alive. */
static inline int is_made_here(const MemEdgeVersion *version)
{
    while (version->older) {
        version = version->older;
    }
    return (int)version->full;
}

/* The order of (type code, neighbor, key); `towards` is the end that is the neighbor. */
static inline int compare_edges(const MemEdge *one, const MemEdge *other, int towards)
{
    if (one->code != other->code) {
        return one->code < other->code ? -1 : 1;
    }
    if (one->ends[towards] != other->ends[towards]) {
        return one->ends[towards] < other->ends[towards] ? -1 : 1;
    }
    return compare_bytes(one->key, one->key_size, other->key, other->key_size);
}

static inline int compare_out(const void *one, const void *other)
{
    return compare_edges(*(const MemEdge *const *)one, *(const MemEdge *const *)other, 1);
}

static inline int compare_in(const void *one, const void *other)
{
    return compare_edges(*(const MemEdge *const *)one, *(const MemEdge *const *)other, 0);
}

/* Merge a sorted array and a tail, which is sorted in place, without repetitions; return how many. */
static inline uint64_t merge_tail(
    const MemEdge **out, const MemSorted *sorted, const MemEdge **tail, uint64_t tail_count,
    int direction)
{
    uint64_t count = 0, left = 0, right = 0, sorted_count = sorted ? sorted->count : 0;
    qsort(tail, (size_t)tail_count, sizeof *tail, direction ? compare_in : compare_out);
    while (left < sorted_count || right < tail_count) {
        if (right == tail_count) {
            out[count++] = sorted->edges[left++];
        } else if (left == sorted_count) {
            out[count++] = tail[right++];
        } else if (sorted->edges[left] == tail[right]) {
            left++;
        } else if (compare_edges(sorted->edges[left], tail[right], !direction) < 0) {
            out[count++] = sorted->edges[left++];
        } else {
            out[count++] = tail[right++];
        }
    }
    return count;
}

typedef struct {
    const MemEdge **edges;
    uint64_t count;
} ListedEdges;

/* Return the edges of a list in order, to be freed by the caller; edges is NULL without memory. */
static inline ListedEdges list_edges(const MemList *list, int direction)
{
    const MemEdge *tail = handed_over((const void *const volatile *)&list->tail);
    const MemSorted *sorted = handed_over((const void *const volatile *)&list->sorted);
    const MemEdge *edge;
    const MemEdge **room;
    uint64_t tail_count = 0, all;
    ListedEdges found = {NULL, 0};
    for (edge = tail; edge; edge = edge->next[direction]) {
        tail_count++;
    }
    all = tail_count + (sorted ? sorted->count : 0);
    room = malloc((size_t)(all + tail_count + 1) * sizeof *room);
    if (!room) {
        return found;
    }
    tail_count = 0;
    for (edge = tail; edge; edge = edge->next[direction]) {
        room[all + tail_count++] = edge;
    }
    found.edges = room;
    found.count = merge_tail(room, sorted, room + all, tail_count, direction);
    return found;
}

#endif
