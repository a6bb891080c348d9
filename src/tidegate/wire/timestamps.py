"""Times as the query protocols write them; inside, a time is seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any


def format_timestamp(value: float, kind: str) -> str:
    """ISO 8601 unless the model names another format. value: seconds since the epoch."""
    at = datetime.fromtimestamp(value, UTC)
    if kind == "unixTimestamp":
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if kind == "rfc822":
        return format_datetime(at, usegmt=True)
    milliseconds = at.microsecond // 1000
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{milliseconds:03d}Z" if milliseconds else "Z")


def parse_timestamp(text: Any) -> Any:
    """
    Seconds since the epoch, of a number of them, ISO 8601 or an HTTP date: AWS reads all, whatever the model names.

    What is no time comes back as it is, for the check against the shape to refuse.
    """
    if not isinstance(text, str) or len(text) > 40:
        return text
    for parse in (float, _iso8601, _http_date):
        try:
            return parse(text)
        except (ValueError, OverflowError):
            continue
    return text


def _iso8601(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _http_date(text: str) -> float:
    return parsedate_to_datetime(text).timestamp()
