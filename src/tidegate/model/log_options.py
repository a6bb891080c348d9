"""
Values of log drivers' options, as those read them: sizes, and formats of times.

Source: Developer Guide, "Send Amazon ECS logs to CloudWatch"; docker's awslogs driver, which AWS's follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tidegate.model.regex import Regex, RegexRefused

DEFAULT_BUFFER: Final = "10m"
DEFAULT_FORWARD_LINES: Final = 1_048_576
"""Of log-driver-buffer-limit, which counts lines. Source: API reference, LogConfiguration."""
MOST_FORWARD_LINES: Final = 536_870_912
LINE_BYTES: Final = 256
"""What a line counts for in that limit: files are measured, not lines."""
FIRELENS_OWN_OPTIONS: Final = frozenset({"log-driver-buffer-limit", "mode", "max-buffer-size"})
"""Options of awsfirelens that are the driver's; all others are the router's."""
_SIZE: Final = re.compile(r"([0-9]{1,12})([kmg]?)b?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)
_DIRECTIVES: Final = {
    "a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "B": "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "f": "[0-9]{6}",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[1-9]|1[0-2])",
    "j": "(?:[0-2][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "L": r"\.[0-9]{3}",
    "m": "(?:0[1-9]|1[0-2])",
    "M": "[0-5][0-9]",
    "p": "[AP]M",
    "S": "[0-5][0-9]",
    "w": "[0-6]",
    "y": "[0-9]{2}",
    "Y": "[0-9]{4}",
    "z": "[+-][0-9]{4}",
    "Z": "[A-Z]{1,4}T",
    "%": "%",
}


class BadOption(Exception):
    """The value can't be used; the message says why."""


def read_size(text: str) -> int:
    """Bytes: a number with k, m or g for 1024, its square and its cube, with or without a b. Raises BadOption."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise BadOption("it is no size, like 25m")
    return int(found[1]) * _UNITS[found[2].lower()]


def find_event_start(options: Mapping[str, str]) -> str:
    """
    The expression for lines that begin an event, by awslogs-multiline-pattern or awslogs-datetime-format; else empty.

    In a format of times everything but its directives is a regular expression, too. Raises BadOption.
    """
    expression = options.get("awslogs-multiline-pattern") or _expand(options.get("awslogs-datetime-format") or "")
    try:
        Regex(expression)
    except RegexRefused as error:
        raise BadOption(str(error)) from None
    return expression


def _expand(time_format: str) -> str:
    def expand(found: re.Match[str]) -> str:
        if found[1] not in _DIRECTIVES:
            raise BadOption(f"there is no directive {found[0]}")
        return _DIRECTIVES[found[1]]

    return _DIRECTIVE.sub(expand, time_format)
