"""Pages of a list and their tokens."""

from __future__ import annotations

import base64

import pytest

from tidegate.services.pages import BadToken, page

ITEMS = ["a", "b", "c"]


def take(token: str | None, size: int = 2, operation: str = "List") -> tuple[list[str], str | None]:
    return page(ITEMS, lambda item: item, operation=operation, token=token, size=size)


def test_pages() -> None:
    """A token leads to what follows; there is none after the last page, also if that page is full."""
    first, token = take(None)
    assert first == ["a", "b"]
    assert token is not None
    assert take(token) == (["c"], None)
    assert take(None, 3) == (ITEMS, None)


def test_descending() -> None:
    """The other way round, what follows is what is less."""
    first, token = page(ITEMS, lambda item: item, operation="List", token=None, size=2, is_descending=True)
    assert first == ["c", "b"]
    assert page(ITEMS, lambda item: item, operation="List", token=token, size=2, is_descending=True) == (["a"], None)


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "ä",
        "====",
        base64.urlsafe_b64encode(b"List").decode(),
        base64.urlsafe_b64encode(b"Other\na").decode(),
        base64.urlsafe_b64encode(b"List\n\xff").decode(),
        "A" * 4097,
    ],
)
def test_bad_tokens(token: str) -> None:
    """What this operation did not give out is refused."""
    with pytest.raises(BadToken):
        take(token)
