"""ECS Exec as AWS has it: ExecuteCommand by boto3 and the aws CLI, and a double of AWS's plugin on the data channel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from fakes import plugin as plugin_module
from fakes.plugin import Plugin
from fixtures.server import ServerProcess, until
from tidegate.kernel.process import list_pids, read_cmdline

pytestmark = pytest.mark.host

REST = "trap 'exit 0' TERM; sleep 600 & wait"
ROLE = "arn:aws:iam::000000000000:role/shop"
LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/exec",
        "awslogs-region": "us-east-1",
        "awslogs-stream-prefix": "t",
        "awslogs-create-group": "true",
    },
}


@pytest.fixture(scope="module")
def task(server: ServerProcess, ecs: Any, network: dict[str, Any]) -> Iterator[str]:
    """A task that may be entered, of one container with a log."""
    definition = ecs.register_task_definition(
        family="exec",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn=ROLE,
        executionRoleArn=ROLE,
        containerDefinitions=[
            {"name": "app", "image": "busybox", "command": ["sh", "-c", REST], "user": "app", "logConfiguration": LOGS}
        ],
    )["taskDefinition"]["taskDefinitionArn"]
    arn = _run(ecs, network, definition, enableExecuteCommand=True)
    yield arn
    ecs.stop_task(task=arn)


def _run(ecs: Any, network: dict[str, Any], definition: str, **options: Any) -> str:
    (task,) = ecs.run_task(taskDefinition=definition, launchType="FARGATE", networkConfiguration=network, **options)[
        "tasks"
    ]
    ecs.get_waiter("tasks_running").wait(tasks=[task["taskArn"]], WaiterConfig={"Delay": 1})
    arn: str = task["taskArn"]
    return arn


def session(ecs: Any, task: str, command: str = "/bin/sh", **options: Any) -> dict[str, str]:
    answer = ecs.execute_command(task=task, command=command, interactive=True, **options)
    found: dict[str, str] = answer["session"]
    return found


def test_what_it_answers(ecs: Any, task: str):
    """The task, its container and a session are named as AWS names them; DescribeTasks shows the agent."""
    answer = ecs.execute_command(task=task, command="sh", interactive=True)
    assert answer["taskArn"] == task
    assert answer["containerName"] == "app"
    assert answer["interactive"] is True
    assert answer["session"]["sessionId"].startswith("ecs-execute-command-")
    assert len(answer["session"]["sessionId"]) == len("ecs-execute-command-") + 17
    assert "/v1/data-channel/" in answer["session"]["streamUrl"]
    assert answer["session"]["streamUrl"].endswith("?role=publish_subscribe")
    (described,) = ecs.describe_tasks(tasks=[task])["tasks"]
    assert described["enableExecuteCommand"] is True
    (agent,) = described["containers"][0]["managedAgents"]
    assert (agent["name"], agent["lastStatus"]) == ("ExecuteCommandAgent", "RUNNING")
    assert agent["lastStartedAt"]


def test_a_session_with_the_plugin(ecs: Any, task: str):
    """A shell as root, whatever the container's user; its size; Ctrl-C; its end; every key acknowledged."""
    plugin = Plugin(session(ecs, task))
    plugin.open()
    assert plugin.session_type == "InteractiveCommands"
    plugin.resize(132, 43)
    plugin.see(b"# ")
    plugin.type("id -u; stty size\r")
    plugin.see(b"0\r\n43 132\r\n")
    plugin.type("sleep 5711\r")
    until(lambda: _running("5711"), "the command runs")
    plugin.type("\x03")
    plugin.see(b"# ")
    plugin.type("exit\r")
    assert list(plugin.output())[-1:] != [b"EXIT_CODE: 130"]
    assert plugin.closed_with == ""
    assert plugin.acknowledged == list(range(len(plugin.acknowledged)))
    assert plugin.largest_payload <= 1024
    plugin.close()


def _running(word: str) -> bool:
    return any(read_cmdline(pid) == ("sleep", word) for pid in list_pids())


def test_a_flood_arrives_whole(ecs: Any, task: str):
    """Two megabytes in messages of a kilobyte arrive in order and once."""
    plugin = Plugin(session(ecs, task, "sh -c 'stty -opost; seq 300000'"))
    plugin.open()
    got = b"".join(plugin.output())
    assert got == b"".join(b"%d\n" % n for n in range(1, 300001))
    plugin.close()


def test_the_client_may_end_it(ecs: Any, task: str):
    """The flag TerminateSession ends the command; so does a connection that is gone."""
    for end in (Plugin.terminate, Plugin.close):
        plugin = Plugin(session(ecs, task, "sleep 5712"))
        plugin.open()
        until(lambda: _running("5712"), "the command runs")
        end(plugin)
        until(lambda: not _running("5712"), "it has ended", 15)
        plugin.close()


def test_a_command_that_is_not_there(ecs: Any, task: str):
    """The reason is shown when the channel is closed."""
    plugin = Plugin(session(ecs, task, "/bin/bash -l"))
    plugin.open()
    assert list(plugin.output()) == []
    assert plugin.closed_with == "/bin/bash: not found in the container"
    plugin.close()


def test_the_door(ecs: Any, task: str):
    """Without a session there is no upgrade; a wrong token gets nothing and spoils it; a right one works once."""
    found = session(ecs, task)
    for url in (found["streamUrl"].replace("ecs-execute-command-", "ecs-execute-command-x"), found["streamUrl"][:-60]):
        with pytest.raises(InvalidStatus, match="403"), connect(url, proxy=None):
            pass
    with connect(found["streamUrl"], proxy=None) as socket:
        socket.send(json.dumps({"TokenValue": "wrong"}))
        with pytest.raises(Exception, match="the token is not that of a session"):
            socket.recv(timeout=10)
    with pytest.raises(InvalidStatus, match="403"), connect(found["streamUrl"], proxy=None):
        pass
    found = session(ecs, task, "true")
    plugin = Plugin(found)
    plugin.open()
    list(plugin.output())
    plugin.close()
    with pytest.raises(InvalidStatus, match="403"):
        Plugin(found)


def test_hostile_frames(ecs: Any, task: str, server: ServerProcess):
    """Bytes that are no message end the session and nothing else."""
    for frame in (b"", b"\0" * 200, b"\xff" * 5000, b"x" * 500_000):
        plugin = Plugin(session(ecs, task))
        plugin.open()
        plugin.send_raw(frame)
        plugin.wait_closed()
        plugin.close()
    assert "Traceback" not in server.log.read_text()


def test_what_is_shown_is_logged(ecs: Any, task: str, server: ServerProcess):
    """By default in the container's own log group, in a stream of the session's name."""
    found = session(ecs, task, "echo to be kept")
    plugin = Plugin(found)
    plugin.open()
    list(plugin.output())
    plugin.close()
    events = server.client("logs").get_log_events(logGroupName="/exec", logStreamName=found["sessionId"])["events"]
    assert [event["message"] for event in events] == ["to be kept"]


def test_the_aws_cli(task: str, server: ServerProcess, tmp_path: Path):
    """`aws ecs execute-command` works as it is, with the plugin's double in the plugin's place."""
    program = tmp_path / "session-manager-plugin"
    tests = Path(plugin_module.__file__).parent.parent
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{tests}" exec "{sys.executable}" -m fakes.plugin "$@"\n')
    program.chmod(0o755)
    identity = server.state.read_identity()
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": identity.endpoint,
        "AWS_ACCESS_KEY_ID": identity.access_key,
        "AWS_SECRET_ACCESS_KEY": identity.secret_key,
        "AWS_DEFAULT_REGION": identity.region,
    }
    arguments = ["ecs", "execute-command", "--task", task, "--interactive", "--command", "/bin/sh"]
    done = subprocess.run(
        [sys.executable, "-m", "awscli", *arguments],
        input="echo in $(id -un); stty size; exit\n",
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "in root" in done.stdout
    assert "40 100" in done.stdout
    assert "Exiting session with sessionId: ecs-execute-command-" in done.stdout


def refused(ecs: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        ecs.execute_command(**{"command": "sh", "interactive": True, **arguments})
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_refusals(ecs: Any, task: str, run: Any):
    """What can't be had is refused with AWS's error, before a session is opened."""
    code = "InvalidParameterException"
    assert refused(ecs, task=task, cluster="nothing")[0] == "ClusterNotFoundException"
    assert refused(ecs, task="0" * 32) == (code, "The referenced task was not found.")
    assert refused(ecs, task=task, interactive=False)[0] == code
    assert refused(ecs, task=task, command="sh 'x")[0] == code
    assert refused(ecs, task=task, command=" ")[0] == code
    assert refused(ecs, task=task, container="other")[0] == code
    closed = run({"command": ["sh", "-c", REST]})["taskArn"]
    ecs.get_waiter("tasks_running").wait(tasks=[closed], WaiterConfig={"Delay": 1})
    said = refused(ecs, task=closed)
    assert said[0] == code
    assert said[1].startswith(
        "The execute command failed because execute command was not enabled when the task was run"
    )
    ecs.stop_task(task=closed)
    with pytest.raises(ClientError, match="a valid taskRoleArn is not being used"):
        run({"command": ["sh", "-c", REST]}, enableExecuteCommand=True)


def test_the_role_decides(ecs: Any, network: dict[str, Any], server: ServerProcess):
    """A task role of the user's that may not open channels has no agent; as soon as it may, it has."""
    iam = server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="closed", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    definition = ecs.register_task_definition(
        family="closed",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn=role,
        containerDefinitions=[{"name": "app", "image": "busybox", "command": ["sh", "-c", REST]}],
    )["taskDefinition"]["taskDefinitionArn"]
    task = _run(ecs, network, definition, enableExecuteCommand=True)
    assert refused(ecs, task=task)[0] == "InvalidParameterException"
    allowed = {"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="closed", PolicyName="exec", PolicyDocument=policy)
    assert session(ecs, task)["sessionId"]
    ecs.stop_task(task=task)


def test_the_clusters_configuration(ecs: Any, network: dict[str, Any], server: ServerProcess, task: str):
    """Logging of a cluster's own binds: another group, none at all, and what can't be kept is refused clearly."""
    logs = server.client("logs")
    logs.create_log_group(logGroupName="/audit")
    definition = ecs.describe_tasks(tasks=[task])["tasks"][0]["taskDefinitionArn"]

    def configure(**members: Any) -> str:
        name = f"audited-{time.monotonic_ns()}"
        ecs.create_cluster(clusterName=name, configuration={"executeCommandConfiguration": members})
        (made,) = ecs.run_task(
            cluster=name,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=network,
            enableExecuteCommand=True,
        )["tasks"]
        ecs.get_waiter("tasks_running").wait(cluster=name, tasks=[made["taskArn"]], WaiterConfig={"Delay": 1})
        return str(made["taskArn"])

    def streams(group: str) -> list[str]:
        return [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]]

    def ran(arn: str) -> tuple[str, str | None]:
        found = session(ecs, arn, "echo hello", cluster=arn.split("/")[1])
        plugin = Plugin(found)
        plugin.open()
        list(plugin.output())
        plugin.close()
        return found["sessionId"], plugin.closed_with

    audited = configure(logging="OVERRIDE", logConfiguration={"cloudWatchLogGroupName": "/audit"})
    name, _ = ran(audited)
    assert streams("/audit") == [name]
    silent = configure(logging="NONE")
    name, _ = ran(silent)
    assert name not in streams("/audit") + streams("/exec")
    missing = configure(logging="OVERRIDE", logConfiguration={"cloudWatchLogGroupName": "/nobody/made"})
    assert ran(missing)[1] == "the session can't be logged: there is no log group /nobody/made"
    bucket = configure(logging="OVERRIDE", logConfiguration={"s3BucketName": "sessions"})
    said = refused(ecs, task=bucket, cluster=bucket.split("/")[1])
    assert "there is no S3 here to write to" in said[1]
    for arn in (audited, silent, missing, bucket):
        ecs.stop_task(cluster=arn.split("/")[1], task=arn)
