"""What a made execution role may read: as a policy document, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_SUFFIX = "-??????"
"""Of a secret's ARN, after its name."""
_CREATE_GROUP = "logs:CreateLogGroup"
_GET_OBJECT = "s3:GetObject"


@dataclass(frozen=True, slots=True)
class ExecutionGrants:
    """Resources by the action that reads them."""

    resources: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def extended(self, reads: Iterable[str], log_groups: Iterable[str]) -> ExecutionGrants:
        """These and those with the given ARNs: parameters, secrets, objects of S3; log groups that it may create."""
        found = {action: set(resources) for action, resources in self.resources.items()}
        for arn in reads:
            action, resources = _grant(arn)
            found.setdefault(action, set()).update(resources)
            if action != _GET_OBJECT:
                found.setdefault("kms:Decrypt", set()).add("*")  # with whichever key it is encrypted by then
        for arn in log_groups:
            found.setdefault(_CREATE_GROUP, set()).add(f"{_plain(arn)}:*")
        return ExecutionGrants({action: tuple(sorted(found[action])) for action in sorted(found)})


def grant_document(grants: ExecutionGrants) -> str:
    """The policy."""
    statements = [
        {"Effect": "Allow", "Action": action, "Resource": list(resources)}
        for action, resources in grants.resources.items()
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def granted_resources(document: str | None) -> ExecutionGrants:
    """What a document of `grant_document` says."""
    if document is None:
        return ExecutionGrants()
    statements = json.loads(document)["Statement"]
    return ExecutionGrants({each["Action"]: tuple(each["Resource"]) for each in statements})


def _grant(arn: str) -> tuple[str, tuple[str, ...]]:
    """The action and the resources; a secret may be named without the end of its ARN."""
    named = _plain(arn)
    match arn.split(":")[2]:
        case "s3":
            return _GET_OBJECT, (named,)
        case "secretsmanager":
            return "secretsmanager:GetSecretValue", (named, named + _SUFFIX)
        case _:
            return "ssm:GetParameters", (named,)


def _plain(text: str) -> str:
    """Without meaning to the policy language."""
    return re.sub(r"[*?$]", lambda match: f"${{{match[0]}}}", text)
