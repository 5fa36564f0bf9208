"""Byte layouts (SPEC.md made executable): one module per section, no I/O here."""
