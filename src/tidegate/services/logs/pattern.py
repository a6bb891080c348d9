"""
Filter patterns for unstructured log events: `term other "a phrase"` (all of them), `?one ?other` (any), `-none`.

Terms are case sensitive and are found anywhere in the message. A term with other than letters, digits and underscores
should be quoted; a backslash keeps a quote within quotes. Source: CloudWatch Logs user guide, filter pattern syntax.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tidegate.api import logs

Matcher = Callable[[str], bool]

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|\Z)')
_SPACE = re.compile(r"\s*")


def parse_pattern(pattern: str | None) -> Matcher:
    """What tells if a message matches. InvalidParameterException for what is malformed or not supported here."""
    text = (pattern or "").strip()
    if text[:1] in ("{", "[", "%"):
        form = {"{": "JSON", "[": "space-delimited", "%": "regular expression"}[text[0]]
        raise logs.InvalidParameterException(f"Invalid filter pattern: {form} patterns are not supported yet")
    required, optional, excluded = _terms(text)
    if optional and (required or excluded):
        raise logs.InvalidParameterException("Invalid filter pattern: ?terms cannot be combined with other terms")

    def matches(message: str) -> bool:
        return (
            all(term in message for term in required)
            and not any(term in message for term in excluded)
            and (not optional or any(term in message for term in optional))
        )

    return matches


def _terms(text: str) -> tuple[list[str], list[str], list[str]]:
    """Terms that must be there, of which one must be there, that may not be there."""
    by_sign: dict[str, list[str]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(text):
        found = _TERM.match(text, position)
        if found is None:
            raise logs.InvalidParameterException(
                f"Invalid filter pattern: cannot read it from {text[position:50]!r} on"
            )
        sign, quoted, plain = found.groups()
        by_sign[sign].append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        space = _SPACE.match(text, found.end())
        position = space.end() if space else found.end()
    return by_sign[""], by_sign["?"], by_sign["-"]
