"""
Where reading goes on, as text.

GetLogEvents: `f/` or `b/` and 56 digits, which are a place between two events of the stream; the direction is
FilterLogEvents' own. A place outlives everything but its events, so tokens do not expire.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from tidegate.api import logs
from tidegate.services.logs.groups import BAD_TOKEN
from tidegate.store.logs.merge import Position

_TIME_DIGITS, _NUMBER_DIGITS = 16, 40
_STREAM_TOKEN = re.compile(rf"([fb])/([0-9]{{{_TIME_DIGITS}}})([0-9]{{{_NUMBER_DIGITS}}})")
_GROUP_TOKEN = re.compile(r"([fb])/([0-9]{1,16})/([0-9]{1,20})/([0-9a-f]{32})")
_MAX_TOKEN = 200


class Place(NamedTuple):
    """Between two events: forward from here means after (timestamp, number), backward means before it."""

    is_backward: bool
    timestamp_ms: int
    number: int


def write_stream_token(place: Place) -> str:
    """The token for a place in a stream. number: -1 or more."""
    direction = "b" if place.is_backward else "f"
    number = max(place.number, -1) + 1
    return f"{direction}/{place.timestamp_ms:0{_TIME_DIGITS}d}{number:0{_NUMBER_DIGITS}d}"


def read_stream_token(token: str) -> Place:
    """The place; InvalidParameterException for what is no token of ours."""
    found = _STREAM_TOKEN.fullmatch(token)
    if found is None:
        raise logs.InvalidParameterException(BAD_TOKEN)
    return Place(found[1] == "b", int(found[2]), int(found[3]) - 1)


def write_group_token(position: Position, *, is_backward: bool) -> str:
    """The token that goes on beyond a position in a log group."""
    text = f"{'b' if is_backward else 'f'}/{position.timestamp_ms}/{position.number}/{position.stream}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_group_token(token: str) -> tuple[Position, bool]:
    """The position, and if reading goes backward; InvalidParameterException for what is no token of ours."""
    try:
        text = base64.b64decode(token[:_MAX_TOKEN].encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    found = _GROUP_TOKEN.fullmatch(text)
    if found is None:
        raise logs.InvalidParameterException(BAD_TOKEN)
    return Position(int(found[2]), found[4], int(found[3])), found[1] == "b"
