"""Starts, supervises and ends containers with an OCI runtime."""
