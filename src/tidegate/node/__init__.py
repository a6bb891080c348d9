"""The local engine's agent: advances each task one state at a time, and finds them again after a crash."""
