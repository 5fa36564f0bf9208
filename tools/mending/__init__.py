"""What mends a damaged store: salvaged versions on their way into a new one."""
