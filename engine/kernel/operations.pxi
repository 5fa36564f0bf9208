# Operations as the log has them, on their way (SPEC.md, section 7).

cdef void put_head(Growing *out, uint8_t kind, uint16_t flags, uint64_t subject) noexcept:
    """Put the head of an operation; its size comes when it is complete."""
    put_byte(out, kind)
    put_byte(out, 0)
    put_byte(out, flags & 0xff)
    put_byte(out, flags >> 8)
    put32(out, 0)
    put64(out, subject)


cdef int end_operation(Growing *out, size_t start) except -1:
    cdef size_t size = out.size - start
    cdef uint32_t stored = <uint32_t>size
    if size >= <size_t>1 << 32:
        raise MemoryError
    memcpy(out.data + start + 4, &stored, 4)
    return 0


cdef int put_operation(
    Growing *out, uint8_t kind, uint16_t flags, uint64_t subject, bytes text
) except -1:
    """Put an operation that holds one text."""
    cdef size_t start = out.size
    if not growing_room(out, 64 + len(text)):
        raise MemoryError
    put_head(out, kind, flags, subject)
    put32(out, len(text))
    put_bytes(out, <const char *>text, len(text))
    return end_operation(out, start)
