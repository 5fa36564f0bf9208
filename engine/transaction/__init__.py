"""Transactions: buffered by name, resolved to ids under the commit lock, committed in groups."""
