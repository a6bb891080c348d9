"""
Patterns for events without a form: `term other "a phrase"` (all of them), `?one ?other` (any of them), `-none`.

Terms are case sensitive and are found anywhere in the message. One that has other characters than letters, digits and
underscores must be quoted. `?` beside terms without it is ignored, with its term, as the user guide says.
"""

from __future__ import annotations

import re
from typing import Final

from tidegate.services.logs.patterns.reader import PatternReader
from tidegate.services.logs.patterns.values import QUOTED, unquote

_SIGN: Final = re.compile(r"[?-]")
_TERM: Final = re.compile(r"\w+(?=\s|\Z)")


class TermsPattern:
    """The whole pattern; an empty one matches everything. Raises InvalidPattern."""

    def __init__(self, text: str) -> None:
        by_sign: dict[str, list[str]] = {"": [], "?": [], "-": []}
        reader = PatternReader(text)
        while not reader.is_done:
            sign = reader.find(_SIGN)
            by_sign[sign[0] if sign else ""].append(_read_term(reader))
        self._required, self._excluded = by_sign[""], by_sign["-"]
        self._optional = [] if self._required or self._excluded else by_sign["?"]

    def matches(self, message: str) -> bool:
        """The message has the terms that it must have, and none that it must not."""
        return (
            all(term in message for term in self._required)
            and not any(term in message for term in self._excluded)
            and (not self._optional or any(term in message for term in self._optional))
        )

    def extract(self, message: str) -> dict[str, str]:
        """Nothing: terms have no names."""
        return {}


def _read_term(reader: PatternReader) -> str:
    quoted = reader.find(QUOTED)
    if quoted is None:
        return reader.get(_TERM, "a term; one with other than letters, digits and _ needs quotes")[0]
    if reader.is_between:
        return unquote(quoted[1])
    raise reader.problem("a space behind the quotes")
