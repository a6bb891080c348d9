"""Security groups, interfaces and subnets, through the API to real packets."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host

WEB = "trap 'exit 0' TERM; mkdir /www; echo hello >/www/index.html; httpd -f -p 80 -h /www & wait"

CALL = (
    "for i in 1 2 3 4; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {} 80 | grep -q hello && exit 0; "
    "sleep 0.2; done; exit 9"
)
"""Some tries, as a web server is up a little later than its task."""


def shell(script: str) -> dict[str, Any]:
    return {"command": ["sh", "-c", script]}


def with_groups(network: dict[str, Any], *groups: str) -> dict[str, Any]:
    return {"awsvpcConfiguration": {**network["awsvpcConfiguration"], "securityGroups": list(groups)}}


def running(ecs: Any, task: dict[str, Any]) -> str:
    """Wait until it runs; its address."""

    def look() -> str | None:
        (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
        assert now["lastStatus"] != "STOPPED", now.get("stoppedReason")
        if now["lastStatus"] != "RUNNING":
            return None
        return now["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]

    address: str = until(look, "the task runs")
    return address


def exit_code(ecs: Any, task: dict[str, Any]) -> int:
    def look() -> list[int] | None:
        (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
        return [now["containers"][0]["exitCode"]] if now["lastStatus"] == "STOPPED" else None

    (code,) = until(look, "the task has ended")
    return int(code)


@pytest.fixture
def group(server: ServerProcess) -> Any:
    """A security group that lets nobody in."""
    ec2 = server.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    name = ec2.create_security_group(GroupName="closed", Description="lets nobody in", VpcId=vpc)["GroupId"]
    yield name
    until(lambda: _deleted(ec2, name), "no task uses the group")


def _deleted(ec2: Any, group: str) -> bool:
    try:
        ec2.delete_security_group(GroupId=group)
    except ec2.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "DependencyViolation":
            raise
        return False
    return True


def test_a_group_binds_at_once(ecs: Any, run: Any, network: dict[str, Any], server: ServerProcess, group: str):
    """A task in a closed group can't be reached; a rule that is added lets its peer in, without a restart."""
    ec2 = server.client("ec2")
    web = run(shell(WEB), networkConfiguration=with_groups(network, group))
    address = running(ecs, web)
    call = shell(CALL.format(address))

    assert exit_code(ecs, run(call)) == 9
    vpc = ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": vpc}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert exit_code(ecs, run(call)) == 0
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert exit_code(ecs, run(call)) == 9
    ecs.stop_task(task=web["taskArn"])
    assert exit_code(ecs, web) == 0


def test_the_default_group_lets_its_members_in(ecs: Any, run: Any):
    """As on AWS: tasks without a group of their own are in the default one, whose members reach each other."""
    web = run(shell(WEB))
    address = running(ecs, web)

    assert exit_code(ecs, run(shell(CALL.format(address)))) == 0
    ecs.stop_task(task=web["taskArn"])
    assert exit_code(ecs, web) == 0


def test_the_server_is_out_of_reach(ecs: Any, run: Any, server: ServerProcess):
    """A task can't reach the control plane: not at its gateway, where the host listens, nor anywhere else."""
    port = server.state.read_identity().endpoint.rpartition(":")[2]
    script = f"gw=$(ip route | grep default | cut -d' ' -f3); nc -w 2 $gw {port} </dev/null && exit 9; exit 0"

    assert exit_code(ecs, run(shell(script))) == 0


def test_interfaces_are_described(ecs: Any, run: Any, server: ServerProcess):
    """EC2 describes a task's interface as ECS names it, and only as long as the task is there."""
    ec2 = server.client("ec2")
    task = run(shell("trap 'exit 0' TERM; sleep 600 & wait"))
    address = running(ecs, task)
    (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
    details = {d["name"]: d["value"] for d in now["attachments"][0]["details"]}
    (interface,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]

    assert (interface["PrivateIpAddress"], interface["MacAddress"]) == (address, details["macAddress"])
    assert interface["SubnetId"] == details["subnetId"]
    ecs.stop_task(task=task["taskArn"])
    exit_code(ecs, task)
    assert address not in {i["PrivateIpAddress"] for i in ec2.describe_network_interfaces()["NetworkInterfaces"]}


def test_missing_log_group(ecs: Any, run: Any):
    """A log group that does not exist and may not be created fails the task before it starts."""
    options = {"awslogs-group": "/nowhere", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}
    task = run({**shell("true"), "logConfiguration": {"logDriver": "awslogs", "options": options}})

    def look() -> Any:
        (now,) = ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
        return now if now["lastStatus"] == "STOPPED" else None

    last = until(look, "the task has ended")
    assert last["stopCode"] == "TaskFailedToStart"
    assert last["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args: ")
