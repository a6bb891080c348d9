"""
Regular expressions from outside, which must not be able to hold anything up.

RE2 takes time linear in the text, whatever the expression; the factor is bounded by the size of its program, which is
limited here. Its syntax is that of Go's `regexp`, which is what AWS's log drivers are written with.
"""

from __future__ import annotations

from typing import Final

import re2

MAX_PROGRAM: Final = 2_000
"""RE2's instructions; what may repeat counts as often as it may. At worst some microseconds a byte of text."""
_MEMORY_BYTES: Final = 1024 * 1024


class RegexRefused(Exception):
    """It is malformed or too large; the message says which."""


class Regex:
    """A compiled expression. Raises RegexRefused."""

    def __init__(self, expression: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _MEMORY_BYTES
        try:
            self._compiled = re2.compile(expression.encode(), options)
        except UnicodeEncodeError:
            raise RegexRefused("it is no text") from None
        except re2.error as error:
            why = error.args[0] if error.args else "malformed"
            raise RegexRefused(why.decode(errors="replace") if isinstance(why, bytes) else str(why)) from None
        if self._compiled.programsize > MAX_PROGRAM:
            raise RegexRefused("it repeats too much")

    def matches(self, text: bytes) -> bool:
        """It matches somewhere in the text, which is UTF-8. Other threads run meanwhile."""
        return self._compiled.search(text) is not None
