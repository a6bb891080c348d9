"""Moves what containers write to where it can be read."""
