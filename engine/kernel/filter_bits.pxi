# The bits of names in a filter, or in a part of one (SPEC.md, section 13.5).

def set_bits(
    uint8_t[::1] bits not None,
    const uint8_t[::1] digests not None,
    uint64_t first,
    uint64_t block_count,
):
    """Set the bits of names whose blocks are in `bits`.

    bits : whole blocks, from number `first` on, of a filter that has `block_count`.
    digests : the names' XXH64, eight bytes each. ValueError if one belongs to another block.
    """
    cdef uint64_t size = digests.shape[0], room = bits.shape[0], place, start, digest
    cdef bint is_outside = False
    if size % 8 or block_count > <uint64_t>1 << 32 or first > block_count:
        raise ValueError("hashes take eight bytes each, blocks are at most 2**32")
    if not size:
        return
    with nogil:
        for place in range(0, size, 8):
            digest = load64(&digests[0] + place)
            start = filter_block(digest, block_count) - first * 32
            # Below `first` it wraps around, and is too large as well.
            if start > room or room - start < 32:
                is_outside = True
                break
            set_filter_bits(&bits[0] + start, digest)
    if is_outside:
        raise ValueError("a hash belongs to another part of the filter")
