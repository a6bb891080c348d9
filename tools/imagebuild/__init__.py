"""Builds OCI images from Debian packages, without a registry and without a container engine."""
