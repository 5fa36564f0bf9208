/* Writing into the memtable: by one thread at a time, which holds the interpreter's lock.
 *
 * Everything returns 0 where memory runs out: then some of a commit may be there, above what is
 * published, and the same commit may be applied again; what is there already stays.
 */

#ifndef LITHOGRAPH_MEMTABLE_WRITE_H
#define LITHOGRAPH_MEMTABLE_WRITE_H

#include "memtable.h"

typedef uint64_t (*HashOf)(const void *entry);

static uint64_t hash_of_name(const void *entry) { return ((const MemName *)entry)->digest; }
static uint64_t hash_of_node(const void *entry) { return scattered(((const MemNode *)entry)->id); }
static uint64_t hash_of_list(const void *entry) { return scattered(((const MemList *)entry)->id); }

static uint64_t hash_of_edge(const void *entry)
{
    const MemEdge *edge = entry;
    return edge_digest(edge->ends[0], edge->ends[1], edge->code, edge->key, edge->key_size);
}

/* Make sure that another entry fits; a table is at most two thirds full. */
static int table_room(Memory *memory, HashTable *table, HashOf hash_of)
{
    Slots *slots = table->slots, *grown;
    uint64_t size = slots ? slots->mask + 1 : 0, place, index;
    if (slots && 3 * (table->count + 1) <= 2 * size) {
        return 1;
    }
    size = size ? 2 * size : TABLE_SLOTS_MIN;
    grown = PyMem_RawCalloc(1, sizeof(Slots) + (size_t)size * sizeof(void *));
    if (!grown) {
        return 0;
    }
    grown->replaced = slots;
    grown->mask = size - 1;
    memory->table_bytes += sizeof(Slots) + (size_t)size * sizeof(void *);
    for (place = 0; slots && place <= slots->mask; place++) {
        const void *entry = slots->entries[place];
        if (entry) {
            for (index = hash_of(entry) & grown->mask; grown->entries[index];) {
                index = (index + 1) & grown->mask;
            }
            grown->entries[index] = entry;
        }
    }
    hand_over((const void *volatile *)&table->slots, grown);
    return 1;
}

/* Add a complete entry, which is not there yet; there is room. */
static void table_add(HashTable *table, HashOf hash_of, const void *entry)
{
    Slots *slots = table->slots;
    uint64_t place = hash_of(entry) & slots->mask;
    while (slots->entries[place]) {
        place = (place + 1) & slots->mask;
    }
    hand_over(&slots->entries[place], entry);
    table->count++;
}

static MemName *name_entry(Memory *memory, const uint8_t *text, uint32_t size)
{
    uint64_t digest = xxh64_of(text, size);
    MemName *name = (MemName *)memory_name(memory, text, size, digest);
    if (name) {
        return name;
    }
    if (!table_room(memory, &memory->names, hash_of_name)) {
        return NULL;
    }
    name = arena_take(&memory->arena, sizeof(MemName) + size);
    if (!name) {
        return NULL;
    }
    name->digest = digest;
    name->size = size;
    memcpy(name->text, text, size);
    name->before = memory->last_name;
    memory->last_name = name;
    table_add(&memory->names, hash_of_name, name);
    return name;
}

static int push_name(Memory *memory, MemName *name, uint64_t sequence, int64_t node_id)
{
    const MemNameVersion *newest = name->newest;
    MemNameVersion *version;
    /* The exception: one commit deletes a node and makes another of the same name. */
    if (newest && newest->sequence >= sequence
        && !(newest->sequence == sequence && newest->node_id < 0 && node_id >= 0)) {
        return 1;
    }
    version = arena_take(&memory->arena, sizeof *version);
    if (!version) {
        return 0;
    }
    version->older = newest;
    version->sequence = sequence;
    version->node_id = node_id;
    hand_over((const void *volatile *)&name->newest, version);
    return 1;
}

static MemNode *node_entry(Memory *memory, uint64_t id, const MemName *name)
{
    MemNode *node = (MemNode *)memory_node(memory, id);
    if (node) {
        return node;
    }
    if (!table_room(memory, &memory->nodes, hash_of_node)) {
        return NULL;
    }
    node = arena_take(&memory->arena, sizeof *node);
    if (!node) {
        return NULL;
    }
    node->id = id;
    node->name = name;
    node->before = memory->last_node;
    memory->last_node = node;
    table_add(&memory->nodes, hash_of_node, node);
    return node;
}

static int push_node(
    Memory *memory, MemNode *node, uint64_t sequence, uint16_t kind, uint16_t flags,
    const uint8_t *fields, uint32_t size)
{
    MemNodeVersion *version;
    if (node->newest && node->newest->sequence >= sequence) {
        return 1;
    }
    version = arena_take(&memory->arena, sizeof *version + size);
    if (!version) {
        return 0;
    }
    version->older = node->newest;
    version->sequence = sequence;
    version->kind = kind;
    version->flags = flags;
    version->size = size;
    if (size) {
        memcpy(version->fields, fields, size);
    }
    hand_over((const void *volatile *)&node->newest, version);
    memory->version_count++;
    return 1;
}

static MemList *list_entry(Memory *memory, uint64_t id, int direction)
{
    HashTable *table = &memory->lists[direction];
    MemList *list = (MemList *)memory_list(memory, id, direction);
    if (list) {
        return list;
    }
    if (!table_room(memory, table, hash_of_list)) {
        return NULL;
    }
    list = arena_take(&memory->arena, sizeof *list);
    if (!list) {
        return NULL;
    }
    list->id = id;
    list->before = memory->last_lists[direction];
    memory->last_lists[direction] = list;
    table_add(table, hash_of_list, list);
    return list;
}

/* Move the tail into the sorted array where it has grown long: each edge moves O(log n) times, and
 * arrays that were replaced take no more than the last one. */
static int settle(Memory *memory, MemList *list, int direction)
{
    const MemSorted *old = list->sorted;
    uint64_t count = list->tail_count + (old ? old->count : 0);
    ListedEdges listed;
    MemSorted *sorted;
    if (list->tail_count < TAIL_MIN || (old && 2 * list->tail_count < old->count)) {
        return 1;
    }
    listed = list_edges(list, direction);
    if (!listed.edges) {
        return 0;
    }
    sorted = arena_take(&memory->arena, sizeof *sorted + (size_t)count * sizeof(void *));
    if (!sorted) {
        free(listed.edges);
        return 0;
    }
    sorted->count = listed.count;
    memcpy((void *)sorted->edges, listed.edges, (size_t)listed.count * sizeof(void *));
    free(listed.edges);
    hand_over((const void *volatile *)&list->sorted, sorted);
    hand_over((const void *volatile *)&list->tail, NULL);
    list->tail_count = 0;
    return 1;
}

static MemEdge *edge_entry(
    Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
    uint32_t key_size)
{
    MemEdge *edge = (MemEdge *)memory_edge(memory, source, target, code, key, key_size);
    MemList *lists[2];
    int direction;
    if (edge) {
        return edge;
    }
    lists[0] = list_entry(memory, source, 0);
    lists[1] = list_entry(memory, target, 1);
    if (!lists[0] || !lists[1] || !table_room(memory, &memory->edges, hash_of_edge)) {
        return NULL;
    }
    for (direction = 0; direction < 2; direction++) {
        if (!settle(memory, lists[direction], direction)) {
            return NULL;
        }
    }
    edge = arena_take(&memory->arena, sizeof *edge + key_size);
    if (!edge) {
        return NULL;
    }
    edge->ends[0] = source;
    edge->ends[1] = target;
    edge->code = code;
    edge->key_size = key_size;
    if (key_size) {
        memcpy(edge + 1, key, key_size);
    }
    edge->key = (const uint8_t *)(edge + 1);
    /* From here on nothing can fail: the edge is in both lists and in the table, or in none. */
    for (direction = 0; direction < 2; direction++) {
        edge->next[direction] = lists[direction]->tail;
    }
    for (direction = 0; direction < 2; direction++) {
        lists[direction]->tail_count++;
        hand_over((const void *volatile *)&lists[direction]->tail, edge);
    }
    table_add(&memory->edges, hash_of_edge, edge);
    return edge;
}

/* Return the fields that `older`, then `newer` come to, of which any may be NULL; -1 in `failed`. */
static const MemEdgeFields *fields_then(
    Memory *memory, const MemEdgeFields *older, const MemEdgeFields *newer, int *failed)
{
    MemEdgeFields *both;
    if (!older || !newer) {
        return older ? older : newer;
    }
    both = arena_take(&memory->arena, sizeof *both);
    if (!both) {
        *failed = -1;
        return NULL;
    }
    *both = *older;
    both->flags = older->flags | newer->flags;
    if (newer->flags & MEM_CREATED) {
        both->created_at = newer->created_at;
    }
    if (newer->flags & MEM_FROM) {
        both->valid_from = newer->valid_from;
    }
    if (newer->flags & MEM_TO) {
        both->valid_to = newer->valid_to;
    }
    if (newer->flags & MEM_PROPERTIES) {
        both->properties = newer->properties;
        both->properties_size = newer->properties_size;
    }
    return both;
}

/* Change an edge; `fields` and their properties are of the arena, NULL where there are none. */
static int change_edge(
    Memory *memory, uint64_t source, uint64_t target, uint32_t code, const uint8_t *key,
    uint32_t key_size, uint64_t sequence, const MemEdgeFields *fields, uint32_t alive, uint32_t full)
{
    MemEdge *edge = edge_entry(memory, source, target, code, key, key_size);
    const MemEdgeVersion *newest;
    MemEdgeVersion *version;
    uint64_t born_sequence = sequence;
    int failed = 0;
    if (!edge) {
        return 0;
    }
    newest = edge->newest;
    if (newest && newest->sequence >= sequence) {
        return 1;
    }
    if (newest && alive && !full && newest->alive && newest->full) {
        /* Edges are small: a change of a known edge is kept whole, so no reader folds. */
        fields = fields_then(memory, newest->fields, fields, &failed);
        full = 1;
        born_sequence = newest->born_sequence;
    }
    version = failed ? NULL : arena_take(&memory->arena, sizeof *version);
    if (!version) {
        return 0;
    }
    version->older = newest;
    version->fields = fields;
    version->sequence = sequence;
    version->born_sequence = born_sequence;
    version->full = full;
    version->alive = alive;
    hand_over((const void *volatile *)&edge->newest, version);
    memory->version_count++;
    return 1;
}

#endif
