# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Tables of segments, built and merged (SPEC.md, section 12)."""
