"""Pages of a list join to the whole list, whatever comes and goes between two calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.services.ecs.definitions.listing import Position, take_page

some_positions = st.sets(st.tuples(st.text("ab-_", min_size=1, max_size=3), st.integers(1, 12)))


def read_all(positions: set[Position], size: int, descending: bool, between: list[Position]) -> list[Position]:
    """All pages; after each, one of `between` goes."""
    left = set(positions)
    found: list[Position] = []
    token: str | None = None
    for gone in [*between, *([("", 0)] * (len(positions) + 1))]:
        page = take_page(left, token=token, max_results=size, descending=descending)
        assert len(page.positions) <= size
        found += page.positions
        token = page.next_token
        if token is None:
            return found
        left.discard(gone)
    raise AssertionError("the pages have no end")


@given(some_positions, st.integers(1, 5), st.booleans())
def test_pages_join_to_the_sorted_whole(positions: set[Position], size: int, descending: bool) -> None:
    """Each position comes once, in order, and the last page has no token."""
    assert read_all(positions, size, descending, []) == sorted(positions, reverse=descending)


@given(some_positions, st.integers(1, 3), st.booleans(), st.data())
def test_what_stays_is_listed_once(positions: set[Position], size: int, descending: bool, data: st.DataObject) -> None:
    """Positions that are removed between two pages neither repeat nor hide the others."""
    gone = data.draw(st.lists(st.sampled_from(sorted(positions)), max_size=4)) if positions else []
    found = read_all(positions, size, descending, gone)
    assert len(found) == len(set(found))
    assert positions - set(gone) <= set(found) <= positions
