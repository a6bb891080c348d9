"""Names of containers on the host: short enough, told apart, and stable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.container_name import LONGEST, host_name

NAMES = st.text(st.sampled_from("abc_-"), min_size=1, max_size=255)


@given(NAMES, NAMES)
def test_names(first: str, second: str) -> None:
    """Two containers never share one; a name that has been shortened is not shortened again."""
    assert len(host_name(first)) <= LONGEST
    assert host_name(host_name(first)) == host_name(first)
    assert (host_name(first) == host_name(second)) == (first == second)
    if len(first) <= LONGEST:
        assert host_name(first) == first


def test_long_names_that_begin_alike() -> None:
    """Are told apart."""
    assert host_name("n" * 254 + "a") != host_name("n" * 254 + "b")
