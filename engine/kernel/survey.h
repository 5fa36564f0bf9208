/* What the deep check asks of bytes that nobody wants as values (SPEC.md, sections 9.2 and 12). */

#ifndef LITHOGRAPH_SURVEY_H
#define LITHOGRAPH_SURVEY_H

#include "bytes.h"

/* On disk; SPEC.md, sections 9.2 and 12.3. */
#define MOMENT_MIN (-62135596800000000LL)
#define MOMENT_MAX 253402300799999999LL
#define FRAME_CONTENT_MAX 4194304

/* A permutation of 64 bits in which every bit of the result hangs on all (SplitMix64's, Steele, Lea
 * and Flood 2014): what goes through it can be added up without sums of parts showing. */
static inline uint64_t mixed(uint64_t value)
{
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ULL;
    value = (value ^ value >> 27) * 0x94D049BB133111EBULL;
    return value ^ value >> 31;
}

/* The hash of three numbers under a key of three, which are odd and random. */
static inline uint64_t hash_three(const uint64_t *key, uint64_t one, uint64_t two, uint64_t three)
{
    return mixed(one * key[0] + two * key[1] + three * key[2]);
}

/* Whether a number stands for a time (12.5) of a version whose commit was at `time`. */
static inline int is_moment(uint64_t value, int64_t time)
{
    static const int64_t units[3] = {1, 1000, 1000000};
    uint64_t folded;
    int64_t unit, distance, whole, moment;
    int code;
    if (!value) {
        return 1;
    }
    code = (int)((value - 1) & 3);
    folded = (value - 1) >> 2;
    if (code > 2) {
        return 0;
    }
    unit = units[code];
    distance = (int64_t)(folded >> 1 ^ (0 - (folded & 1)));
    whole = time / unit - (time % unit < 0);
    /* Below 2^61 in size, so the sum does not run over; the product is looked at before it is made. */
    whole += distance;
    if (whole > MOMENT_MAX / unit || whole < MOMENT_MIN / unit - 1) {
        return 0;
    }
    moment = whole * unit;
    if (moment < MOMENT_MIN || moment > MOMENT_MAX) {
        return 0;
    }
    /* In its largest unit. */
    return code == 2 || moment % units[code + 1] != 0;
}

/* Return how many bytes a zstandard frame (RFC 8878) unpacks to that takes all of `size` bytes; 0 if
 * these are not exactly one frame that says so, or one that asks for more than a reader gives. */
static inline uint64_t frame_content(const uint8_t *at, uint64_t size)
{
    static const int id_sizes[4] = {0, 1, 2, 4};
    const uint8_t *end = at + size;
    uint64_t content, window, step;
    int descriptor, size_flag, is_single, field;
    if (size < 6 || load32(at) != 0xFD2FB528u) {
        return 0;
    }
    descriptor = at[4];
    size_flag = descriptor >> 6;
    is_single = descriptor >> 5 & 1;
    field = size_flag ? 1 << size_flag : is_single;
    if (descriptor & 8 || !field) {
        return 0;
    }
    at += 5;
    if (!is_single) {
        /* Its exponent is at most 31. */
        window = (uint64_t)1 << (10 + (*at >> 3));
        if (window + window / 8 * (*at & 7) > FRAME_CONTENT_MAX) {
            return 0;
        }
        at++;
    }
    if (end - at < id_sizes[descriptor & 3] + field) {
        return 0;
    }
    at += id_sizes[descriptor & 3];
    switch (field) {
    case 1: content = *at; break;
    case 2: content = (uint64_t)load16(at) + 256; break;
    case 4: content = load32(at); break;
    default: content = load64(at);
    }
    at += field;
    if (!content || content > FRAME_CONTENT_MAX) {
        return 0;
    }
    for (;;) {
        uint32_t head;
        if (end - at < 3) {
            return 0;
        }
        head = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
        at += 3;
        step = (head >> 1 & 3) == 1 ? 1 : head >> 3;
        if ((head >> 1 & 3) == 3 || step > (uint64_t)(end - at)) {
            return 0;
        }
        at += step;
        if (head & 1) {
            break;
        }
    }
    if (descriptor & 4) {
        if (end - at < 4) {
            return 0;
        }
        at += 4;
    }
    return at == end ? content : 0;
}

#endif
