"""Command-line tools, importers, and the test kit. Nothing here is needed by the engine."""
