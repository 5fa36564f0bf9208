/* Integers out of bytes; every reader is told where its bytes end. On disk everything is
 * little-endian, and so is every machine this is built for. */

#ifndef LITHOGRAPH_BYTES_H
#define LITHOGRAPH_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t load16(const uint8_t *at) { uint16_t v; memcpy(&v, at, 2); return v; }
static inline uint32_t load32(const uint8_t *at) { uint32_t v; memcpy(&v, at, 4); return v; }
static inline uint64_t load64(const uint8_t *at) { uint64_t v; memcpy(&v, at, 8); return v; }

/* The first eight of `size` bytes as a number that is ordered as they are; zeros behind the last. */
static inline uint64_t first_eight(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    if (size >= 8) {
        return __builtin_bswap64(load64(at));
    }
    for (size_t place = 0; place < size; place++) {
        value |= (uint64_t)at[place] << (56 - 8 * place);
    }
    return value;
}

/* Whether bytes are below (negative), equal to (0) or above (positive) others. */
static inline int compare_bytes(const uint8_t *one, size_t one_size, const uint8_t *other, size_t other_size)
{
    size_t size = one_size < other_size ? one_size : other_size, place = 0;
    /* In line, and by eight: half of a search by halves was calls of memcmp for 17 bytes. */
    for (; size - place >= 8; place += 8) {
        uint64_t mine = load64(one + place), theirs = load64(other + place);
        if (mine != theirs) {
            return __builtin_bswap64(mine) < __builtin_bswap64(theirs) ? -1 : 1;
        }
    }
    for (; place < size; place++) {
        if (one[place] != other[place]) {
            return one[place] < other[place] ? -1 : 1;
        }
    }
    return (one_size > other_size) - (one_size < other_size);
}

/* Whether all bytes are below 128. */
static inline int is_ascii(const uint8_t *at, size_t size)
{
    uint64_t found = 0;
    for (; size >= 8; size -= 8, at += 8) {
        found |= load64(at);
    }
    for (; size; size--, at++) {
        found |= *at;
    }
    return !(found & 0x8080808080808080ULL);
}

/* Ask for the cache line of an address, which need not be one that can be read. */
static inline void prefetch(const void *at) { __builtin_prefetch(at); }

/* Read a byte that nobody needs: unlike a prefetch, this waits for the address to be translated. */
static inline void touch(const void *at) { (void)*(const volatile uint8_t *)at; }

/* Write a varint; return where it ends. Ten bytes are enough for any. */
static inline uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        *at++ = (uint8_t)(value & 0x7f) | 0x80;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Read a varint (SPEC.md, section 9.4); return where it ends, NULL if none ends before `end`, or
 * one that is longer than it needs or than ten bytes, or not below 2**64. */
static inline const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    uint64_t found = 0;
    int shift = 0;
    if (at < end && *at < 0x80) {
        *value = *at;
        return at + 1;
    }
    while (at < end && shift < 70) {
        uint8_t byte = *at++;
        if (shift == 63 && (byte & 0x7e)) {
            return NULL;
        }
        found |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = found;
            return byte || !shift ? at : NULL;
        }
        shift += 7;
    }
    return NULL;
}

/* Where the lowest set bit stands; `word` is not 0. */
static inline int lowest_bit(uint64_t word)
{
    return __builtin_ctzll(word);
}

/* What the bytes of a varint say; those behind its last are zero, and it has at most eight. */
static inline uint64_t varint_value(uint64_t bytes)
{
    bytes &= 0x7f7f7f7f7f7f7f7fULL;
    bytes = (bytes & 0x007f007f007f007fULL) | (bytes & 0x7f007f007f007f00ULL) >> 1;
    bytes = (bytes & 0x00003fff00003fffULL) | (bytes & 0x3fff00003fff0000ULL) >> 2;
    return (bytes & 0x0fffffffULL) | (bytes & 0x0fffffff00000000ULL) >> 4;
}

/* Read the neighbors of one group (SPEC.md, section 12.4): the first, then what is added to each.
 * `limit` : how far bytes may be looked at; those from `end` on are not the list's.
 * Returns what follows the group, NULL where the careful way must look.
 *
 * Eight bytes at a time and no branch on a size, as sizes of one to three bytes come in no order: with
 * `reach_all`, which has none either, three hops over half a million edges of W take 5.8 ms of a
 * processor instead of 9.6. */
static inline const uint8_t *read_neighbors(
    const uint8_t *at, const uint8_t *end, const uint8_t *limit, uint64_t count, uint64_t *neighbors)
{
    const uint64_t high_bits = 0x8080808080808080ULL, low_bits = 0x0101010101010101ULL;
    uint64_t neighbor, delta, all, place = 1, zeros = 0;
    at = read_varint(at, end, &neighbor);
    if (!at) {
        return NULL;
    }
    all = neighbor;
    neighbors[0] = neighbor;
    /* Two numbers of a word in each round: a round waits for the one before it to know where it begins. */
    while (count - place >= 2 && limit - at >= 8) {
        uint64_t word = load64(at);
        uint64_t ends = ~word & high_bits;
        uint64_t second_end = ends & (ends - 1);
        uint64_t first, second;
        int shift, size;
        if (!second_end) {
            break;
        }
        /* The last bit of the first, and how many bits behind it the second has. */
        shift = lowest_bit(ends);
        size = lowest_bit(second_end) - shift;
        at += (shift + size + 1) >> 3;
        /* A byte of zero: nothing is added, or a number is longer than it must be. */
        zeros |= (word - low_bits) & ends & (second_end ^ (second_end - 1));
        first = varint_value(word & ~0ULL >> (63 - shift));
        second = varint_value(word >> (shift + 1) & ~0ULL >> (64 - size));
        all |= first | second;
        neighbors[place] = neighbor + first;
        neighbor += first + second;
        neighbors[place + 1] = neighbor;
        place += 2;
    }
    for (; place < count; place++) {
        at = read_varint(at, end, &delta);
        if (!at || !delta) {
            return NULL;
        }
        all |= delta;
        neighbor += delta;
        neighbors[place] = neighbor;
    }
    /* What was added is below 2^56, 127 times at most: nothing ran over. */
    return zeros || at > end || (all | neighbor) >> 48 ? NULL : at;
}

/* How many bytes two varints take that stand at the start of a word; 0 if they do not end in it. */
static inline int two_varints_size(uint64_t word)
{
    uint64_t ends = ~word & 0x8080808080808080ULL;
    ends &= ends - 1;
    return ends ? __builtin_ctzll(ends) / 8 + 1 : 0;
}

/* Add up the sizes of `count` records from their heads (SPEC.md, section 12.3: size << 2 | flags);
 * return where the heads end, NULL where one cannot be. */
static inline const uint8_t *add_sizes(const uint8_t *at, const uint8_t *end, uint64_t count, uint64_t *sum)
{
    const uint64_t low = 0x0101010101010101ULL, high = 0x8080808080808080ULL;
    while (count) {
        uint64_t value;
        if (end - at >= 8) {
            /* As many heads of one or two bytes as a word has, without a branch on their sizes: of a
             * block of W the heads took 0.12 us one by one, 0.07 where eight of one byte were one step. */
            uint64_t word = load64(at), goes_on = word & high, second = goes_on << 8;
            uint64_t kept = ~0ULL >> (goes_on >> 63 << 3), ends = ~word & kept & high;
            uint64_t heads = (ends >> 7) * low >> 56;
            uint64_t firsts, seconds, sizes;
            if (heads > count) {
                for (heads = 1; heads < count; heads++) {
                    ends &= ends - 1;
                }
                kept = ((ends & -ends) << 1) - 1;
                goes_on &= kept;
                second &= kept;
            }
            if (!(goes_on & second) && heads) {
                second = (second >> 7) * 0xff;
                word &= kept & ~high;
                firsts = word >> 2 & ~second & 0x1f1f1f1f1f1f1f1fULL;
                seconds = word & second;
                /* A byte of zero: no record is empty, and no second byte is there for nothing. */
                sizes = firsts | seconds | (goes_on & kept) >> 7 | (~kept & low);
                if ((sizes - low) & ~sizes & high) {
                    return NULL;
                }
                seconds = (seconds & 0x00ff00ff00ff00ffULL) + (seconds >> 8 & 0x00ff00ff00ff00ffULL);
                *sum += (firsts * low >> 56) + (seconds * 0x0001000100010001ULL >> 48 << 5);
                at += kept == ~0ULL ? 8 : lowest_bit(~kept) >> 3;
                count -= heads;
                continue;
            }
        }
        at = read_varint(at, end, &value);
        if (!at || value <= 3 || value >= (uint64_t)1 << 50) {
            return NULL;
        }
        *sum += value >> 2;
        count--;
    }
    return at;
}

static inline uint64_t bits_in(uint64_t word)
{
    /* Without the processor's instruction, which not every x86-64 has. */
    word -= word >> 1 & 0x5555555555555555ULL;
    word = (word & 0x3333333333333333ULL) + (word >> 2 & 0x3333333333333333ULL);
    return ((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
}

/* How many of the first `count` bits are set. */
static inline uint64_t count_bits(const uint8_t *bits, uint64_t count)
{
    uint64_t found = 0;
    for (; count >= 64; count -= 64, bits += 8) {
        found += bits_in(load64(bits));
    }
    for (; count >= 8; count -= 8, bits++) {
        found += bits_in(*bits);
    }
    return count ? found + bits_in(*bits & ((1u << count) - 1)) : found;
}

/* Hand a structure that is complete to threads that run without the interpreter's lock. */
static inline void hand_over(const void *volatile *place, const void *what)
{
    __atomic_store_n(place, what, __ATOMIC_RELEASE);
}

static inline const void *handed_over(const void *const volatile *place)
{
    return __atomic_load_n(place, __ATOMIC_ACQUIRE);
}

/* XXH64 by the published specification (doc/xxhash_spec.md of the xxHash project). */

#define XXH_1 0x9E3779B185EBCA87ULL
#define XXH_2 0xC2B2AE3D27D4EB4FULL
#define XXH_3 0x165667B19E3779F9ULL
#define XXH_4 0x85EBCA77C2B2AE63ULL
#define XXH_5 0x27D4EB2F165667C5ULL

static inline uint64_t xxh_rotate(uint64_t v, int bits) { return v << bits | v >> (64 - bits); }
static inline uint64_t xxh_lane(uint64_t a, uint64_t v) { return xxh_rotate(a + v * XXH_2, 31) * XXH_1; }
static inline uint64_t xxh_merge(uint64_t h, uint64_t a) { return (h ^ xxh_lane(0, a)) * XXH_1 + XXH_4; }

static inline uint64_t xxh64_seeded(const uint8_t *at, size_t size, uint64_t seed)
{
    const uint8_t *end = at + size;
    uint64_t hash;
    if (size >= 32) {
        uint64_t a = seed + XXH_1 + XXH_2, b = seed + XXH_2, c = seed, d = seed - XXH_1;
        for (; end - at >= 32; at += 32) {
            a = xxh_lane(a, load64(at));
            b = xxh_lane(b, load64(at + 8));
            c = xxh_lane(c, load64(at + 16));
            d = xxh_lane(d, load64(at + 24));
        }
        hash = xxh_rotate(a, 1) + xxh_rotate(b, 7) + xxh_rotate(c, 12) + xxh_rotate(d, 18);
        hash = xxh_merge(xxh_merge(xxh_merge(xxh_merge(hash, a), b), c), d);
    } else {
        hash = seed + XXH_5;
    }
    hash += (uint64_t)size;
    for (; end - at >= 8; at += 8) {
        hash = xxh_rotate(hash ^ xxh_lane(0, load64(at)), 27) * XXH_1 + XXH_4;
    }
    if (end - at >= 4) {
        hash = xxh_rotate(hash ^ load32(at) * XXH_1, 23) * XXH_2 + XXH_3;
        at += 4;
    }
    for (; at < end; at++) {
        hash = xxh_rotate(hash ^ *at * XXH_5, 11) * XXH_1;
    }
    hash = (hash ^ hash >> 33) * XXH_2;
    hash = (hash ^ hash >> 29) * XXH_3;
    return hash ^ hash >> 32;
}

/* The one of the format: seed 0. */
static inline uint64_t xxh64_of(const uint8_t *at, size_t size) { return xxh64_seeded(at, size, 0); }

/* Whether a split-block filter (SPEC.md, section 13.5) may hold what has this hash; `bits` are its
 * blocks, at least one. */
static inline size_t filter_block(uint64_t digest, uint64_t block_count)
{
    return (size_t)((digest >> 32) * block_count >> 32) * 32;
}

static const uint32_t filter_salts[8] = {
    0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D,
    0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31,
};

static inline int filter_may_hold(const uint8_t *block, uint64_t digest)
{
    uint32_t missing = 0;
    for (int word = 0; word < 8; word++) {
        uint32_t bit = (uint32_t)1 << ((uint32_t)digest * filter_salts[word] >> 27);
        missing |= bit & ~load32(block + 4 * word);
    }
    return !missing;
}

#endif
