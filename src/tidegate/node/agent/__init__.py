"""Advances each task one state at a time, from its specification to its end."""
