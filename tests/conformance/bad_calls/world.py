"""A small world in which every seed is a valid call: clusters, definitions, tasks, log groups, security groups."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from conformance.bad_calls.identities import make_identities
from fakes.served import ACCOUNT, REGION, Served
from tidegate.model.account import SecurityGroup, Subnet, Vpc
from tidegate.model.status import LastStatus
from tidegate.model.task import Task
from tidegate.store.store import Put

ARN = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/task"
LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}"
TOKEN = {"ClientRequestToken": "5f0d1a6e-61c8-4a8a-8d7e-5a0d2b0f3c11"}
PARAMETER, SECRET = "/app/key", "app/db"


@dataclass(frozen=True, slots=True)
class World:
    """What is there, by the names that calls use."""

    served: Served
    task: str
    """RUNNING, in the cluster `default`, of `app:2`."""
    stopped_task: str
    subnet: str
    vpc: str
    group: str
    """A security group of the default VPC, with one rule of its own."""
    rule: str
    default_group: str
    idle_group: str
    """No task has it."""
    secret_version: str
    """Of the secret SECRET."""
    access_key: str
    """Of the user bo."""

    @property
    def task_arn(self) -> str:
        return f"{ARN}:task/default/{self.task}"

    @property
    def network(self) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": [self.subnet], "securityGroups": [self.group]}}


async def make_world(served: Served) -> World:
    """Through the API, as a user would; what the reconciler writes is written for it."""
    await served.open()
    await _make_definitions(served)
    for name in ("default", "blue", "gone"):
        await call(served, "ecs", "CreateCluster", {"clusterName": name})
    await call(served, "ecs", "DeleteCluster", {"cluster": "gone"})
    await call(
        served, "ecs", "CreateCluster", {"clusterName": "fargate", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}
    )
    await call(served, "ecs", "PutAccountSetting", {"name": "containerInsights", "value": "enabled"})
    await _make_logs(served)
    vpc, subnet = next(iter(served.store.select(Vpc))).id, next(iter(served.store.select(Subnet))).id
    idle, _ = await _make_group(served, vpc, "idle")
    group, rule = await _make_group(served, vpc, "web")
    network = {"awsvpcConfiguration": {"subnets": [subnet], "securityGroups": [group]}}
    tasks = [
        await call(
            served,
            "ecs",
            "RunTask",
            {
                "taskDefinition": "app:2",
                "launchType": "FARGATE",
                "networkConfiguration": network,
                "clientToken": token,
                "enableExecuteCommand": True,
            },
        )
        for token in ("first", "second")
    ]
    running, stopped = (answer["tasks"][0]["taskArn"].rpartition("/")[2] for answer in tasks)
    await _set_status(served, running, LastStatus.RUNNING)
    await _set_status(served, stopped, LastStatus.STOPPED)
    default = next(g.id for g in served.store.select(SecurityGroup) if g.name == "default")
    version = await _make_secrets(served)
    key = await make_identities(served)
    return World(served, running, stopped, subnet, vpc, group, rule, default, idle, version, key)


async def call(served: Served, service: str, operation: str, parameters: dict[str, Any]) -> Any:
    """A call that must succeed, of a service that speaks JSON: its answer."""
    reply = await served.send(service, operation, json.dumps(parameters).encode())
    assert reply.status == 200, (operation, reply)
    return reply.body


async def _make_definitions(served: Served) -> None:
    container = {"name": "web", "image": "busybox:1", "portMappings": [{"containerPort": 80}]}
    side = {"name": "side", "image": "busybox:1", "essential": False}
    fargate = {
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": ROLE,
        "taskRoleArn": ROLE,
        "containerDefinitions": [container, side],
    }
    for family, members in {
        "app": fargate,
        "old": fargate,
        "roleless": {name: value for name, value in fargate.items() if name != "taskRoleArn"},
        "bridge": {"containerDefinitions": [{**container, "memory": 64}]},
    }.items():
        for _ in range(2):
            await call(served, "ecs", "RegisterTaskDefinition", {"family": family, **members})
    for definition in ("old:1", "old:2", "app:1"):
        await call(served, "ecs", "DeregisterTaskDefinition", {"taskDefinition": definition})


async def _make_logs(served: Served) -> None:
    for name in ("/app/web", "/app/kept"):
        await call(served, "logs", "CreateLogGroup", {"logGroupName": name, "tags": {"a": "b"}})
    for stream in ("one", "two"):
        await call(served, "logs", "CreateLogStream", {"logGroupName": "/app/web", "logStreamName": stream})
    now_ms = int(served.time * 1000)
    events = [{"timestamp": now_ms + n, "message": f"line {n}"} for n in range(5)]
    group = {"logGroupName": "/app/web", "logStreamName": "one"}
    await call(served, "logs", "PutLogEvents", {**group, "logEvents": events})


async def _make_secrets(served: Served) -> str:
    for value in ("one", "two"):
        await call(
            served, "ssm", "PutParameter", {"Name": PARAMETER, "Value": value, "Type": "String", "Overwrite": True}
        )
    first = {"Name": PARAMETER, "ParameterVersion": 1, "Labels": ["first"]}
    await call(served, "ssm", "LabelParameterVersion", first)
    for name in (SECRET, "gone/db"):
        made = await call(served, "secretsmanager", "CreateSecret", {"Name": name, "SecretString": "s"} | TOKEN)
    await call(served, "secretsmanager", "DeleteSecret", {"SecretId": "gone/db"})
    return str(made["VersionId"])


async def _make_group(served: Served, vpc: str, name: str) -> tuple[str, str]:
    form = f"Action=CreateSecurityGroup&Version=2016-11-15&GroupName={name}&GroupDescription=w&VpcId={vpc}"
    assert (await served.send("ec2", "CreateSecurityGroup", form.encode())).status == 200
    group = next(g for g in served.store.select(SecurityGroup) if g.name == name)
    form = (
        f"Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId={group.id}&IpPermissions.1.IpProtocol=tcp&"
        "IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=80&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8"
    )
    assert (await served.send("ec2", "AuthorizeSecurityGroupIngress", form.encode())).status == 200
    changed = served.store.get(SecurityGroup, group.id)
    assert changed is not None
    rule = next(detail.id for text, detail in changed.rule_details.items() if "80" in text)
    return group.id, rule


async def _set_status(served: Served, task_id: str, status: LastStatus) -> None:
    task = served.store.get(Task, task_id)
    assert task is not None
    is_stopped = status is LastStatus.STOPPED
    state: Literal["RUNNING", "STOPPED"] = "STOPPED" if is_stopped else "RUNNING"
    changed = msgspec.structs.replace(
        task.status,
        containers=tuple(msgspec.structs.replace(c, state=state) for c in task.status.containers),
        last_status=status,
        desired_status="STOPPED" if is_stopped else "RUNNING",
        stopped_at=served.time if is_stopped else None,
    )
    await served.store.commit(Put(msgspec.structs.replace(task, status=changed)))
