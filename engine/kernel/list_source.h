/* Where adjacency lists come from when they are merged: segments, and whatever else can say of one
 * node after the other which edges it has. Handed from module to module in a capsule of the name
 * LIST_SOURCE. */

#ifndef LITHOGRAPH_LIST_SOURCE_H
#define LITHOGRAPH_LIST_SOURCE_H

#include <stdint.h>

#define LIST_SOURCE "lithograph.ListSource"

/* One edge in a list, and its end state as a version record has it (SPEC.md, section 12.5). */
typedef struct {
    uint64_t code, neighbor;
    const uint8_t *key;     /* UTF-8, key_size bytes. */
    const uint8_t *fields;  /* Of the end state, in the order of their bits, fields_size bytes. */
    uint64_t sequence;      /* Of the end state's commit; not as a difference. */
    uint64_t born;          /* Of the commit that made the edge; used with bit 4 of `head` only. */
    uint32_t key_size, fields_size;
    uint8_t mark;           /* 1 dead, 2 changed, 3 made. */
    uint8_t head;           /* Of the version record; 3 without fields: a plain insert. */
    uint8_t careful;        /* What becomes of the edge is for the careful way, which is told its
                             * type code, neighbor, key and mark; nothing else of it is looked at. */
} ListEdge;

enum {
    LIST_READY,     /* `id` and what belongs to it are there. */
    LIST_END,       /* No id is left. */
    LIST_ASKS,      /* Whoever made the source must do something, then call again. */
    LIST_NO_MEMORY
};

typedef struct ListSource ListSource;

struct ListSource {
    /* Move to the next id, above those before; called without the interpreter's lock. Must not
     * jump out of the call, nor take more than a few milliseconds for anything but one list. */
    int (*advance)(ListSource *self);
    uint64_t id;
    /* Its edges, strictly ascending by (code, neighbor, key); they stay until the next call. Of
     * the edges that enter a node the end states are not looked at. */
    const ListEdge *edges;
    uint64_t count;
    /* The lists of this id are not to be merged here, but by the careful way: `edges` and `count`
     * mean nothing. */
    int odd;
};

#endif
