# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The memtable, and what transactions write into it."""
