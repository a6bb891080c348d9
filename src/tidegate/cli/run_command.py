"""`tidegate run`: an image as a task, in one line."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tidegate.api import ecs
from tidegate.cli.client import ApiError, Client
from tidegate.cli.definition import EXECUTION_ROLE, RunOptions, plan_definition
from tidegate.cli.log_streams import Choice, find_streams, read_on
from tidegate.cli.logs_command import show
from tidegate.cli.ports import Port, PortType
from tidegate.cli.subnets import default_subnets
from tidegate.cli.target import Target, find_target, state_option
from tidegate.cli.tasks import address, describe, short_id, why_stopped
from tidegate.cli.why_command import hint

POLL_SECONDS = 0.1
NEVER_RAN = 125
"""The exit code of `--wait` for a task that did not start, as docker's."""
_STRICT = (
    "This server makes no roles (--strict-iam): name one that is there with --execution-role; it needs "
    "AmazonECSTaskExecutionRolePolicy and logs:CreateLogGroup"
)


@click.command("run")
@state_option
@click.argument("image")
@click.argument("arguments", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("--name", help="Family of the task definition. [default: from the image's name]")
@click.option("--cpu", default="256", show_default=True, help="CPU units or vCPUs: 256, `.25 vCPU`.")
@click.option("--memory", default="512", show_default=True, help="MiB or GB: 512, 1GB.")
@click.option(
    "-p",
    "--publish",
    type=PortType(),
    multiple=True,
    metavar="[[ADDRESS:]HOST:]PORT[/udp]",
    help="Lead a port of this host to one of the task; on 127.0.0.1 unless an address is given (0.0.0.0: all).",
)
@click.option("-e", "--env", multiple=True, metavar="NAME=VALUE", help="Set an environment variable.")
@click.option("--entrypoint", help="Instead of the image's entry point.")
@click.option("-u", "--user", help="User or uid, and group or gid: USER[:GROUP].")
@click.option("-w", "--workdir", help="Working directory.")
@click.option("--health-cmd", help="A shell command that succeeds when the container is healthy.")
@click.option("--read-only", is_flag=True, help="Make the root file system read-only.")
@click.option("--init", is_flag=True, help="Run an init process that reaps children and passes on signals.")
@click.option("--task-role", metavar="ROLE", help="Name or ARN of the role that the container has. [default: none]")
@click.option(
    "--execution-role",
    metavar="ROLE",
    default=EXECUTION_ROLE,
    show_default=True,
    help="Name or ARN of the role that pulls the image and writes the log.",
)
@click.option("-d", "--detach", is_flag=True, help="Print the task's id and return at once.")
@click.option("--wait", is_flag=True, help="Show the output until the task ends, and exit with its code.")
def command(state_dir: Path | None, cluster: str, detach: bool, wait: bool, **options: Any) -> None:
    """Run IMAGE as a Fargate task of one container, and wait until it runs.

    \b
    tidegate run nginx:latest -p 8080:80
    tidegate run worker:2 --task-role worker -e QUEUE=jobs
    tidegate run alpine --wait -- sh -c 'echo hello from $(hostname)'
    """
    run = RunOptions(**options)
    target = find_target(state_dir)
    client = Client(target)
    task = _start(client, target, cluster, run)
    if detach:
        click.echo(short_id(task))
    elif wait:
        sys.exit(_attach(client, cluster, task))
    else:
        _report(_wait_until_runs(client, cluster, task), run.publish)


def _start(client: Client, target: Target, cluster: str, run: RunOptions) -> ecs.Task:
    definition = plan_definition(run, target.region)
    registered = client.ecs("RegisterTaskDefinition", definition, ecs.RegisterTaskDefinitionResponse).task_definition
    assert registered is not None, "the server answers with the definition"
    request = ecs.RunTaskRequest(
        task_definition=registered.task_definition_arn or "",
        cluster=cluster,
        launch_type="FARGATE",
        network_configuration=ecs.NetworkConfiguration(
            awsvpc_configuration=ecs.AwsVpcConfiguration(subnets=default_subnets(target))
        ),
        started_by="tidegate-run",
        tags=_tags(run.publish),
    )
    try:
        answer = client.ecs("RunTask", request, ecs.RunTaskResponse)
    except ApiError as error:
        if run.execution_role == EXECUTION_ROLE and f":role/{EXECUTION_ROLE}'" in error.message:
            raise click.ClickException(f"{error.message}\n{_STRICT}") from error
        raise
    if not answer.tasks:
        reasons = "; ".join(failure.reason or "" for failure in answer.failures or ())
        raise click.ClickException(f"cannot run {run.image}: {reasons}")
    return answer.tasks[0]


def _tags(ports: Sequence[Port]) -> tuple[ecs.Tag, ...] | None:
    return (ecs.Tag(key="tidegate:publish", value=" ".join(port.tag for port in ports)),) if ports else None


def _wait_until_runs(client: Client, cluster: str, task: ecs.Task) -> ecs.Task:
    with Console(stderr=True).status("starting") as status:
        while True:
            (now,) = describe(client, cluster, [task.task_arn or ""])
            status.update((now.last_status or "").lower())
            if now.last_status == "RUNNING":
                return now
            if now.last_status == "STOPPED":
                if now.started_at is not None:
                    return now
                why = f"why: tidegate why {short_id(now)}"
                raise click.ClickException(f"the task did not start: {why_stopped(now)}\n{why}")
            time.sleep(POLL_SECONDS)


def _report(task: ecs.Task, ports: Sequence[Port]) -> None:
    took = ((task.started_at or 0) - (task.created_at or 0)) * 1000
    state = "runs" if task.last_status == "RUNNING" else f"has ended ({why_stopped(task)})"
    click.echo(f"{short_id(task)} {state} at {address(task) or 'no address any more'}, started in {took:.0f} ms")
    for port in ports:
        click.echo(f"  {port.where} leads to its port {port.container}")
    click.echo(f"  logs: tidegate logs -f {short_id(task)}    stop: tidegate stop {short_id(task)}")


def _attach(client: Client, cluster: str, task: ecs.Task) -> int:
    """Show the output until the task ends; the exit code of its container, or NEVER_RAN."""
    streams = find_streams(client, task, None)
    while True:
        (now,) = describe(client, cluster, [task.task_arn or ""])
        show(read_on(client, streams, Choice()), timestamps=False, with_container=False)
        if now.last_status == "STOPPED":
            break
        time.sleep(POLL_SECONDS)
    (container,) = now.containers or (ecs.Container(),)
    if container.exit_code is None:
        click.echo(f"the task did not run: {why_stopped(now)}", err=True)
        hint(short_id(now), is_stderr=True)
        return NEVER_RAN
    if container.reason:
        click.echo(container.reason, err=True)
    if container.exit_code:
        hint(short_id(now), is_stderr=True)
    return container.exit_code
