"""What the engine makes of a seed and AWS would take: rules, each with its reason."""

from __future__ import annotations

import re
from typing import NamedTuple

from conformance.bad_calls.mutations import Mutation


class Legal(NamedTuple):
    """Patterns of the whole service, operation, path and kind, and why what fits them is no fault."""

    service: str
    operation: str
    path: str
    kind: str
    reason: str

    def matches(self, service: str, mutation: Mutation) -> bool:
        pairs = zip(self[:4], (service, mutation.operation, mutation.path, mutation.kind), strict=True)
        return all(re.fullmatch(pattern, text) for pattern, text in pairs)


RULES = (
    Legal("(?!ec2).*", ".*", ".*", "unknown member", "AWS ignores members that it does not know; EC2 does not"),
    Legal(".*", ".*", ".*", "null for an optional member", "a null is an absence, and what is optional may be absent"),
)


def why_legal(service: str, mutation: Mutation) -> str | None:
    """The reason, if it is no fault."""
    return next((rule.reason for rule in RULES if rule.matches(service, mutation)), None)
