"""Calls that AWS refuses: made from calls that it takes, one fault at a time."""
