"""The verbs of segtool, one module each: `add_verb` declares it, `run` does it."""
