# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Runs of the name index, built and merged (SPEC.md, section 13)."""
