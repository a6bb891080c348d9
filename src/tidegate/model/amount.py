"""Amounts of bytes, as people read them."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def show_bytes(size_bytes: int | None) -> str:
    """With three digits that count: 0 bytes, 1.5 KiB, 512 MiB, 1,000 MiB, 20 GiB."""
    if size_bytes is None:
        return "unknown"
    if size_bytes < 1024:
        return f"{size_bytes} bytes" if size_bytes != 1 else "1 byte"
    size, step = size_bytes / 1024, 0
    while size >= 1023.5 and step + 1 < len(_UNITS):
        size, step = size / 1024, step + 1
    digits = 2 if size < 9.995 else 1 if size < 99.95 else 0
    text = f"{size:,.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} {_UNITS[step]}"
