"""Views: what one read sees, and the reading methods that Graph and Snapshot share."""
