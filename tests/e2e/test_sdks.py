"""Clients of others in a container, unchanged: boto3 finds its role's credentials, OpenTelemetry its resource."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from fixtures.python_image import INTERPRETER, python_environment, python_tar
from fixtures.server import ServerProcess
from fixtures.workload import AWSLOGS, Workload

pytestmark = pytest.mark.host

ROLE = "arn:aws:iam::000000000000:role/sdk-task"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)
FETCH = """
import boto3, json
found = boto3.Session().get_credentials()
keys = found.get_frozen_credentials()
print(json.dumps({"method": found.method, "keys": list(keys)[:3]}))
"""
DETECT = """
import json
from opentelemetry.sdk.extension.aws.resource.ecs import AwsEcsResourceDetector
print(json.dumps(dict(AwsEcsResourceDetector(raise_on_error=True).detect().attributes)))
"""
PROTECT = """
import json, os, urllib.error, urllib.request
url = os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state"
for method, body in (("GET", None), ("PUT", b'{"ProtectionEnabled":true,"ExpiresInMinutes":5}')):
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, body, method=method))
    except urllib.error.HTTPError as error:
        answer = error
    print(json.dumps([answer.status, json.load(answer)]))
"""


@pytest.fixture(scope="module")
def work(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Workload:
    """With an image that has Python, boto3 and OpenTelemetry, and a role that may ask for its task's protection."""
    tar = python_tar(
        tmp_path_factory.mktemp("python") / "python.tar", ["boto3", "opentelemetry-sdk-extension-aws"], ["sts"]
    )
    server.cli("image", "import", str(tar), "--tag", "python")
    Path(tar).unlink()
    iam = server.client("iam")
    iam.create_role(RoleName="sdk-task", AssumeRolePolicyDocument=TRUST)
    statement = {"Effect": "Allow", "Action": ["ecs:GetTaskProtection", "ecs:ListClusters"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_role_policy(RoleName="sdk-task", PolicyName="some", PolicyDocument=policy)
    return Workload(server)


def run_python(work: Workload, script: str) -> tuple[dict[str, Any], list[Any]]:
    """The task that ran a script, and what it printed."""
    container = {
        "image": "python",
        "command": [INTERPRETER, "-c", script],
        "environment": python_environment(),
        "logConfiguration": AWSLOGS,
    }
    (task,) = work.run(work.register(container, taskRoleArn=ROLE))
    ended = work.wait_one(task, "STOPPED")
    lines = work.output(task)
    assert ended["containers"][0].get("exitCode") == 0, (ended.get("stoppedReason"), lines)
    return ended, [json.loads(line) for line in lines]


def test_boto3_finds_the_roles_credentials(work: Workload) -> None:
    """By its container provider: they are the role's in the name of the task, and may what its policies allow."""
    task, (told,) = run_python(work, FETCH)
    assert told["method"] == "container-role"
    identity = work.server.state.read_identity()
    key, secret, token = told["keys"]
    session = boto3.Session(key, secret, token, region_name=identity.region)
    caller = session.client("sts", endpoint_url=identity.endpoint).get_caller_identity()
    name = task["taskArn"].rpartition("/")[2]
    assert caller["Arn"] == f"arn:aws:sts::000000000000:assumed-role/sdk-task/{name}"
    ecs = session.client("ecs", endpoint_url=identity.endpoint)
    assert ecs.list_clusters()["clusterArns"]
    with pytest.raises(ecs.exceptions.AccessDeniedException, match="is not authorized to perform: ecs:ListTasks"):
        ecs.list_tasks()


def test_opentelemetry_detects_the_task(work: Workload) -> None:
    """Every attribute that its detector of ECS tells, true."""
    task, (told,) = run_python(work, DETECT)
    (container,) = task["containers"]
    name = task["taskArn"].rpartition("/")[2]
    assert told["cloud.provider"] == "aws"
    assert told["cloud.platform"] == "aws_ecs"
    assert told["aws.ecs.task.arn"] == task["taskArn"]
    assert told["aws.ecs.cluster.arn"] == task["clusterArn"]
    assert told["aws.ecs.container.arn"] == container["containerArn"]
    assert told["aws.ecs.launchtype"] == "fargate"
    assert f"{told['aws.ecs.task.family']}:{told['aws.ecs.task.revision']}" in task["taskDefinitionArn"]
    assert list(told["aws.log.group.names"]) == ["/tests"]
    assert list(told["aws.log.stream.names"]) == [f"t/c0/{name}"]


def test_protection_takes_the_roles_permission(work: Workload) -> None:
    """What the role may, ECS answers (of a task without a service: a failure); what it may not is denied."""
    task, (asked, changed) = run_python(work, PROTECT)
    failure = {"Arn": task["taskArn"], "Detail": None, "Reason": "TASK_NOT_VALID"}
    assert asked == [200, {"failure": failure}]
    status, answer = changed
    assert (status, answer["error"]["Code"], answer["error"]["Arn"]) == (400, "AccessDeniedException", task["taskArn"])
    name = task["taskArn"].rpartition("/")[2]
    assert answer["error"]["Message"] == (
        f"User: arn:aws:sts::000000000000:assumed-role/sdk-task/{name} is not authorized to perform: "
        f"ecs:UpdateTaskProtection on resource: {task['taskArn']} because no identity-based policy allows the "
        "ecs:UpdateTaskProtection action"
    )
    assert answer["requestID"]
