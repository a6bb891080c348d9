"""`tidegate run`: an image as a task, in one line."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import click
from rich.console import Console

from tidegate.api import ecs
from tidegate.cli import logs_command
from tidegate.cli.client import Client
from tidegate.cli.target import Target, find_target, state_option
from tidegate.cli.tasks import address, describe, short_id, why_stopped

PORT = re.compile(
    r"^(?:(?P<address>[0-9.]+):)?(?:(?P<host>\d{1,5}):)?(?P<container>\d{1,5})(?:/(?P<protocol>tcp|udp))?$"
)
POLL_SECONDS = 0.1
EXECUTION_ROLE = "tidegate-run"


@click.command("run", context_settings={"ignore_unknown_options": False})
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
@click.option("--init", is_flag=True, help="Run an init process that reaps children.")
@click.option("-d", "--detach", is_flag=True, help="Print the task's id and return at once.")
@click.option("--wait", is_flag=True, help="Show the output until the task ends, and exit with its code.")
def command(
    state_dir: Path | None,
    image: str,
    arguments: tuple[str, ...],
    cluster: str,
    detach: bool,
    wait: bool,
    **options: object,
) -> None:
    """Run IMAGE as a Fargate task of one container, and wait until it runs.

    \b
    tidegate run nginx:latest -p 8080:80
    tidegate run alpine --wait -- sh -c 'echo hello from $(hostname)'
    """
    target = find_target(state_dir)
    client = Client(target)
    ports = [parse_port(text) for text in options["publish"]]  # type: ignore[attr-defined]
    definition = _definition(target, image, arguments, ports, options)
    registered = client.ecs("RegisterTaskDefinition", definition, ecs.RegisterTaskDefinitionResponse).task_definition
    assert registered is not None, "the server answers with the definition"
    request = ecs.RunTaskRequest(
        task_definition=registered.task_definition_arn or "",
        cluster=cluster,
        launch_type="FARGATE",
        network_configuration=_network(target),
        started_by="tidegate-run",
        tags=_tags(ports),
    )
    answer = client.ecs("RunTask", request, ecs.RunTaskResponse)
    if not answer.tasks:
        reasons = "; ".join(f.reason or "" for f in answer.failures or ())
        raise click.ClickException(f"cannot run {image}: {reasons}")
    (task,) = answer.tasks
    if detach:
        click.echo(short_id(task))
    elif wait:
        sys.exit(_attach(client, cluster, task))
    else:
        _report(_wait_until_runs(client, cluster, task), ports)


class Port(str):
    """A published port, in the form that the task's tag has."""


def parse_port(text: str) -> Port:
    """`80`, `8080:80`, `127.0.0.1:8080:80/udp`. Raises click.BadParameter."""
    match = PORT.match(text)
    if match is None or not all(0 < int(n) < 65536 for n in (match["container"], match["host"] or "1")):
        raise click.BadParameter(f"`{text}` is not [[ADDRESS:]HOST:]PORT[/udp]", param_hint="--publish")
    host = match["host"] or match["container"]
    prefix = f"{match['address']}:" if match["address"] else ""
    return Port(f"{prefix}{host}:{match['container']}/{match['protocol'] or 'tcp'}")


def family_of(image: str) -> str:
    """A family name from an image's: its last part, without tag and digest."""
    last = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-") or "task"


def _definition(
    target: Target, image: str, arguments: tuple[str, ...], ports: list[Port], options: dict[str, object]
) -> ecs.RegisterTaskDefinitionRequest:
    family = str(options["name"] or family_of(image))
    health = options["health_cmd"]
    container = ecs.ContainerDefinition(
        name=family,
        image=image,
        essential=True,
        command=arguments or None,
        entry_point=(str(options["entrypoint"]),) if options["entrypoint"] else None,
        environment=tuple(_variable(text) for text in options["env"]),  # type: ignore[attr-defined]
        user=_text(options["user"]),
        working_directory=_text(options["workdir"]),
        readonly_root_filesystem=True if options["read_only"] else None,
        linux_parameters=ecs.LinuxParameters(init_process_enabled=True) if options["init"] else None,
        health_check=ecs.HealthCheck(command=("CMD-SHELL", str(health)), interval=5) if health else None,
        port_mappings=tuple(_mapping(port) for port in ports),
        log_configuration=ecs.LogConfiguration(
            log_driver="awslogs",
            options={
                "awslogs-group": f"/tidegate/{family}",
                "awslogs-region": target.region,
                "awslogs-stream-prefix": "run",
                "awslogs-create-group": "true",
            },
        ),
    )
    return ecs.RegisterTaskDefinitionRequest(
        family=family,
        requires_compatibilities=("FARGATE",),
        network_mode="awsvpc",
        cpu=str(options["cpu"]),
        memory=str(options["memory"]),
        execution_role_arn=f"arn:aws:iam::000000000000:role/{EXECUTION_ROLE}",
        container_definitions=(container,),
    )


def _text(value: object) -> str | None:
    return str(value) if value else None


def _variable(text: str) -> ecs.KeyValuePair:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise click.BadParameter(f"`{text}` is not NAME=VALUE", param_hint="--env")
    return ecs.KeyValuePair(name=name, value=value)


def _mapping(port: Port) -> ecs.PortMapping:
    numbers, _, protocol = port.partition("/")
    return ecs.PortMapping(
        container_port=int(numbers.rpartition(":")[2]), protocol="udp" if protocol == "udp" else "tcp"
    )


def _tags(ports: list[Port]) -> tuple[ecs.Tag, ...] | None:
    return (ecs.Tag(key="tidegate:publish", value=" ".join(ports)),) if ports else None


def _network(target: Target) -> ecs.NetworkConfiguration:
    """The subnets of the default VPC."""
    from tidegate.cli.subnets import default_subnets

    return ecs.NetworkConfiguration(awsvpc_configuration=ecs.AwsVpcConfiguration(subnets=default_subnets(target)))


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
                raise click.ClickException(f"the task did not start: {why_stopped(now)}")
            time.sleep(POLL_SECONDS)


def _report(task: ecs.Task, ports: list[Port]) -> None:
    took = ((task.started_at or 0) - (task.created_at or 0)) * 1000
    state = "runs" if task.last_status == "RUNNING" else f"has ended ({why_stopped(task)})"
    click.echo(f"{short_id(task)} {state} at {address(task) or 'no address any more'}, started in {took:.0f} ms")
    for port in ports:
        numbers, _, protocol = port.partition("/")
        host, _, container = numbers.rpartition(":")
        where = host if ":" in host else f"127.0.0.1:{host}"
        click.echo(f"  {'http://' if protocol == 'tcp' else 'udp://'}{where} leads to its port {container}")
    click.echo(f"  logs: tidegate logs -f {short_id(task)}    stop: tidegate stop {short_id(task)}")


def _attach(client: Client, cluster: str, task: ecs.Task) -> int:
    """Show the output until the task ends; the exit code of its container, 125 if it never ran."""
    streams = logs_command.find_streams(client, task, None)
    while True:
        (now,) = describe(client, cluster, [task.task_arn or ""])
        logs_command.show(logs_command.read_once(client, streams), False, False)
        if now.last_status == "STOPPED":
            break
        time.sleep(POLL_SECONDS)
    (container,) = now.containers or (ecs.Container(),)
    if container.exit_code is None:
        click.echo(f"the task did not run: {why_stopped(now)}", err=True)
        return 125
    if container.reason:
        click.echo(container.reason, err=True)
    return container.exit_code
