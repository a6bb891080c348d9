"""Tasks that call the server's API as their roles, where the server lets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.python_image import INTERPRETER, python_environment, python_tar
from fixtures.server import ServerProcess, leftovers
from fixtures.workload import AWSLOGS, Workload

pytestmark = pytest.mark.host

ROLE = "arn:aws:iam::000000000000:role/caller"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
MAY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["ecs:List*"], "Resource": "*"}}
CALLS = """
import boto3, json, urllib.request, urllib.error
def told(call):
    try:
        return call()
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code") or repr(error)
ecs = boto3.client("ecs")
def unsigned():
    try:
        urllib.request.urlopen(urllib.request.Request("http://169.254.170.2:4566/", b"{}", {"x-amz-target":
            "AmazonEC2ContainerServiceV20141113.ListClusters", "content-type": "application/x-amz-json-1.1"}))
    except urllib.error.HTTPError as error:
        return json.load(error)["__type"]
print(json.dumps([
    told(lambda: boto3.client("sts").get_caller_identity()["Arn"]),
    told(lambda: ecs.list_clusters()["clusterArns"]),
    told(lambda: ecs.create_cluster(clusterName="mine")),
    told(lambda: boto3.client("ssm").get_parameter(Name="/secret")),
    told(unsigned),
]))
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workload]:
    """A server that lets its tasks call, with an image that has boto3."""
    directory: Path = tmp_path_factory.mktemp("calling")
    tar = python_tar(directory / "python.tar", ["boto3"], ["sts", "ecs", "ssm"])
    server = ServerProcess(directory / "state", "--tasks-may-call-api").start()
    try:
        server.cli("image", "import", str(tar), "--tag", "python")
        Path(tar).unlink()
        iam = server.client("iam")
        iam.create_role(RoleName="caller", AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.put_role_policy(RoleName="caller", PolicyName="some", PolicyDocument=json.dumps(MAY))
        yield Workload(server)
    finally:
        server.teardown()
    assert leftovers(server) == []


def run(work: Workload, **members: Any) -> list[Any]:
    """What the script prints."""
    container = {
        "image": "python",
        "command": [INTERPRETER, "-c", CALLS],
        "environment": python_environment(),
        "logConfiguration": AWSLOGS,
    }
    (task,) = work.run(work.register(container, **members))
    ended = work.wait_one(task, "STOPPED")
    lines = work.output(task)
    assert ended["containers"][0].get("exitCode") == 0, (ended.get("stoppedReason"), lines)
    found: list[Any] = json.loads(lines[-1])
    return found


def test_a_task_calls_as_its_role(work: Workload) -> None:
    """boto3 finds the API and the credentials by itself; the role's policies bind; without a signature it is nobody."""
    work.ecs.create_cluster(clusterName="default")
    identity, clusters, created, parameter, unsigned = run(work, taskRoleArn=ROLE)
    assert identity.startswith("arn:aws:sts::000000000000:assumed-role/caller/")
    assert [arn.rpartition("/")[2] for arn in clusters] == ["default"]
    assert (created, parameter) == ("AccessDeniedException", "AccessDeniedException")
    assert unsigned == "MissingAuthenticationTokenException"


def test_a_task_without_a_role_may_nothing(work: Workload) -> None:
    """There are no credentials for it to sign with."""
    answers = run(work)
    assert all("NoCredentials" in answer for answer in answers[:4])
    assert answers[4] == "MissingAuthenticationTokenException"
