"""Tidegate: an open Fargate."""
