/* Property maps: whether bytes are one (SPEC.md, section 9.3), as `formats.properties` checks it. */

#ifndef LITHOGRAPH_PROPERTY_MAP_H
#define LITHOGRAPH_PROPERTY_MAP_H

#include "utf8.h"

#define PROPERTY_DEPTH_MAX 64

static inline uint64_t property_number(const uint8_t *at, int width)
{
    uint64_t value = 0;
    for (; width; width--) {
        value = value << 8 | *at++;
    }
    return value;
}

/* The bytes behind the first one that say a size, by the first one from `base` on: 1, 2, 4. */
static inline const uint8_t *property_size(
    const uint8_t *at, const uint8_t *end, int width, uint64_t *size)
{
    if (end - at <= width) {
        return NULL;
    }
    *size = property_number(at + 1, width);
    return at + 1 + width;
}

static inline const uint8_t *skip_property_text(const uint8_t *at, const uint8_t *end)
{
    uint64_t size;
    if (at >= end) {
        return NULL;
    }
    if (*at >= 0xa0 && *at < 0xc0) {
        size = *at++ & 31;
    } else if (*at >= 0xd9 && *at <= 0xdb) {
        at = property_size(at, end, 1 << (*at - 0xd9), &size);
        if (!at) {
            return NULL;
        }
    } else {
        return NULL;
    }
    return size <= (uint64_t)(end - at) && is_utf8(at, (size_t)size) ? at + size : NULL;
}

/* Return where a value ends; NULL if it is none that can be stored. `depth` is its own if it is a
 * list or a map. */
static const uint8_t *skip_property(const uint8_t *at, const uint8_t *end, int depth)
{
    uint64_t count;
    uint8_t first;
    int is_map, width;
    if (at >= end) {
        return NULL;
    }
    first = *at;
    if (first < 0x80 || first >= 0xe0 || first == 0xc0 || first == 0xc2 || first == 0xc3) {
        return at + 1;
    }
    if ((first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb)) {
        return skip_property_text(at, end);
    }
    if (first >= 0xcc && first <= 0xd3) {
        width = 1 << (first & 3);
        return end - at > width ? at + 1 + width : NULL;
    }
    if (first == 0xca) {
        return end - at > 4 && (property_number(at + 1, 2) >> 7 & 0xff) != 0xff ? at + 5 : NULL;
    }
    if (first == 0xcb) {
        return end - at > 8 && (property_number(at + 1, 2) >> 4 & 0x7ff) != 0x7ff ? at + 9 : NULL;
    }
    is_map = first < 0x90 || first >= 0xde;
    if (first < 0xa0) {
        count = first & 15;
        at++;
    } else if (first >= 0xdc && first <= 0xdf) {
        at = property_size(at, end, first & 1 ? 4 : 2, &count);
    } else {
        return NULL;
    }
    if (!at || depth > PROPERTY_DEPTH_MAX || count > (uint64_t)(end - at)) {
        return NULL;
    }
    for (; count; count--) {
        if (is_map && !(at = skip_property_text(at, end))) {
            return NULL;
        }
        if (!(at = skip_property(at, end, depth + 1))) {
            return NULL;
        }
    }
    return at;
}

static inline int is_property_map(const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    return size && (*at >> 4 == 8 || *at == 0xde || *at == 0xdf)
        && skip_property(at, end, 1) == end;
}

#endif
