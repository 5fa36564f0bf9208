"""The verbs of segtool, one module each: `declare` adds it to the parser, `run` does it."""
