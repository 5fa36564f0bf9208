/* Bytes that grow while they are written. Room is asked for first; what is put then fits. */

#ifndef LITHOGRAPH_GROWING_H
#define LITHOGRAPH_GROWING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

typedef struct {
    uint8_t *data;
    size_t size, room;
} Growing;

#define VARINT_ROOM 10

/* Make room for `more` bytes; return 0 if there is no memory for them. */
static inline int growing_room(Growing *out, size_t more)
{
    size_t room = out->room ? out->room : 256;
    uint8_t *grown;
    if (more <= out->room - out->size) {
        return 1;
    }
    if (more > (size_t)1 << 40) {
        return 0;
    }
    while (room - out->size < more) {
        room *= 2;
    }
    grown = realloc(out->data, room);
    if (!grown) {
        return 0;
    }
    out->data = grown;
    out->room = room;
    return 1;
}

static inline void growing_free(Growing *out)
{
    free(out->data);
    out->data = NULL;
    out->size = out->room = 0;
}

/* These need room: VARINT_ROOM, eight bytes, `size` bytes. */

static inline void put_byte(Growing *out, uint8_t value) { out->data[out->size++] = value; }

static inline void put_varint(Growing *out, uint64_t value)
{
    out->size = (size_t)(write_varint(out->data + out->size, value) - out->data);
}

static inline void put32(Growing *out, uint32_t value)
{
    memcpy(out->data + out->size, &value, 4);
    out->size += 4;
}

static inline void put64(Growing *out, uint64_t value)
{
    memcpy(out->data + out->size, &value, 8);
    out->size += 8;
}

static inline void put_bytes(Growing *out, const void *from, size_t size)
{
    if (size) {
        memcpy(out->data + out->size, from, size);
        out->size += size;
    }
}

#endif
