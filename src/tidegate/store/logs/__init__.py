"""The log store: events of log streams in append-only files."""
