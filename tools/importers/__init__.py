"""Readers that turn other people's data into nodes and edges."""
