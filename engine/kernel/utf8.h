/* Whether bytes are UTF-8 as Python has it: no surrogates, nothing longer than it needs. */

#ifndef LITHOGRAPH_UTF8_H
#define LITHOGRAPH_UTF8_H

#include <stddef.h>
#include <stdint.h>

static inline int is_utf8(const uint8_t *at, size_t size)
{
    const uint8_t *end = at + size;
    while (at < end) {
        uint8_t first = *at++;
        uint8_t low = 0x80, high = 0xbf;
        int more;
        if (first < 0x80) {
            continue;
        } else if (first >= 0xc2 && first <= 0xdf) {
            more = 1;
        } else if (first >= 0xe0 && first <= 0xef) {
            more = 2;
            low = first == 0xe0 ? 0xa0 : 0x80;
            high = first == 0xed ? 0x9f : 0xbf;
        } else if (first >= 0xf0 && first <= 0xf4) {
            more = 3;
            low = first == 0xf0 ? 0x90 : 0x80;
            high = first == 0xf4 ? 0x8f : 0xbf;
        } else {
            return 0;
        }
        if (end - at < more) {
            return 0;
        }
        for (; more; more--, at++) {
            if (*at < low || *at > high) {
                return 0;
            }
            low = 0x80;
            high = 0xbf;
        }
    }
    return 1;
}

#endif
