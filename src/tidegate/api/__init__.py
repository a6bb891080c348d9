"""The shapes of the APIs that Tidegate speaks: one generated module a service, over `shape`."""
