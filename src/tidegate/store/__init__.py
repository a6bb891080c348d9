"""Durable records: transactions, compare-and-swap revisions, watch."""
