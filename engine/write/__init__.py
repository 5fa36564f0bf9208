"""The write path: the log, the memtable, and how one follows the other."""
