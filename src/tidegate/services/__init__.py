"""What each operation means. Reads and writes the store, starts nothing."""
