"""Gives each task a network interface of its own."""
