"""Amounts of bytes in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.amount import show_bytes

MIB = 1 << 20
SCALE = {"byte": 1, "bytes": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30, "TiB": 1 << 40}


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (None, "unknown"),
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (512 * MIB, "512 MiB"),
        (int(999.4 * MIB), "999 MiB"),
        (1000 * MIB, "1,000 MiB"),
        (1024 * MIB, "1 GiB"),
        (20496 * MIB, "20 GiB"),
        (1 << 62, "4,194,304 TiB"),
    ],
)
def test_examples(size_bytes: int | None, text: str):
    """As somebody would write it."""
    assert show_bytes(size_bytes) == text


@given(st.integers(0, 1 << 60))
def test_it_is_near(size_bytes: int):
    """A number without an exponent, and within a hundredth of what it tells."""
    found = re.fullmatch(r"([\d,]+(?:\.\d+)?) (\w+)", show_bytes(size_bytes))
    assert found is not None
    told = float(found[1].replace(",", "")) * SCALE[found[2]]
    assert told == pytest.approx(size_bytes, rel=0.01)
