"""Records and their legal transitions. No I/O."""
