"""Keeps images, each layer once, as read-only file systems."""
