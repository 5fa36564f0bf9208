/* Keys of name pages: byte strings in order, written against the one before. */

#ifndef LITHOGRAPH_KEYS_H
#define LITHOGRAPH_KEYS_H

#include <stdint.h>
#include <string.h>

#include "bytes.h"

static inline void store16(uint8_t *at, uint16_t value) { memcpy(at, &value, 2); }

/* Return how many bytes two keys have in common at their start. */
static inline size_t shared_size(
    const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size)
{
    size_t size = one_size < other_size ? one_size : other_size, place = 0;
    while (size - place >= 8) {
        uint64_t differing = load64(one + place) ^ load64(other + place);
        if (differing) {
            return place + (size_t)(__builtin_ctzll(differing) >> 3);
        }
        place += 8;
    }
    while (place < size && one[place] == other[place]) {
        place++;
    }
    return place;
}

/* Set the bits of a name in its block of a split-block filter (SPEC.md, section 13.5). */
static inline void set_filter_bits(uint8_t *block, uint64_t digest)
{
    uint32_t words[8];
    memcpy(words, block, sizeof words);
    for (int word = 0; word < 8; word++) {
        words[word] |= (uint32_t)1 << ((uint32_t)digest * filter_salts[word] >> 27);
    }
    memcpy(block, words, sizeof words);
}

#endif
