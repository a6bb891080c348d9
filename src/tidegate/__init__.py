"""Tidegate: an open Fargate."""

__version__ = "0.1.0"
