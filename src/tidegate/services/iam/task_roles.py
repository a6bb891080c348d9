"""The roles of tasks: who may pass them."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.model.arn import role_arn
from tidegate.services.authorization import Ask, Need
from tidegate.services.iam.identities import entity_arn, find_role
from tidegate.services.iam.sessions import TASKS_SERVICE


def pass_role_needs(ask: Ask, roles: Iterable[str | None]) -> Iterable[Need]:
    """
    iam:PassRole for each role that tasks are to get, by name or ARN.

    Of a role that is there the need is on its own ARN, however it was named: the name is what it will be found by.
    """
    ctx = ask.ctx
    for named in dict.fromkeys(role for role in roles if role):
        arn = role_arn(ctx.region, ctx.account, named)
        found = find_role(ask.store, arn)
        resource = entity_arn(found, ctx.account, ctx.region) if found else arn
        yield Need("iam:PassRole", resource, {"iam:PassedToService": TASKS_SERVICE})
