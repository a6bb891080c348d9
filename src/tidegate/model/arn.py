"""Amazon Resource Names, by account and region; what a name means is the service's that it belongs to."""

from __future__ import annotations


def partition(region: str) -> str:
    """The partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def arn(service: str, region: str, account: str, resource: str) -> str:
    """The ARN of a regional resource; `resource` is what follows the account."""
    return f"arn:{partition(region)}:{service}:{region}:{account}:{resource}"


def global_arn(service: str, region: str, account: str, resource: str) -> str:
    """The ARN of a resource that has no region (IAM's): the region says the partition only."""
    return f"arn:{partition(region)}:{service}::{account}:{resource}"


def role_arn(region: str, account: str, role: str) -> str:
    """A role's ARN from its ARN or its name, with or without a path, as task definitions have either."""
    return role if role.startswith("arn:") else global_arn("iam", region, account, f"role/{role.lstrip('/')}")
