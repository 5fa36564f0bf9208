"""One module per kind of file that a graph is written to; `kinds` has the table."""
