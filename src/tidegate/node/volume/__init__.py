"""Directories that the containers of a task share."""
