"""The report of a store: one HTML page with charts, made without a browser or a network."""
