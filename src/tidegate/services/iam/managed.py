"""Managed policies by ARN: the account's own records, and AWS's, which no record holds."""

from __future__ import annotations

from tidegate.model.identity import ManagedPolicy
from tidegate.services.iam.aws_managed import PREFIX, find_aws_policy
from tidegate.services.iam.identities import find_named
from tidegate.store.store import Store


def find_own_policy(store: Store, arn: str) -> ManagedPolicy | None:
    """The account's own policy with this ARN."""
    resource = arn.split(":", 5)[-1]
    if PREFIX in arn or not resource.startswith("policy/"):
        return None
    path, _, name = resource.removeprefix("policy").rpartition("/")
    found = find_named(store, ManagedPolicy, name)
    return found if found is not None and found.path == f"{path}/" else None


def find_managed_document(store: Store, arn: str) -> str | None:
    """The document that is in force."""
    if PREFIX in arn:
        found = find_aws_policy(arn)
        return found.document if found else None
    own = find_own_policy(store, arn)
    return own.document if own else None
