"""The door: each operation is held against what it needs, on the resources that it is about."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec
import pytest

from fakes.identity import Identities, allow, deny, document, task_roles
from tidegate.api import ec2, ecs, iam, logs, ssm, tidegate
from tidegate.api.shape import Context, Operation
from tidegate.model.identity import User
from tidegate.server.authorization import TABLES
from tidegate.services.account import ensure_account
from tidegate.services.ecs.service import Ecs
from tidegate.services.iam.gate import RequestGate

pytestmark = pytest.mark.anyio
USER = "arn:aws:iam::123456789012:user/bo"
ECS = "arn:aws:ecs:eu-north-1:123456789012"
LOGS = "arn:aws:logs:eu-north-1:123456789012:log-group"
TASK = "0123456789abcdef0123456789abcdef"


class House(Identities):
    """With a gate, and somebody who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = RequestGate(self.authorizer, self.store, TABLES)
        self.ctx = Context(
            "123456789012", "eu-north-1", "r", USER, user_id="AIDABO", source_ip="10.1.2.3", user_agent="tests"
        )

    async def may(self, *statements: dict[str, Any]) -> None:
        """What the user's policy says from now on."""
        if self.store.get(User, "bo") is None:
            await self.user("bo")
        user = self.store.get(User, "bo")
        assert user is not None
        await self.put(msgspec.structs.replace(user, inline={"p": document(*statements)}))

    def ask(self, api: ModuleType, name: str, body: dict[str, Any] | None = None) -> str | None:
        operation: Operation = next(o for o in api.OPERATIONS if o.name == name)
        arguments = msgspec.convert(body or {}, operation.request)
        return self.gate.refuse(self.ctx, api.SERVICE, operation, arguments)

    def resource(self, api: ModuleType, name: str, body: dict[str, Any] | None = None) -> str:
        """The first resource that a caller without permissions is refused on."""
        told = self.ask(api, name, body)
        assert told is not None
        return told.partition(" on resource: ")[2].partition(" because ")[0]


async def test_a_refusal_is_told_in_aws_words() -> None:
    """Who, what, on which resource, and which kind of policy it is that says no."""
    house = House()
    await house.may(allow("ecs:List*"))
    arn = f"{ECS}:cluster/blue"
    assert house.ask(ecs, "ListClusters") is None
    assert house.ask(ecs, "DeleteCluster", {"cluster": "blue"}) == (
        f"User: {USER} is not authorized to perform: ecs:DeleteCluster on resource: {arn} "
        "because no identity-based policy allows the ecs:DeleteCluster action"
    )
    await house.may(allow("ecs:*"), deny("ecs:DeleteCluster", resource=f"{ECS}:cluster/b*"))
    assert house.ask(ecs, "DeleteCluster", {"cluster": "green"}) is None
    for named in ("blue", arn):
        assert house.ask(ecs, "DeleteCluster", {"cluster": named}) == (
            f"User: {USER} is not authorized to perform: ecs:DeleteCluster on resource: {arn} "
            "with an explicit deny in an identity-based policy"
        )
    with pytest.raises(ecs.InvalidParameterException):  # another partition's name is no other way to it
        house.ask(ecs, "DeleteCluster", {"cluster": arn.replace("arn:aws:", "arn:aws-cn:")})


async def test_an_operation_without_a_row_is_refused() -> None:
    """Whatever the caller's policies allow."""
    house = House()
    await house.may(allow("*"))
    unknown = Operation("Unheard", "unheard", None, None)
    told = house.gate.refuse(house.ctx, "ecs", unknown, None)
    assert told is not None
    assert "ecs:Unheard on resource: *" in told
    assert house.gate.refuse(house.ctx, "nothing", unknown, None) is not None


@pytest.mark.parametrize(
    "api, name, body, expected",
    [
        (ecs, "ListTasks", {}, "*"),
        (ecs, "ListTasks", {"containerInstance": "abc"}, f"{ECS}:container-instance/default/abc"),
        (ecs, "CreateCluster", {"clusterName": "a"}, "*"),
        (ecs, "DescribeClusters", {}, f"{ECS}:cluster/default"),
        (ecs, "DescribeClusters", {"clusters": ["b"]}, f"{ECS}:cluster/b"),
        (ecs, "DescribeTasks", {"tasks": [TASK]}, f"{ECS}:task/default/{TASK}"),
        (ecs, "DescribeTasks", {"tasks": [TASK], "cluster": "b"}, f"{ECS}:task/b/{TASK}"),
        (ecs, "StopTask", {"task": f"{ECS}:task/c/{TASK}"}, f"{ECS}:task/c/{TASK}"),
        (ecs, "RunTask", {"taskDefinition": "app"}, f"{ECS}:task-definition/app:*"),
        (ecs, "RunTask", {"taskDefinition": "app:3"}, f"{ECS}:task-definition/app:3"),
        (ecs, "DeleteTaskDefinitions", {"taskDefinitions": ["app:3"]}, f"{ECS}:task-definition/app:3"),
        (ecs, "TagResource", {"resourceArn": f"{ECS}:cluster/b", "tags": []}, f"{ECS}:cluster/b"),
        (ecs, "ListTagsForResource", {"resourceArn": f"{ECS}:task/c/{TASK}"}, f"{ECS}:task/c/{TASK}"),
        (ecs, "PutAttributes", {"cluster": "b", "attributes": []}, f"{ECS}:container-instance/b/*"),
        (logs, "CreateLogGroup", {"logGroupName": "/a"}, f"{LOGS}:/a:log-stream:"),
        (logs, "DescribeLogGroups", {}, f"{LOGS}::log-stream:"),
        (logs, "FilterLogEvents", {"logGroupIdentifier": f"{LOGS}:/a"}, f"{LOGS}:/a:log-stream:"),
        (logs, "GetLogEvents", {"logGroupName": "/a", "logStreamName": "s/1"}, f"{LOGS}:/a:log-stream:s/1"),
        (logs, "TagResource", {"resourceArn": f"{LOGS}:/a", "tags": {"k": "v"}}, f"{LOGS}:/a"),
        (logs, "UntagLogGroup", {"logGroupName": "/a", "tags": ["k"]}, f"{LOGS}:/a"),
        (logs, "TestMetricFilter", {"filterPattern": "", "logEventMessages": ["x"]}, "*"),
        (ssm, "GetParameter", {"Name": "/a/b:3"}, "arn:aws:ssm:eu-north-1:123456789012:parameter/a/b"),
        (ssm, "GetParameters", {"Names": ["plain"]}, "arn:aws:ssm:eu-north-1:123456789012:parameter/plain"),
        (ssm, "GetParametersByPath", {"Path": "/a/"}, "arn:aws:ssm:eu-north-1:123456789012:parameter/a/"),
        (ssm, "DescribeParameters", {}, "*"),
        (
            ssm,
            "AddTagsToResource",
            {"ResourceType": "Parameter", "ResourceId": "/a", "Tags": []},
            "arn:aws:ssm:eu-north-1:123456789012:parameter/a",
        ),
        (ec2, "DescribeVpcs", {}, "*"),
        (tidegate, "PullImage", {"reference": "a:1"}, "arn:aws:tidegate:eu-north-1:123456789012:image/a:1"),
        (tidegate, "DescribeTimeline", {"task": TASK}, f"{ECS}:task/default/{TASK}"),
    ],
)  # fmt: skip
async def test_what_an_operation_is_about(api: ModuleType, name: str, body: dict[str, Any], expected: str) -> None:
    """The resource's own ARN, however the request names it."""
    house = House()
    await house.may(allow("x:y"))
    assert house.resource(api, name, body) == expected


async def test_security_groups_by_name_and_by_id() -> None:
    """Are the same resource; its VPC can be asked for."""
    house = House()
    await ensure_account(house.store, "123456789012", "eu-north-1", "10.64.0.0/16", house.now)
    await house.may(allow("x:y"))
    by_name = house.resource(ec2, "DeleteSecurityGroup", {"GroupName": "default"})
    assert by_name.startswith("arn:aws:ec2:eu-north-1:123456789012:security-group/sg-")
    assert house.resource(ec2, "DeleteSecurityGroup", {"GroupId": by_name.rpartition("/")[2]}) == by_name
    told = house.ask(ec2, "DeleteSecurityGroup", {"GroupName": "default"})
    assert told is not None
    assert told.startswith("You are not authorized to perform this operation. User: ")
    vpc = {"ArnLike": {"ec2:Vpc": "arn:aws:ec2:*:*:vpc/vpc-*"}}
    await house.may(allow("ec2:DeleteSecurityGroup", Condition=vpc))
    assert house.ask(ec2, "DeleteSecurityGroup", {"GroupName": "default"}) is None


async def test_every_resource_of_a_request_counts() -> None:
    """One that is not allowed refuses them all."""
    house = House()
    await house.may(allow("ssm:GetParameters", resource="arn:aws:ssm:*:*:parameter/app/*"))
    assert house.ask(ssm, "GetParameters", {"Names": ["/app/a", "/app/b"]}) is None
    assert house.ask(ssm, "GetParameters", {"Names": ["/app/a", "/other/b"]}) is not None


@pytest.mark.parametrize(
    "condition, holds",
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-north-1"}}, True),
        ({"StringEquals": {"aws:userid": "AIDABO"}}, True),
        ({"StringEquals": {"aws:username": "bo"}}, True),
        ({"StringLike": {"aws:UserAgent": "t*"}}, True),
        ({"ArnLike": {"ecs:cluster": f"{ECS}:cluster/b*"}}, True),
        ({"ArnEquals": {"ecs:cluster": f"{ECS}:cluster/c"}}, False),
        ({"StringEquals": {"aws:RequestTag/team": "red"}}, True),
        ({"StringEquals": {"aws:RequestTag/Team": "blue"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]}}, False),
        ({"Bool": {"ecs:enable-execute-command": "false"}}, True),
        ({"ForAllValues:StringLike": {"ecs:capacity-provider": "FARGATE*"}}, True),
        ({"StringEquals": {"ecs:ResourceTag/stage": "test"}}, True),
        ({"StringEquals": {"aws:ResourceTag/stage": "prod"}}, False),
    ],
)
async def test_what_conditions_can_ask_of_a_request(condition: dict[str, Any], holds: bool) -> None:
    """Where it came from, what it is about, which tags it brings and which the resource has."""
    house = House()
    ecs_service = Ecs(house.store, house.now, task_roles(house.store, house.now))
    request = {"family": "app", "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}]}
    tags = {"tags": [{"key": "stage", "value": "test"}]}
    await ecs_service.register_task_definition(
        house.ctx, msgspec.convert({**request, **tags}, ecs.RegisterTaskDefinitionRequest)
    )
    await house.may(allow("ecs:RunTask", Condition=condition), allow("ecs:TagResource"))
    body = {
        "taskDefinition": "app",
        "cluster": "b",
        "tags": [{"key": "team", "value": "red"}],
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}],
    }
    assert (house.ask(ecs, "RunTask", body) is None) is holds


async def test_tags_at_creation_take_their_own_permission() -> None:
    """ecs:TagResource with the operation in ecs:CreateAction, ec2:CreateTags with it in ec2:CreateAction."""
    house = House()
    body = {"clusterName": "a", "tags": [{"key": "k", "value": "v"}]}
    await house.may(allow("ecs:CreateCluster"))
    assert house.ask(ecs, "CreateCluster", {"clusterName": "a"}) is None
    assert house.resource(ecs, "CreateCluster", body) == f"{ECS}:cluster/a"
    await house.may(
        allow("ecs:CreateCluster"),
        allow("ecs:TagResource", Condition={"StringEquals": {"ecs:CreateAction": "CreateCluster"}}),
    )
    assert house.ask(ecs, "CreateCluster", body) is None


async def test_roles_have_to_be_passed() -> None:
    """At registration and at launch, each of them; by overrides too. What counts is the role that is meant."""
    house = House()
    service = Ecs(house.store, house.now, task_roles(house.store, house.now))
    secret, app = "arn:aws:iam::123456789012:role/admin/secret", "arn:aws:iam::123456789012:role/app"
    definition = {
        "family": "app",
        "taskRoleArn": app,
        "executionRoleArn": "arn:aws:iam::123456789012:role/exec",
        "containerDefinitions": [{"name": "a", "image": "b", "memory": 64}],
    }
    await service.register_task_definition(house.ctx, msgspec.convert(definition, ecs.RegisterTaskDefinitionRequest))
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    passing = allow("iam:PassRole", resource=[app, "arn:aws:iam::*:role/app/*"], Condition=to_tasks)
    await house.may(allow("ecs:*"), passing)
    refused = (
        f"User: {USER} is not authorized to perform: iam:PassRole on resource: "
        "arn:aws:iam::123456789012:role/exec because no identity-based policy allows the iam:PassRole action"
    )
    assert house.ask(ecs, "RegisterTaskDefinition", definition) == refused
    assert house.ask(ecs, "RunTask", {"taskDefinition": "app"}) == refused
    overridden = {"taskDefinition": "app", "overrides": {"executionRoleArn": app}}
    assert house.ask(ecs, "RunTask", overridden) is None
    await house.role("secret", path="/admin/")
    for disguise in (
        secret,
        "secret",
        "arn:aws:iam::123456789012:role/app/secret",
        "arn:aws:iam::999999999999:role/app/secret",
    ):
        overridden = {"taskDefinition": "app", "overrides": {"executionRoleArn": app, "taskRoleArn": disguise}}
        assert house.resource(ecs, "RunTask", overridden) == secret


@pytest.mark.parametrize(
    "name, body, expected",
    [
        ("CreateUser", {"UserName": "al", "Path": "/x/"}, "user/x/al"),
        ("GetUser", {}, "user/bo"),
        ("GetUser", {"UserName": "al"}, "user/al"),
        ("ListUsers", {"PathPrefix": "/x/"}, "user/x/"),
        ("UpdateUser", {"UserName": "bo", "NewUserName": "al"}, "user/bo"),
        ("ListAccessKeys", {}, "user/bo"),
        ("AddUserToGroup", {"GroupName": "ops", "UserName": "bo"}, "group/ops"),
        ("CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "x"}, "role/r"),
        ("GetRole", {"RoleName": "deep"}, "role/a/b/deep"),
        ("PutRolePolicy", {"RoleName": "deep", "PolicyName": "p", "PolicyDocument": "x"}, "role/a/b/deep"),
        ("AttachRolePolicy", {"RoleName": "deep", "PolicyArn": "arn:aws:iam::aws:policy/P"}, "role/a/b/deep"),
        ("CreateServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com"},
         "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"),
        ("CreatePolicy", {"PolicyName": "p", "PolicyDocument": "x", "Path": "/y/"}, "policy/y/p"),
        ("DeletePolicy", {"PolicyArn": "arn:aws:iam::123456789012:policy/p"}, "policy/p"),
        ("ListPolicies", {}, "policy/"),
        ("GetInstanceProfile", {"InstanceProfileName": "ip"}, "instance-profile/ip"),
        ("TagRole", {"RoleName": "deep", "Tags": []}, "role/a/b/deep"),
    ],
)  # fmt: skip
async def test_what_an_operation_of_iam_is_about(name: str, body: dict[str, Any], expected: str) -> None:
    """Whoever it names, by its own ARN with its path."""
    house = House()
    await house.may(allow("x:y"))
    await house.role("deep", path="/a/b/")
    assert house.resource(iam, name, body) == f"arn:aws:iam::123456789012:{expected}"


async def test_a_rename_takes_both_names() -> None:
    """The right to change what it is, and what it is to be."""
    house = House()
    body = {"UserName": "bo", "NewUserName": "admin"}
    await house.may(allow("iam:UpdateUser", resource=USER))
    assert house.resource(iam, "UpdateUser", body) == "arn:aws:iam::123456789012:user/admin"
    await house.may(allow("iam:UpdateUser"))
    assert house.ask(iam, "UpdateUser", body) is None


@pytest.mark.parametrize(
    "name, body, condition",
    [
        (
            "AttachRolePolicy",
            {"RoleName": "bounded", "PolicyArn": "arn:aws:iam::aws:policy/P"},
            {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/P"}},
        ),
        (
            "PutRolePolicy",
            {"RoleName": "bounded", "PolicyName": "p", "PolicyDocument": "x"},
            {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/B"}},
        ),
        (
            "CreateRole",
            {"RoleName": "new", "AssumeRolePolicyDocument": "x", "PermissionsBoundary": "arn:aws:iam::aws:policy/B"},
            {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/B"}},
        ),
        (
            "CreateServiceLinkedRole",
            {"AWSServiceName": "ecs.amazonaws.com"},
            {"StringEquals": {"iam:AWSServiceName": "ecs.amazonaws.com"}},
        ),
        ("GetRole", {"RoleName": "bounded"}, {"StringEquals": {"iam:ResourceTag/team": "red"}}),
    ],
)
async def test_what_conditions_can_ask_of_iam(name: str, body: dict[str, Any], condition: dict[str, Any]) -> None:
    """So that somebody may make roles within a boundary, and no others."""
    house = House()
    await house.role("bounded", boundary="arn:aws:iam::aws:policy/B", tags={"team": "red"})
    await house.may(allow(f"iam:{name}", Condition=condition))
    assert house.ask(iam, name, body) is None
    opposite = {operator.replace("Equals", "NotEquals"): keys for operator, keys in condition.items()}
    await house.may(allow(f"iam:{name}", Condition=opposite))
    assert house.ask(iam, name, body) is not None


async def test_a_profile_passes_its_role() -> None:
    """To EC2."""
    house = House()
    await house.role("app")
    body = {"InstanceProfileName": "ip", "RoleName": "app"}
    await house.may(allow("iam:AddRoleToInstanceProfile"))
    assert house.resource(iam, "AddRoleToInstanceProfile", body) == "arn:aws:iam::123456789012:role/app"
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    await house.may(allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", Condition=to_ec2))
    assert house.ask(iam, "AddRoleToInstanceProfile", body) is None
