"""Bytes to typed shapes and back: HTTP, the AWS protocols, SigV4. Knows no service."""
