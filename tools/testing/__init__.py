"""A machine for tests to break: a disk that loses power, processes that die, calls that fail."""
