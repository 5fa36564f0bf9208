/* Operations of a commit, read where they stand in the payload of its record (SPEC.md, section 7).
 *
 * `next_operation` only makes sure that what it points to lies inside the payload; `is_sound` says
 * whether the plain way would take the operation as it stands. Neither says what is wrong.
 */

#ifndef LITHOGRAPH_OPERATIONS_H
#define LITHOGRAPH_OPERATIONS_H

#include <stdint.h>
#include <string.h>

#include "bytes.h"
#include "utf8.h"

/* On disk; SPEC.md, section 7.1. */
enum {
    DEFINE_TYPE = 1,
    INSERT_NODE,
    UPDATE_NODE,
    DELETE_NODE,
    INSERT_EDGE,
    UPDATE_EDGE,
    DELETE_EDGE,
};

enum { OPERATION_HEAD_SIZE = 16, EDGE_BODY_SIZE = 12, TEXT_SIZE_MAX = 65535 };

#define OPERATION_ID_END ((uint64_t)1 << 48)
#define NO_MOMENT INT64_MIN
#define MOMENT_MIN (-62135596800000000LL)
#define MOMENT_MAX 253402300799999999LL

typedef struct {
    const uint8_t *at, *end; /* what is left of the text list or of the payload */
} Bytes;

typedef struct {
    uint8_t kind;
    uint16_t flags;
    uint64_t subject, target;
    uint32_t code;
    const uint8_t *text; /* a name, or an edge's key */
    uint32_t text_size;
    Bytes rest; /* the fields, or the edges of a node that ends */
} Operation;

static inline int take_bytes(Bytes *from, uint64_t size, const uint8_t **taken)
{
    if (size > (uint64_t)(from->end - from->at)) {
        return 0;
    }
    *taken = from->at;
    from->at += size;
    return 1;
}

static inline int take32(Bytes *from, uint32_t *value)
{
    const uint8_t *taken;
    if (!take_bytes(from, 4, &taken)) {
        return 0;
    }
    *value = load32(taken);
    return 1;
}

static inline int take64(Bytes *from, int64_t *value)
{
    const uint8_t *taken;
    if (!take_bytes(from, 8, &taken)) {
        return 0;
    }
    *value = (int64_t)load64(taken);
    return 1;
}

/* Take a u32 size and that many bytes. */
static inline int take_text(Bytes *from, const uint8_t **text, uint32_t *size)
{
    return take32(from, size) && take_bytes(from, *size, text);
}

static inline int is_edge_kind(uint8_t kind) { return INSERT_EDGE <= kind && kind <= DELETE_EDGE; }

/* Read the next operation; 0 where it does not lie inside the payload. */
static inline int next_operation(Bytes *payload, Operation *found)
{
    const uint8_t *head, *body;
    uint32_t size;
    Bytes inner;
    if (!take_bytes(payload, OPERATION_HEAD_SIZE, &head)) {
        return 0;
    }
    found->kind = head[0];
    found->flags = load16(head + 2);
    size = load32(head + 4);
    found->subject = load64(head + 8);
    found->target = 0;
    found->code = 0;
    found->text = NULL;
    found->text_size = 0;
    if (head[1] || size < OPERATION_HEAD_SIZE
        || !take_bytes(payload, size - OPERATION_HEAD_SIZE, &body)) {
        return 0;
    }
    inner.at = body;
    inner.end = payload->at;
    if (is_edge_kind(found->kind)) {
        if (!take_bytes(&inner, EDGE_BODY_SIZE, &body)) {
            return 0;
        }
        found->target = load64(body);
        found->code = load32(body + 8);
    } else if (found->kind < DEFINE_TYPE || found->kind > DELETE_EDGE) {
        return 0;
    }
    if (found->kind != UPDATE_NODE && !take_text(&inner, &found->text, &found->text_size)) {
        return 0;
    }
    found->rest = inner;
    return 1;
}

static inline int take_sound_texts(Bytes *from, uint32_t *count)
{
    uint32_t place, size;
    const uint8_t *text;
    if (!take32(from, count) || *count > (uint64_t)(from->end - from->at) / 4) {
        return 0;
    }
    for (place = 0; place < *count; place++) {
        if (!take_text(from, &text, &size) || !is_utf8(text, size)) {
            return 0;
        }
    }
    return 1;
}

static inline int take_sound_time(Bytes *from)
{
    int64_t time;
    return take64(from, &time)
        && (time == NO_MOMENT || (MOMENT_MIN <= time && time <= MOMENT_MAX));
}

/* Take a property map: only the empty one is known to be sound without being decoded. */
static inline int take_sound_map(Bytes *from)
{
    const uint8_t *map;
    uint32_t size;
    return take_text(from, &map, &size) && size == 1 && map[0] == 0x80;
}

/* Bits of node fields: SPEC.md, section 7.2. */
enum { HAS_CODE = 1, HAS_CREATED = 2, HAS_TEXTS = 4, HAS_REMOVED = 8, HAS_APPENDED = 16,
       HAS_MAP = 32, HAS_SET = 64, HAS_UNSET = 128 };

static inline int are_sound_node_fields(Bytes from, uint16_t flags, uint64_t type_count)
{
    uint32_t code, count, changed = 0;
    int bit;
    if (flags > 255) {
        return 0;
    }
    if (flags & HAS_CODE && (!take32(&from, &code) || code >= type_count)) {
        return 0;
    }
    if (flags & HAS_CREATED && !take_sound_time(&from)) {
        return 0;
    }
    for (bit = HAS_TEXTS; bit <= HAS_APPENDED; bit <<= 1) {
        if (flags & bit) {
            if (!take_sound_texts(&from, &count)) {
                return 0;
            }
            changed += bit > HAS_TEXTS && count;
        }
    }
    if (flags & HAS_TEXTS && changed) {
        return 0;
    }
    if ((flags & HAS_MAP && !take_sound_map(&from)) || (flags & HAS_SET && !take_sound_map(&from))) {
        return 0;
    }
    if (flags & HAS_UNSET && !take_sound_texts(&from, &count)) {
        return 0;
    }
    return from.at == from.end && !(flags & HAS_MAP && flags & (HAS_SET | HAS_UNSET));
}

static inline int are_sound_edge_fields(Bytes from, uint16_t flags)
{
    int bit;
    if (flags > 15) {
        return 0;
    }
    for (bit = 1; bit <= 4; bit <<= 1) {
        if (flags & bit && !take_sound_time(&from)) {
            return 0;
        }
    }
    if (flags & 8 && !take_sound_map(&from)) {
        return 0;
    }
    return from.at == from.end;
}

/* Whether the plain way would take an operation behind which ids from `next_id` on are unused;
 * definitions of types and nodes that end are left to it. */
static inline int is_sound(const Operation *found, uint64_t next_id, uint64_t type_count)
{
    if (found->subject >= next_id + (found->kind == INSERT_NODE)
        || found->text_size > TEXT_SIZE_MAX || !is_utf8(found->text, found->text_size)) {
        return 0;
    }
    switch (found->kind) {
    case INSERT_NODE:
        return found->subject == next_id && next_id < OPERATION_ID_END && found->text_size
            && are_sound_node_fields(found->rest, found->flags, type_count);
    case UPDATE_NODE:
        return are_sound_node_fields(found->rest, found->flags, type_count);
    case INSERT_EDGE:
    case UPDATE_EDGE:
        return found->target < next_id && found->code < type_count
            && are_sound_edge_fields(found->rest, found->flags);
    case DELETE_EDGE:
        return found->target < next_id && found->code < type_count && !found->flags
            && found->rest.at == found->rest.end;
    }
    return 0;
}

/* The edges of a node that ends: groups by type code, neighbors ascending, then keys (7.1). */
typedef struct {
    Bytes rest, keys;
    uint32_t groups, left, code;
    uint64_t neighbor;
    int keyed;
} EndedEdges;

static inline int begin_ended(EndedEdges *edges, Bytes from)
{
    edges->rest = from;
    edges->left = 0;
    return take32(&edges->rest, &edges->groups);
}

/* Return 1 and the next edge, 0 at the end (`rest` is then behind the list), -1 where it is odd. */
static inline int next_ended(
    EndedEdges *edges, uint32_t *code, uint64_t *neighbor, const uint8_t **key, uint32_t *key_size)
{
    const uint8_t *head, *at;
    uint64_t delta, place;
    uint32_t count;
    if (!edges->left) {
        if (!edges->groups) {
            return 0;
        }
        edges->groups--;
        if (!take_bytes(&edges->rest, 9, &head)) {
            return -1;
        }
        edges->code = load32(head);
        edges->left = load32(head + 4);
        edges->keyed = head[8];
        edges->neighbor = 0;
        if (!edges->left || edges->keyed > 1) {
            return -1;
        }
        if (edges->keyed) {
            /* The keys stand behind the neighbors. */
            for (at = edges->rest.at, place = 0; place < edges->left; place++) {
                at = read_varint(at, edges->rest.end, &delta);
                if (!at) {
                    return -1;
                }
            }
            edges->keys.at = at;
            edges->keys.end = edges->rest.end;
            if (!take32(&edges->keys, &count) || count != edges->left) {
                return -1;
            }
        }
    }
    at = read_varint(edges->rest.at, edges->rest.end, &delta);
    if (!at || delta >= OPERATION_ID_END || edges->neighbor + delta >= OPERATION_ID_END) {
        return -1;
    }
    edges->rest.at = at;
    edges->neighbor += delta;
    *code = edges->code;
    *neighbor = edges->neighbor;
    *key = NULL;
    *key_size = 0;
    if (edges->keyed && !take_text(&edges->keys, key, key_size)) {
        return -1;
    }
    if (!--edges->left && edges->keyed) {
        edges->rest.at = edges->keys.at;
    }
    return 1;
}

#endif
