/* The record of a commit as the log has it; SPEC.md, section 6.2. */

#ifndef LITHOGRAPH_WAL_RECORD_H
#define LITHOGRAPH_WAL_RECORD_H

#include <stdint.h>
#include <string.h>

#include "bytes.h"

#define RECORD_SIZE_MIN 56

typedef struct {
    uint64_t checksum, chain, epoch, sequence, synced_upto;
    int64_t commit_time;
    uint32_t payload_size, operation_count;
} RecordHead;

/* Bytes of a record around so many of payload: a multiple of eight. */
static inline size_t record_size(size_t payload_size)
{
    return RECORD_SIZE_MIN + ((payload_size + 7) & ~(size_t)7);
}

/* Complete a record whose payload stands behind where the head goes, in `record_size` bytes. */
static inline void seal_record(uint8_t *record, RecordHead head)
{
    size_t size = record_size(head.payload_size);
    size_t end = RECORD_SIZE_MIN + (size_t)head.payload_size;
    memset(record + end, 0, size - end);
    head.checksum = 0;
    memcpy(record, &head, RECORD_SIZE_MIN);
    head.checksum = xxh64_of(record + 8, size - 8);
    memcpy(record, &head.checksum, 8);
}

#endif
