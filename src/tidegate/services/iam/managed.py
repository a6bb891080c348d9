"""Managed policies by ARN: the account's own records, and AWS's, which no record holds."""

from __future__ import annotations

from collections import Counter

from tidegate.api import iam
from tidegate.model.account import Account
from tidegate.model.identity import Group, ManagedPolicy, Role, User
from tidegate.services.iam.aws_managed import PREFIX, find_aws_policy
from tidegate.services.iam.identities import entity_arn, find_named
from tidegate.store.store import Store


def find_own_policy(store: Store, arn: str) -> ManagedPolicy | None:
    """The account's own policy with this ARN, to the letter."""
    account = store.get(Account, "account")
    found = find_named(store, ManagedPolicy, arn.rpartition("/")[2])
    if account is None or found is None or entity_arn(found, account.id, account.region) != arn:
        return None
    return found


def find_managed_document(store: Store, arn: str) -> str | None:
    """The document that is in force."""
    if PREFIX in arn:
        found = find_aws_policy(arn)
        return found.document if found else None
    own = find_own_policy(store, arn)
    return own.document if own else None


def check_attachable(store: Store, arn: str) -> None:
    """Raises NoSuchEntity for an ARN that no managed policy has."""
    if find_managed_document(store, arn) is None:
        raise iam.NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.")


def count_attachments(store: Store) -> tuple[Counter[str], Counter[str]]:
    """By policy's ARN: how many carry it, and how many have it as their boundary."""
    attached: Counter[str] = Counter()
    boundaries: Counter[str] = Counter()
    for kind in (User, Group, Role):
        for grantee in store.select(kind):
            attached.update(grantee.attached)
            if grantee.boundary:
                boundaries[grantee.boundary] += 1
    return attached, boundaries
