"""Work on the store as a whole: creation, joining, recovery, leaving, verification."""
