"""
Regular expressions between percent signs, in the subset that CloudWatch allows.

Letters, digits, blanks, `:_#=@/;,-`, the operators `^ $ ? [ ] { } | \\ * + .`, and the classes
\\d \\D \\s \\S \\w \\W \\xhh. There are no groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from tidegate.model.regex import Regex, RegexRefused
from tidegate.services.logs.patterns.reader import InvalidPattern, PatternReader

MAX_REGEXES: Final = 2
"""In one pattern. Source: the user guide's quotas."""
_BETWEEN: Final = re.compile(r"%((?:[^%\\]|\\.)*)%")
_ALLOWED: Final = re.compile(r"(?:[A-Za-z0-9 :_#=@/;,^$?\[\]{}|*+.-]|\\(?:[dDsSwW]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9()\s]))+")


def compile_regex(expression: str) -> Callable[[str], bool]:
    """Tells if a text has what the expression describes, anywhere. Raises InvalidPattern."""
    if not expression.isascii() or not _ALLOWED.fullmatch(expression):
        raise InvalidPattern(f"%{expression}% is empty, or has what CloudWatch's regular expressions can't have")
    try:
        regex = Regex(expression)
    except RegexRefused as error:
        raise InvalidPattern(f"%{expression}%: {error}") from None
    return lambda text: regex.matches(text.encode(errors="replace"))


def find_regex(reader: PatternReader) -> Callable[[str], bool] | None:
    """The expression that comes now, if there is one. Raises InvalidPattern."""
    found = reader.find(_BETWEEN)
    if found is None:
        return None
    reader.regexes += 1
    if reader.regexes > MAX_REGEXES:
        raise InvalidPattern(f"there are more than {MAX_REGEXES} regular expressions")
    return compile_regex(found[1])
