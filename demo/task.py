"""The demo's task, through boto3 as any AWS user would do it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from devkit.steps import StepFailed, Terminal
from server import Access

PUBLISH_TAG = "tidegate:publish"
FAMILY = "demo"
_DEADLINE_SECONDS = 180.0
_POLL_SECONDS = 0.2

Task = dict[str, Any]


class Stack:
    """What the demo asks of the server."""

    def __init__(self, access: Access) -> None:
        def client(service: str) -> Any:
            return boto3.client(
                service,
                endpoint_url=access.endpoint,
                region_name=access.region,
                aws_access_key_id=access.access_key,
                aws_secret_access_key=access.secret_key,
                config=Config(retries={"max_attempts": 2}, ignore_configured_endpoint_urls=True),
            )

        self._region = access.region
        self._ecs = client("ecs")
        self._ec2 = client("ec2")

    def find_task(self) -> Task | None:
        """The task of an earlier run that still runs."""
        try:
            arns = self._ecs.list_tasks(family=FAMILY, desiredStatus="RUNNING")["taskArns"]
        except self._ecs.exceptions.ClusterNotFoundException:
            return None  # the default cluster comes with the first task
        return self._describe(arns[0]) if arns else None

    def run_task(self, definition: Path, host_port: int) -> Task:
        """Register the definition and run it once. Raises StepFailed with what the server says is in the way."""
        content = json.loads(definition.read_text())
        for container in content["containerDefinitions"]:
            container["logConfiguration"]["options"]["awslogs-region"] = self._region
        registered = self._ecs.register_task_definition(**content)["taskDefinition"]
        subnets = self._ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
        answer = self._ecs.run_task(
            taskDefinition=registered["taskDefinitionArn"],
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": [subnet["SubnetId"] for subnet in subnets]}},
            tags=[{"key": PUBLISH_TAG, "value": f"{host_port}:80/tcp"}],
        )
        if answer["failures"]:
            raise StepFailed(f"cannot run the task: {answer['failures']}")
        task: Task = answer["tasks"][0]
        return task

    def wait_until_healthy(self, task: Task, terminal: Terminal) -> Task:
        """Until the task is RUNNING and HEALTHY, with a line that tells how far it is. Raises StepFailed."""
        started = time.monotonic()
        shown = ""
        while True:
            now = self._describe(task["taskArn"])
            text = describe_progress(now)
            if terminal.is_live:
                terminal.tick(f"{time.monotonic() - started:5.1f} s  {text}")
            elif text != shown:
                terminal.say(f"{time.monotonic() - started:5.1f} s  {text}")
            shown = text
            if now["lastStatus"] == "RUNNING" and now.get("healthStatus") == "HEALTHY":
                terminal.say(f"RUNNING and HEALTHY after {time.monotonic() - started:.1f} s")
                return now
            if now["lastStatus"] == "STOPPED":
                raise StepFailed(f"cannot keep the task running: {explain_end(now)}")
            if time.monotonic() - started > _DEADLINE_SECONDS:
                raise StepFailed(f"cannot wait longer than {_DEADLINE_SECONDS:.0f} s: {text}")
            time.sleep(_POLL_SECONDS)

    def _describe(self, arn: str) -> Task:
        (task,) = self._ecs.describe_tasks(tasks=[arn], include=["TAGS"])["tasks"]
        return dict(task)


def describe_progress(task: Task) -> str:
    """One line: the task's state and each container's."""
    parts = [_container_progress(container) for container in task["containers"]]
    return f"{task['lastStatus']:<12} {'  '.join(parts)}"


def _container_progress(container: dict[str, Any]) -> str:
    health = container.get("healthStatus", "UNKNOWN")
    return f"{container['name']}: {container['lastStatus'] if health == 'UNKNOWN' else health}"


def explain_end(task: Task) -> str:
    """Why a task ended, container by container."""
    containers = (
        f"  {container['name']}: {container['lastStatus']}, exit code {container.get('exitCode', '-')}"
        f" {container.get('reason', '')}"
        for container in task["containers"]
    )
    return "\n".join([f"{task.get('stopCode', '')}: {task.get('stoppedReason', '')}", *containers])


def published_port(task: Task) -> int | None:
    """The port of this machine that leads to nginx, from the task's tag."""
    tags = {tag["key"]: tag["value"] for tag in task.get("tags", [])}
    host_port = tags.get(PUBLISH_TAG, "").partition(":")[0]
    return int(host_port) if host_port.isdigit() else None


def retry_until(attempt: Callable[[], bytes], seconds: float) -> bytes:
    """The first answer of `attempt`; connection errors are retried until the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
