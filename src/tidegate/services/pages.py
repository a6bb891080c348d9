"""
Pages of a list, for every operation that answers with a nextToken.

A token names the last item that was given out, by a key that never changes, and the operation that gave it out. So an
item that is there throughout is seen exactly once, whatever comes or goes between two pages, and no page costs memory
here.
"""

from __future__ import annotations

import base64
import binascii
import operator
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

_MAX_TOKEN = 4096


class BadToken(Exception):
    """The token was not given out by this operation."""


def page(
    items: Iterable[T],
    key: Callable[[T], str],
    *,
    operation: str,
    token: str | None,
    size: int,
    is_descending: bool = False,
) -> tuple[list[T], str | None]:
    """
    At most `size` items that follow the token, in the order of their keys, and the token for the next page if more
    remain. `key` is unique among the items; name the order in `operation` where it can vary. Raises BadToken.
    """
    after = _read(token, operation) if token else None
    follows: Callable[[str, str], bool] = operator.lt if is_descending else operator.gt
    rest = [item for item in items if after is None or follows(key(item), after)]
    rest.sort(key=key, reverse=is_descending)
    found = rest[:size]
    return found, _write(key(found[-1]), operation) if len(rest) > size else None


def _write(key: str, operation: str) -> str:
    return base64.urlsafe_b64encode(f"{operation}\n{key}".encode()).decode()


def _read(token: str, operation: str) -> str:
    if len(token) > _MAX_TOKEN:
        raise BadToken
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise BadToken from error
    named, newline, key = text.partition("\n")
    if named != operation or not newline:
        raise BadToken
    return key
