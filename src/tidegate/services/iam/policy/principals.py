"""Whom a policy names: the Principal and NotPrincipal elements of trust policies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

_ACCOUNT = re.compile(r"\d{12}")
_ACCOUNT_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")


class Trust(IntEnum):
    """How far a Principal element goes towards somebody."""

    NONE = 0
    ACCOUNT = 1
    """It names their account: the account's own policies must allow them as well."""
    DIRECT = 2
    """It names them, or everybody."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks to be let in: a principal of an account, or an AWS service."""

    account: str = ""
    arns: tuple[str, ...] = ()
    """The names that they go by: a user's ARN, or a session's and its role's."""
    service: str = ""
    """E.g. ecs-tasks.amazonaws.com."""


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal element, taken apart."""

    is_everyone: bool = False
    accounts: frozenset[str] = frozenset()
    arns: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()

    def trust(self, asker: Asker) -> Trust:
        """In `asker`."""
        if self.is_everyone or asker.service in self.services or self.arns.intersection(asker.arns):
            return Trust.DIRECT
        return Trust.ACCOUNT if asker.account in self.accounts else Trust.NONE


def read_aws_principals(values: tuple[str, ...]) -> Principals | str:
    """Of `{"AWS": ...}`; the first value that names nobody is returned as it is."""
    accounts, arns = set(), set()
    for value in values:
        root = _ACCOUNT_ROOT.fullmatch(value)
        if value == "*":
            return Principals(is_everyone=True)
        if _ACCOUNT.fullmatch(value) or root:
            accounts.add(root[1] if root else value)
        elif re.fullmatch(r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(user|role|assumed-role|federated-user)/[^*?]+", value):
            arns.add(value)
        else:
            return value
    return Principals(accounts=frozenset(accounts), arns=frozenset(arns))
