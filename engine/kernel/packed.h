/* Packed integers (SPEC.md, section 9.5): the lowest, a width, and so many bits of each. */

#ifndef LITHOGRAPH_PACKED_H
#define LITHOGRAPH_PACKED_H

#include "bytes.h"
#include "growing.h"

/* Bytes that `count` integers need at most. */
static inline size_t packed_room(size_t count) { return VARINT_ROOM + 1 + 8 * count + 8; }

static inline int bit_length(uint64_t value) { return value ? 64 - __builtin_clzll(value) : 0; }

/* Put integers, nothing if there are none. Needs `packed_room`. */
static inline void put_packed(Growing *out, const uint64_t *values, size_t count)
{
    uint64_t lowest, highest, bits = 0, value;
    int width, filled = 0;
    if (!count) {
        return;
    }
    lowest = highest = values[0];
    for (size_t at = 1; at < count; at++) {
        lowest = values[at] < lowest ? values[at] : lowest;
        highest = values[at] > highest ? values[at] : highest;
    }
    width = bit_length(highest - lowest);
    put_varint(out, lowest);
    put_byte(out, (uint8_t)width);
    if (!width) {
        return;
    }
    /* Invariant: `bits` holds the `filled` < 64 bits that are not put yet, zeros above them. */
    for (size_t at = 0; at < count; at++) {
        value = values[at] - lowest;
        bits |= value << filled;
        filled += width;
        if (filled >= 64) {
            put64(out, bits);
            filled -= 64;
            bits = filled ? value >> (width - filled) : 0;
        }
    }
    for (; filled > 0; filled -= 8, bits >>= 8) {
        put_byte(out, (uint8_t)bits);
    }
}

/* Return 64 bits of `bytes` from bit `place` on, zeros where they end. */
static inline uint64_t bits_at(const uint8_t *bytes, size_t size, size_t place)
{
    uint8_t last[9] = {0};
    size_t start = place >> 3;
    int shift = place & 7;
    const uint8_t *from = bytes + start;
    if (size - start < 9) {
        memcpy(last, from, size - start);
        from = last;
    }
    return shift ? load64(from) >> shift | (uint64_t)from[8] << (64 - shift) : load64(from);
}

/* Read `count` integers of at most `value_max`; return where they end, NULL where they are not what
 * a writer makes. `values` has room for them. */
static inline const uint8_t *read_packed(
    const uint8_t *at, const uint8_t *end, size_t count, uint64_t value_max, uint64_t *values)
{
    uint64_t lowest, mask, delta, least = UINT64_MAX, most = 0;
    size_t size;
    int width;
    if (!count) {
        return at;
    }
    at = read_varint(at, end, &lowest);
    if (!at || at == end || *at > 64 || lowest > value_max || count > (size_t)1 << 32) {
        return NULL;
    }
    width = *at++;
    size = (count * width + 7) / 8;
    if (size > (size_t)(end - at)) {
        return NULL;
    }
    if (!width) {
        for (size_t place = 0; place < count; place++) {
            values[place] = lowest;
        }
        return at;
    }
    mask = UINT64_MAX >> (64 - width);
    /* Narrow ones fit one word, wherever they begin in a byte. */
    size_t place = 0;
    if (width <= 56) {
        for (; place < count && (place * width >> 3) + 8 <= size; place++) {
            delta = load64(at + (place * width >> 3)) >> (place * width & 7) & mask;
            least = delta < least ? delta : least;
            most = delta > most ? delta : most;
            values[place] = lowest + delta;
        }
    }
    for (; place < count; place++) {
        delta = bits_at(at, size, place * width) & mask;
        least = delta < least ? delta : least;
        most = delta > most ? delta : most;
        values[place] = lowest + delta;
    }
    if (least || bit_length(most) != width || most > value_max - lowest) {
        return NULL;
    }
    if (count * width & 7 && at[size - 1] >> (count * width & 7)) {
        return NULL;
    }
    return at + size;
}

#endif
