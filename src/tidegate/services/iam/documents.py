"""Policy documents as requests bring them and answers show them."""

from __future__ import annotations

from urllib.parse import quote

from tidegate.api import iam
from tidegate.model.identity import Group, Role, User
from tidegate.services.iam.identities import find_role, find_user
from tidegate.services.iam.policy.document import Kind, MalformedPolicy, Policy, read_policy
from tidegate.store.store import Store

MANAGED_BYTES = 6144
TRUST_BYTES = 2048
INLINE_BYTES = {User: 2048, Group: 5120, Role: 10_240}
"""For all inline policies of one together. Source: user guide, "IAM and AWS STS quotas"; blanks don't count."""


def size_of(document: str) -> int:
    """Without blanks."""
    return len("".join(document.split()))


def check_document(document: str, kind: Kind = "identity") -> Policy:
    """The policy. Raises MalformedPolicyDocument."""
    try:
        return read_policy(document, kind)
    except MalformedPolicy as error:
        raise iam.MalformedPolicyDocumentException(str(error)) from error


def check_trust(store: Store, account: str, document: str) -> None:
    """A trust policy: whom it names in this account must be there. Raises MalformedPolicyDocument, LimitExceeded."""
    policy = check_document(document, "trust")
    if size_of(document) > TRUST_BYTES:
        raise iam.LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST_BYTES}")
    for statement in policy.statements:
        for arn in sorted(statement.principals.arns if statement.principals else ()):
            is_ours = arn.split(":")[4] == account
            if is_ours and find_role(store, arn) is None and find_user(store, arn) is None:
                raise iam.MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{arn}"')


def show_document(document: str) -> str:
    """Percent-encoded, as RFC 3986 has it."""
    return quote(document, safe="")
