"""Layers: what one part of the store (the memtable, later one immutable file) knows by itself."""
