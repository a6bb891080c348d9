"""Identity as users of a real server meet it: policies that hold, sessions that last, roles of tasks."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from fixtures.server import ServerProcess, leftovers, until

pytestmark = pytest.mark.host
Keys = dict[str, str]
A = "arn:aws:iam::000000000000"


def client(server: ServerProcess, service: str, keys: Keys) -> Any:
    identity = server.state.read_identity()
    return boto3.client(
        service,
        endpoint_url=identity.endpoint,
        region_name=identity.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"max_attempts": 0}),
    )


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **members}


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def user(server: ServerProcess, request: pytest.FixtureRequest) -> Any:
    """Make a user with a policy: its keys."""
    iam = server.client("iam")
    names = iter(f"{request.node.name[:50]}-{i}" for i in range(10))

    def make(*statements: dict[str, Any]) -> Keys:
        name = next(names)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        found: Keys = iam.create_access_key(UserName=name)["AccessKey"]
        return found

    return make


def test_a_user_may_what_its_policy_says(server: ServerProcess, ecs: Any, network: Any, user: Any) -> None:
    """In every protocol; the roles of a task have to be passed at its registration and at its launch."""
    nobody = user(allow("x:y"))
    assert refusal(client(server, "ecs", nobody).list_clusters)[0] == "AccessDeniedException"
    assert refusal(client(server, "logs", nobody).describe_log_groups)[0] == "AccessDeniedException"
    assert refusal(client(server, "ssm", nobody).get_parameter, Name="/a")[0] == "AccessDeniedException"
    assert refusal(client(server, "iam", nobody).list_roles)[0] == "AccessDenied"
    assert refusal(client(server, "ec2", nobody).describe_vpcs)[0] == "UnauthorizedOperation"
    definition = {
        "family": "identity-passing",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "taskRoleArn": f"{A}:role/passed",
        "containerDefinitions": [{"name": "c", "image": "busybox", "command": ["true"]}],
    }
    runner = client(server, "ecs", user(allow("ecs:*")))
    denied = "iam:PassRole on resource: arn:aws:iam::000000000000:role/passed because no identity-based policy"
    assert denied in refusal(runner.register_task_definition, **definition)[1]
    ecs.register_task_definition(**definition)
    launch = {"taskDefinition": "identity-passing", "launchType": "FARGATE", "networkConfiguration": network}
    code, text = refusal(runner.run_task, **launch)
    assert (code, denied in text) == ("AccessDeniedException", True)
    passing = allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}})
    passer = client(server, "ecs", user(allow("ecs:*"), passing))
    assert refusal(passer.run_task, **launch)[0] == "ClientException"  # nobody made the role, and it may not
    made = ecs.run_task(**launch)["tasks"][0]
    assert {"name": "tidegate.made-task-role", "value": "passed"}.items() <= made["attributes"][1].items()
    task = passer.run_task(**launch)["tasks"][0]["taskArn"]
    passer.get_waiter("tasks_stopped").wait(tasks=[task], WaiterConfig={"Delay": 1})
    assert "passed (task-role)" in server.cli("describe", task.rpartition("/")[2]).stdout


def test_a_session_of_a_role(server: ServerProcess, user: Any) -> None:
    """AssumeRole, with the rights of the role and no others; it ends with the role."""
    iam = server.client("iam")
    trust = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}})
    iam.create_role(RoleName="lister", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="lister", PolicyName="p", PolicyDocument=document(allow("ecs:ListClusters")))
    assumer = client(server, "sts", user(allow("sts:AssumeRole")))
    keys = assumer.assume_role(RoleArn=f"{A}:role/lister", RoleSessionName="me")["Credentials"]
    who = client(server, "sts", keys).get_caller_identity()["Arn"]
    assert who == "arn:aws:sts::000000000000:assumed-role/lister/me"
    session = client(server, "ecs", keys)
    session.list_clusters()
    assert refusal(session.list_task_definitions)[0] == "AccessDeniedException"
    for named in (f"{A}:role/lister", "lister"):
        exports = server.cli("env", "--role", named).stdout
        assert "export AWS_SESSION_TOKEN=" in exports
    keys = dict(shlex.split(line)[1].split("=", 1) for line in exports.splitlines())
    words = [sys.executable, "-m", "tidegate", "ps"]
    told = subprocess.run(words, env={**server.environment, **keys}, capture_output=True, text=True, check=False)
    assert "assumed-role/lister/tidegate-" in told.stderr, "the commands are the role, too: it may not list tasks"
    untrusting = json.loads(trust)["Statement"][0] | {"Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    iam.update_assume_role_policy(RoleName="lister", PolicyDocument=document(untrusting))
    told = server.cli("env", "--role", "lister", check=False)
    assert (told.returncode, "trust policy has to name this account" in told.stderr) == (1, True)
    iam.delete_role_policy(RoleName="lister", PolicyName="p")
    iam.delete_role(RoleName="lister")
    assert refusal(session.list_clusters)[0] == "UnrecognizedClientException"


def test_the_program_in_a_task_may_what_its_role_may(server: ServerProcess, ecs: Any, network: Any) -> None:
    """With the credentials that it finds, and no more; the policy can be written when the task runs already."""
    iam, ssm = server.client("iam"), server.client("ssm")
    ssm.put_parameter(Name="/worker/a", Value="1", Type="String")
    log = {"awslogs-group": "/worker", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    script = "wget -qO- http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
    ecs.register_task_definition(
        family="worker",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn=f"{A}:role/worker",
        executionRoleArn=f"{A}:role/worker-execution",
        containerDefinitions=[
            {
                "name": "c",
                "image": "busybox",
                "command": ["sh", "-c", script],
                "logConfiguration": {"logDriver": "awslogs", "options": {**log, "awslogs-create-group": "true"}},
            }
        ],
    )
    launch = {"taskDefinition": "worker", "launchType": "FARGATE", "networkConfiguration": network}
    task = ecs.run_task(**launch)["tasks"][0]["taskArn"].rpartition("/")[2]
    logs = server.client("logs")

    def printed() -> Any:
        streams = logs.describe_log_streams(logGroupName="/worker")["logStreams"]
        if not streams:
            return None
        events = logs.get_log_events(logGroupName="/worker", logStreamName=streams[0]["logStreamName"])["events"]
        return json.loads(events[0]["message"]) if events else None

    ecs.get_waiter("tasks_stopped").wait(tasks=[task], WaiterConfig={"Delay": 1})
    found = until(printed, "the credentials are in the log")
    keys = {**found, "SessionToken": found["Token"]}
    who = client(server, "sts", keys).get_caller_identity()["Arn"]
    assert (found["RoleArn"], who) == (f"{A}:role/worker", f"arn:aws:sts::000000000000:assumed-role/worker/{task}")
    reader = client(server, "ssm", keys)
    assert refusal(reader.get_parameter, Name="/worker/a")[0] == "AccessDeniedException"
    statement = allow("ssm:GetParameter", Resource="arn:aws:ssm:*:*:parameter/worker/*")
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=document(statement))
    assert reader.get_parameter(Name="/worker/a")["Parameter"]["Value"] == "1"
    assert refusal(reader.get_parameter, Name="/other")[0] == "AccessDeniedException"
    assert refusal(client(server, "ecs", keys).list_clusters)[0] == "AccessDeniedException"


def test_an_execution_role_that_may_not_write_logs(server: ServerProcess, ecs: Any, network: Any) -> None:
    """A role of the user's own is held to its policies: the task says what is missing."""
    iam = server.client("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}
    iam.create_role(RoleName="mute", AssumeRolePolicyDocument=document(trust))
    log = {"awslogs-group": "/mute", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    ecs.register_task_definition(
        family="mute",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        executionRoleArn=f"{A}:role/mute",
        containerDefinitions=[
            {"name": "c", "image": "busybox", "logConfiguration": {"logDriver": "awslogs", "options": log}}
        ],
    )
    server.client("logs").create_log_group(logGroupName="/mute")
    launch = {"taskDefinition": "mute", "launchType": "FARGATE", "networkConfiguration": network}
    task = ecs.run_task(**launch)["tasks"][0]["taskArn"]

    def stopped() -> Any:
        found = ecs.describe_tasks(tasks=[task])["tasks"][0]
        return found if found["lastStatus"] == "STOPPED" else None

    reason = until(stopped, "the task has stopped")["stoppedReason"]
    assert reason.startswith("ResourceInitializationError: failed to validate logger args: ")
    assert "is not authorized to perform: logs:CreateLogStream on resource: arn:aws:logs:" in reason


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of its own, with --strict-iam."""
    found = ServerProcess(tmp_path / "state", "--strict-iam").start()
    try:
        yield found
    finally:
        found.teardown()
    assert leftovers(found) == []


def test_a_strict_server_that_is_killed(strict: ServerProcess) -> None:
    """Refuses roles that nobody created; after kill -9 identities are there, and sessions that were out stay good."""
    ecs, iam = strict.client("ecs"), strict.client("iam")
    ecs.register_task_definition(
        family="app",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn=f"{A}:role/nobodys",
        containerDefinitions=[{"name": "c", "image": "busybox"}],
    )
    subnets = [s["SubnetId"] for s in strict.client("ec2").describe_subnets()["Subnets"]]
    network = {"awsvpcConfiguration": {"subnets": subnets}}
    launch = {"taskDefinition": "app", "launchType": "FARGATE", "networkConfiguration": network}
    code, text = refusal(ecs.run_task, **launch)
    assert (code, text.startswith(f"ECS was unable to assume the role '{A}:role/nobodys'")) == ("ClientException", True)
    run = strict.cli("run", "busybox", check=False)
    assert (run.returncode, "name one that is there with --execution-role" in run.stderr) == (1, True)
    run = strict.cli("run", "busybox", "--execution-role", "nobodys", check=False)
    assert (run.returncode, "--execution-role" in run.stderr) == (1, False)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}
    iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=document(trust))
    iam.put_role_policy(RoleName="keeper", PolicyName="p", PolicyDocument=document(allow("iam:GetRole")))
    keys = strict.client("sts").assume_role(RoleArn=f"{A}:role/keeper", RoleSessionName="me")["Credentials"]
    strict.kill()
    strict.start()
    assert client(strict, "iam", keys).get_role(RoleName="keeper")["Role"]["RoleName"] == "keeper"


def test_the_aws_cli(server: ServerProcess) -> None:
    """With what `tidegate env` prints, as a user types it."""
    lines = [line.removeprefix("export ") for line in server.cli("env").stdout.splitlines() if "export" in line]
    environment = {**os.environ, **dict(line.split("=", 1) for line in lines), "AWS_PAGER": ""}

    def aws(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", *arguments, "--output", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    assert aws("sts", "get-caller-identity")["Arn"] == f"{A}:root"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "000000000000"}}
    made = aws("iam", "create-role", "--role-name", "by-cli", "--assume-role-policy-document", document(trust))
    assert made["Role"]["AssumeRolePolicyDocument"]["Statement"] == [trust]
    policy = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    aws("iam", "attach-role-policy", "--role-name", "by-cli", "--policy-arn", policy)
    listed = aws("iam", "list-attached-role-policies", "--role-name", "by-cli")["AttachedPolicies"]
    assert listed == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": policy}]
    assumed = aws("sts", "assume-role", "--role-arn", f"{A}:role/by-cli", "--role-session-name", "me")
    assert assumed["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_files_of_the_host_are_named_by_the_root_alone(server: ServerProcess, user: Any, tmp_path: Path) -> None:
    """Whatever the policies say: an archive that anybody could write anywhere would be a way out of the API."""
    keys = user(allow("*"))
    environment = {
        **server.environment,
        "AWS_ENDPOINT_URL": server.state.read_identity().endpoint,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
    }
    place = tmp_path / "written.tar"
    for words in (["export", "busybox", str(place)], ["import", "/etc/passwd", "--tag", "x:1"]):
        command = [sys.executable, "-m", "tidegate", "image", *words]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (told.returncode, "by the account's root alone" in told.stderr) == (1, True), told.stderr
    assert not place.exists()
    server.cli("image", "export", "busybox", str(place))
    assert place.exists()
