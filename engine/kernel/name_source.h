/* Names in order with their versions, from whoever has them: a memtable, a list.
 *
 * A NameSource goes from module to module in a PyCapsule of the name below; the capsule's context
 * is a Python object that keeps the source alive, or NULL. `next` runs without the interpreter's
 * lock, and in one thread at a time.
 */

#ifndef LITHOGRAPH_NAME_SOURCE_H
#define LITHOGRAPH_NAME_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#define NAME_SOURCE "lithograph.name_source"

typedef struct {
    uint64_t sequence;
    int64_t id; /* -1: the name was deleted */
} NameVersion;

typedef struct {
    const uint8_t *name; /* UTF-8, above every name before it */
    size_t size;
    const NameVersion *versions; /* newest first, at least one */
    size_t count;
} NamedVersions;

typedef struct NameSource {
    /* Fill `item`, which stays as it is until the next call; return 1, 0 at the end, -1 without
     * memory. */
    int (*next)(struct NameSource *self, NamedVersions *item);
} NameSource;

#endif
