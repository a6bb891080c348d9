"""
The managed policies of AWS itself that users of ECS attach: arn:aws:iam::aws:policy/...

They are what the guides say that each permits, in as few words. No record holds them, and nobody can change them.
"""

from __future__ import annotations

import json
from functools import cache

from tidegate.model.identity import ManagedPolicy, PolicyVersion

PREFIX = ":iam::aws:policy"
"""What follows the partition in the ARN of such a policy."""
CREATED_AT = 1_423_180_800.0
"""2015-02-06, when AWS introduced most of them."""


def find_aws_policy(arn: str) -> ManagedPolicy | None:
    """By ARN, in any partition."""
    _, _, rest = arn.partition(":")
    _, _, rest = rest.partition(PREFIX)
    return aws_policies().get(rest)


def is_aws(policy: ManagedPolicy) -> bool:
    """Is it one of these, rather than the account's own?"""
    return aws_policies().get(policy.path + policy.name) is policy


@cache
def aws_policies() -> dict[str, ManagedPolicy]:
    """By path and name, as ARNs end with them."""
    made = (_policy(*row) for row in _TABLE)
    return {f"{policy.path}{policy.name}": policy for policy in made}


def _policy(name: str, path: str, description: str, statements: tuple[dict[str, object], ...]) -> ManagedPolicy:
    """Its id follows from its name."""
    letters = "".join(sign for sign in name.upper() if sign.isalpha())
    version = PolicyVersion(number=1, document=_document(*statements), created_at=CREATED_AT)
    return ManagedPolicy(
        name=name,
        id="ANPA" + (letters + "A" * 17)[:17],
        path=path,
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        description=description,
        versions=(version,),
        default=1,
        latest=1,
    )


def _document(*statements: dict[str, object]) -> str:
    full = [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": full}, indent=4)


_TO_TASKS = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
_READ = ("Describe*", "Get*", "List*")
_SERVICES = ("cloudwatch", "ec2", "ecr", "ecs", "elasticloadbalancing", "iam", "logs", "servicediscovery", "ssm", "sts")

_TABLE: tuple[tuple[str, str, str, tuple[dict[str, object], ...]], ...] = (
    ("AdministratorAccess", "/", "Everything.", ({"Action": "*"},)),
    ("PowerUserAccess", "/", "Everything but users, groups and roles.", (
        {"NotAction": ["iam:*", "organizations:*", "account:*"]},
        {"Action": [
            "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles",
            "organizations:DescribeOrganization", "account:ListRegions", "account:GetAccountInformation",
        ]},
    )),
    ("ReadOnlyAccess", "/", "Reading of everything but secret values.", (
        {"Action": [
            *(f"{service}:{verb}" for service in _SERVICES for verb in _READ),
            "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "logs:FilterLogEvents", "logs:StartQuery",
            "logs:StartLiveTail", "logs:StopLiveTail", "secretsmanager:DescribeSecret",
            "secretsmanager:GetResourcePolicy", "secretsmanager:List*", "tidegate:Describe*", "tidegate:ExplainTask",
            "tidegate:List*",
        ]},
    )),
    ("IAMFullAccess", "/", "Everything of IAM.", ({"Action": "iam:*"},)),
    ("IAMReadOnlyAccess", "/", "Reading of IAM.", ({"Action": ["iam:Get*", "iam:List*", "iam:Simulate*"]},)),
    ("AmazonECS_FullAccess", "/", "Everything of ECS, and what it works with.", (
        {"Action": [
            "application-autoscaling:*", "cloudwatch:DescribeAlarms", "cloudwatch:GetMetricStatistics",
            "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "ec2:Describe*", "ecs:*",
            "elasticloadbalancing:*", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfiles", "iam:ListRoles",
            "logs:CreateLogGroup", "logs:DescribeLogGroups", "logs:FilterLogEvents", "servicediscovery:*",
        ]},
        {"Action": "iam:PassRole", "Condition": _TO_TASKS},
        {"Action": "iam:CreateServiceLinkedRole", "Condition": {
            "StringLike": {"iam:AWSServiceName": ["ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com"]},
        }},
    )),
    ("AmazonECSTaskExecutionRolePolicy", "/service-role/", "What ECS needs to pull images and to write logs.", (
        {"Action": [
            "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents",
        ]},
    )),
    ("AmazonEC2ContainerServiceforEC2Role", "/service-role/", "What an instance needs to run tasks.", (
        {"Action": [
            "ec2:DescribeTags", "ecs:CreateCluster", "ecs:DeregisterContainerInstance", "ecs:DiscoverPollEndpoint",
            "ecs:Poll", "ecs:RegisterContainerInstance", "ecs:StartTelemetrySession",
            "ecs:UpdateContainerInstancesState", "ecs:Submit*", "ecr:GetAuthorizationToken",
            "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
            "logs:CreateLogStream", "logs:PutLogEvents",
        ]},
        {"Action": "ecs:TagResource", "Condition": {
            "StringEquals": {"ecs:CreateAction": ["CreateCluster", "RegisterContainerInstance"]},
        }},
    )),
    ("AmazonEC2ContainerServiceEventsRole", "/service-role/", "What a rule or schedule needs to run tasks.", (
        {"Action": "ecs:RunTask"},
        {"Action": "iam:PassRole", "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
        {"Action": "ecs:TagResource", "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}}},
    )),
    ("AmazonEC2ContainerRegistryReadOnly", "/", "Reading of ECR.", (
        {"Action": [
            "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
            "ecr:BatchGetImage", "ecr:Describe*", "ecr:Get*", "ecr:List*",
        ]},
    )),
    ("CloudWatchLogsFullAccess", "/", "Everything of CloudWatch Logs.", (
        {"Action": ["logs:*", "cloudwatch:GenerateQuery"]},
    )),
    ("CloudWatchLogsReadOnlyAccess", "/", "Reading of CloudWatch Logs.", (
        {"Action": [
            "logs:Describe*", "logs:Get*", "logs:List*", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter",
            "logs:FilterLogEvents", "logs:StartLiveTail", "logs:StopLiveTail", "cloudwatch:GenerateQuery",
        ]},
    )),
    ("AmazonSSMFullAccess", "/", "Everything of Systems Manager.", (
        {"Action": [
            "cloudwatch:PutMetricData", "ds:CreateComputer", "ds:DescribeDirectories", "ec2:DescribeInstanceStatus",
            "logs:*", "ssm:*", "ec2messages:*",
        ]},
    )),
    ("AmazonSSMReadOnlyAccess", "/", "Reading of Systems Manager.", (
        {"Action": ["ssm:Describe*", "ssm:Get*", "ssm:List*"]},
    )),
    ("SecretsManagerReadWrite", "/", "Everything of Secrets Manager.", (
        {"Action": [
            "secretsmanager:*", "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStackResource", "cloudformation:DescribeStacks", "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets", "ec2:DescribeVpcs", "kms:DescribeKey", "kms:ListAliases", "kms:ListKeys",
            "lambda:ListFunctions", "tag:GetResources",
        ]},
    )),
    ("AmazonEC2FullAccess", "/", "Everything of EC2.", (
        {"Action": ["ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"]},
    )),
    ("AmazonEC2ReadOnlyAccess", "/", "Reading of EC2.", (
        {"Action": [
            "ec2:Describe*", "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:Describe*", "cloudwatch:ListMetrics",
            "cloudwatch:GetMetricStatistics", "cloudwatch:Describe*", "autoscaling:Describe*",
        ]},
    )),
    ("AmazonS3FullAccess", "/", "Everything of S3.", ({"Action": ["s3:*", "s3-object-lambda:*"]},)),
    ("AmazonS3ReadOnlyAccess", "/", "Reading of S3.", (
        {"Action": ["s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"]},
    )),
)  # fmt: skip
"""Name, path, description, and the statements: each allows, on every resource unless it says otherwise."""
