"""`tidegate why`: what happened to a task, in plain words, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidegate.api import tidegate
from tidegate.cli.client import ApiError, Client
from tidegate.cli.complete import complete_tasks
from tidegate.cli.console import show
from tidegate.cli.target import find_target, state_option
from tidegate.cli.tasks import find_task, short_id
from tidegate.model.amount import show_bytes

_CHANGES = {"added": ("+", "green"), "changed": ("~", "yellow"), "deleted": ("-", "red")}


@click.command("why")
@state_option
@click.argument("task", shell_complete=complete_tasks(include_stopped=True))
@click.option("--cluster", default="default", show_default=True, help="The cluster's name or ARN.")
@click.option("-a", "--all", "shows_all", is_flag=True, help="Show the whole black box: output, files, memory, checks.")
@click.option("--json", "is_json", is_flag=True, help="Print the explanation (with --all the black box too) as JSON.")
def command(state_dir: Path | None, task: str, cluster: str, shows_all: bool, is_json: bool) -> None:
    """Explain what happened to TASK, or what it waits for, and what to do about it.

    \b
    tidegate why TASK
    tidegate why TASK --all      with its last output, the files that it changed, its memory and health checks
    """
    client = Client(find_target(state_dir))
    found = find_task(client, cluster, task)
    arn = found.task_arn or ""
    request = tidegate.ExplainTaskRequest(cluster=cluster, task=arn)
    told = client.tidegate("ExplainTask", request, tidegate.ExplainTaskResponse)
    box = read_black_box(client, cluster, arn) if shows_all else None
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"explanation": told, "blackBox": box}), indent=2))
        return
    show(render(told, short_id(found)))
    if shows_all:
        show(render_box(box) if box is not None else "\nNo black box: no node has run this task.")


def hint(task: str, *, is_stderr: bool = False) -> None:
    """One line for other commands, where something went wrong."""
    click.echo(f"why: tidegate why {task}", err=is_stderr)


def read_black_box(client: Client, cluster: str, task: str) -> tidegate.DescribeBlackBoxResponse | None:
    """None if there is none."""
    request = tidegate.DescribeBlackBoxRequest(cluster=cluster, task=task)
    try:
        return client.tidegate("DescribeBlackBox", request, tidegate.DescribeBlackBoxResponse)
    except ApiError as error:
        if error.code == "BlackBoxNotFoundException":
            return None
        raise


def render(told: tidegate.ExplainTaskResponse, task: str) -> RenderableType:
    """The explanation: what, why, what shows it, what to do."""
    style = "bold red" if told.is_problem else "bold green"
    parts: list[RenderableType] = [Text.assemble((told.headline or "", style), (f"  {task}", "dim"))]
    parts.append(Padding(Text(told.cause or ""), (1, 0, 0, 0)))
    if told.evidence:
        lines = [Text(line, style="dim" if line.startswith("  ") else "") for line in told.evidence]
        parts.append(_section("What shows it", lines))
    if told.remedies:
        parts.append(_section("What to do", [Text(f"- {line}") for line in told.remedies]))
    return Group(*parts)


def render_box(box: tidegate.DescribeBlackBoxResponse) -> RenderableType:
    """The black box, container by container."""
    when = datetime.fromtimestamp(box.at or 0, UTC).isoformat(sep=" ", timespec="seconds")[:-6]
    of = "at its end" if box.is_final else "now"
    facts = [
        Text(f"memory: {_memory(box.memory)}"),
        Text(f"CPU time: {box.cpu_seconds or 0:g} s"),
        Text(f"disk: {show_bytes(box.disk_free_bytes)} free of {show_bytes(box.disk_size_bytes)}"),
    ]
    parts: list[RenderableType] = [_section(f"Black box, {of}: {when} UTC", facts)]
    parts += [_section(f"Container {container.name}", _container(container)) for container in box.containers or ()]
    return Group(*parts)


def _container(box: tidegate.BlackBoxContainer) -> list[RenderableType]:
    lines: list[RenderableType] = [
        Text(f"memory: {_memory(box.memory)}"),
        Text(f"CPU time: {box.cpu_seconds or 0:g} s"),
    ]
    for probe in box.health_probes or ():
        code = "timed out" if probe.exit_code is None else f"exit code {probe.exit_code}"
        lines.append(Text(f"health check at {_clock(probe.at)}: {code}"))
        lines += [Text(f"  {line}", style="dim") for line in (probe.output or "").splitlines()]
    lines.append(
        Text(
            f"files that it changed ({show_bytes(box.written_bytes)} written):"
            if box.changed_files
            else "no file changed"
        )
    )
    lines += [_changed(file) for file in box.changed_files or ()]
    if not box.are_changed_files_whole:
        lines.append(Text("  ... and more", style="dim"))
    lines.append(Text("the end of its output:" if box.log else "no output"))
    if not box.is_log_whole:
        lines.append(Text("  ...", style="dim"))
    for line in box.log or ():
        style = "red" if line.stream == "stderr" else ""
        lines.append(Text.assemble(f"  {_clock(line.at)} ", (line.text or "", style)))
    return lines


def _changed(file: tidegate.ChangedFile) -> Text:
    mark, style = _CHANGES.get(file.change or "", ("?", ""))
    size = f"  {show_bytes(file.size_bytes)}" if file.size_bytes else ""
    return Text.assemble("  ", (mark, style), f" {file.path}{size}")


def _section(title: str, lines: list[RenderableType] | list[Text]) -> RenderableType:
    table = Table.grid()
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Padding(line, (0, 0, 0, 2)))
    return Group("", Text(title, style="bold"), table)


def _memory(memory: tidegate.BlackBoxMemory | None) -> str:
    if memory is None or memory.peak_bytes is None:
        return "not known"
    text = f"{show_bytes(memory.peak_bytes)} at most"
    if memory.limit_bytes:
        text += f", of {show_bytes(memory.limit_bytes)}"
    return text + (f"; {memory.kills} killed for want of it" if memory.kills else "")


def _clock(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0, UTC).strftime("%H:%M:%S")
