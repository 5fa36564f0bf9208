/* Whether bytes are UTF-8 as Python decodes it: shortest forms, no surrogates, to U+10FFFF. */

#ifndef LITHOGRAPH_UTF8_H
#define LITHOGRAPH_UTF8_H

#include "bytes.h"

static inline int utf8_tail(const uint8_t *at, int count)
{
    for (int place = 1; place <= count; place++) {
        if ((at[place] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return 1;
}

/* Return the bytes that a character takes, 0 if it is none; `left` is at least 1. */
static inline int utf8_size(const uint8_t *at, size_t left)
{
    uint8_t first = at[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xe0) {
        return first >= 0xc2 && left > 1 && utf8_tail(at, 1) ? 2 : 0;
    }
    if (first < 0xf0) {
        if (left < 3 || !utf8_tail(at, 2)) {
            return 0;
        }
        return (first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ? 0 : 3;
    }
    if (first > 0xf4 || left < 4 || !utf8_tail(at, 3)) {
        return 0;
    }
    return (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f) ? 0 : 4;
}

static inline int is_utf8(const uint8_t *at, size_t size)
{
    int taken;
    while (size) {
        while (size >= 8 && !(load64(at) & 0x8080808080808080ULL)) {
            at += 8;
            size -= 8;
        }
        if (!size) {
            break;
        }
        taken = utf8_size(at, size);
        if (!taken) {
            return 0;
        }
        at += taken;
        size -= taken;
    }
    return 1;
}

#endif
