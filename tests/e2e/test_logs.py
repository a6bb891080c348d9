"""What containers write, read by boto3 and the aws CLI as they are."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.server import ServerProcess, until

pytestmark = pytest.mark.host
GROUP = "/e2e/logs"


def shell(script: str, **options: str) -> dict[str, Any]:
    """A container that writes to the group, with options of awslogs."""
    awslogs = {"awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t"}
    log = {"logDriver": "awslogs", "options": {**awslogs, "awslogs-create-group": "true", **options}}
    return {"command": ["sh", "-c", script], "logConfiguration": log, "stopTimeout": 2}


def stream_of(task: dict[str, Any]) -> str:
    return f"t/c0/{task['taskArn'].rpartition('/')[2]}"


def finish(ecs: Any, task: dict[str, Any]) -> None:
    until(lambda: ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"][0]["lastStatus"] == "STOPPED", "it has ended")


@pytest.mark.parametrize(
    "options", [{"awslogs-datetime-format": r"\[%Y-%m-%d"}, {"awslogs-multiline-pattern": r"^\[\d{4}-"}]
)
def test_events_of_several_lines(server: ServerProcess, ecs: Any, run: Any, options: dict[str, str]):
    """A stack trace is one event, by a format of times or by a pattern; what is behind it is another."""
    script = r"""printf '[2026-01-01] one\n[2026-01-01] boom\n  at a\n  at b\n'; sleep 0.3; echo '[2026-01-02] two'"""
    task = run(shell(script, **options))
    finish(ecs, task)
    events = server.client("logs").get_log_events(logGroupName=GROUP, logStreamName=stream_of(task), startFromHead=True)
    assert [event["message"] for event in events["events"]] == [
        "[2026-01-01] one\n",
        "[2026-01-01] boom\n  at a\n  at b\n",
        "[2026-01-02] two\n",
    ]


def test_both_options_for_events_of_several_lines_are_refused(ecs: Any):
    """With AWS's text."""
    both = {"awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "x"}
    with pytest.raises(ClientError, match="can't have both options"):
        ecs.register_task_definition(
            family="both",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
            executionRoleArn="arn:aws:iam::000000000000:role/execution",
            containerDefinitions=[{"name": "c0", "image": "busybox", **shell("true", **both)}],
        )


def test_searches(server: ServerProcess, ecs: Any, run: Any):
    """Every form of a filter pattern, through boto3; a page goes on where the one before it ended."""
    lines = [
        json.dumps({"level": "error", "n": 7, "who": {"ip": "10.0.0.1"}}),
        json.dumps({"level": "info", "n": 1}),
        '10.0.0.9 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534',
        "plain ERROR: disk full",
    ]
    task = run(shell("\n".join(f"echo '{line}'" for line in lines)))
    finish(ecs, task)
    logs = server.client("logs")

    def found(pattern: str) -> list[int]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=GROUP,
            logStreamNames=[stream_of(task)],
            filterPattern=pattern,
            PaginationConfig={"PageSize": 1},
        )
        return [lines.index(event["message"]) for page in pages for event in page["events"]]

    assert found('{ $.level = "err*" && ($.n > 3 || $.who.ip NOT EXISTS) }') == [0]
    assert found("{ $.n >= 1e0 }") == [0, 1]
    assert found("[..., status=4*, bytes>1000]") == [2]
    assert found("%[Ee][Rr]{2}%") == [0, 3]
    assert found("ERROR -timeout") == [3]
    assert found("?frank ?disk") == [2, 3]
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        found("{ $.n = }")
    (match,) = logs.test_metric_filter(filterPattern="[..., status=4*, bytes]", logEventMessages=lines)["matches"]
    assert (match["eventNumber"], match["extractedValues"]["$bytes"]) == (3, "1534")


def test_a_container_in_blocking_mode(server: ServerProcess, ecs: Any, run: Any):
    """The mode that an account starts tasks with, and the one that a container names: all lines arrive."""
    ecs.put_account_setting(name="defaultLogDriverMode", value="blocking")
    try:
        task = run(shell("seq 1 20000", **{"max-buffer-size": "4k"}))
    finally:
        ecs.put_account_setting(name="defaultLogDriverMode", value="non-blocking")
    finish(ecs, task)
    pages = (
        server.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=GROUP, logStreamNames=[stream_of(task)])
    )
    numbers = [int(event["message"]) for page in pages for event in page["events"]]
    assert numbers == list(range(1, 20001))


def test_live_tail(server: ServerProcess, ecs: Any, run: Any):
    """boto3 iterates over what containers write, as it is written; the session ends with its client."""
    logs = server.client("logs")
    arn = _group_arn(logs)
    answer = logs.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="tick")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    stream = answer["responseStream"]
    events = iter(stream)
    assert next(events)["sessionStart"]["logGroupIdentifiers"] == [arn]
    task = run(shell("i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo tick $i; echo tock $i; sleep 0.1; done"))
    seen: list[str] = []
    while len(seen) < 10:
        update = next(events)["sessionUpdate"]
        assert update["sessionMetadata"] == {"sampled": False}
        seen += [event["message"] for event in update["sessionResults"]]
        assert all(event["logStreamName"] == stream_of(task) for event in update["sessionResults"])
    assert seen == [f"tick {number}" for number in range(1, len(seen) + 1)]
    stream.close()
    ecs.stop_task(task=task["taskArn"])


def test_live_tail_by_the_aws_cli(server: ServerProcess, ecs: Any, run: Any):
    """`aws logs start-live-tail` and `aws logs tail` work with what `tidegate env` prints."""
    arn = _group_arn(server.client("logs"))
    environment = dict(os.environ) | exports(server)
    aws = [sys.executable, "-m", "awscli", "logs"]
    command = [*aws, "start-live-tail", "--log-group-identifiers", arn, "--log-event-filter-pattern", "cli"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as tail:
        try:
            task = run(shell("while true; do echo from the cli; sleep 0.2; done"))
            assert tail.stdout is not None
            assert tail.stdout.readline() == "from the cli\n"
        finally:
            tail.kill()
    ecs.stop_task(task=task["taskArn"])
    listed = subprocess.run(
        [*aws, "filter-log-events", "--log-group-name", GROUP, "--filter-pattern", "cli", "--max-items", "1"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(listed.stdout)["events"][0]["message"] == "from the cli"


def exports(server: ServerProcess) -> dict[str, str]:
    """What `tidegate env` prints."""
    lines = server.cli("env").stdout.splitlines()
    pairs = [line.removeprefix("export ").partition("=") for line in lines if line.startswith("export ")]
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}


def _group_arn(logs: Any) -> str:
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=GROUP)
    (group,) = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    arn: str = group["logGroupArn"]
    return arn
