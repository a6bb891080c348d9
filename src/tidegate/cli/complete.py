"""What the shell completes: tasks by their short ids and families, containers by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import click
from click.shell_completion import CompletionItem

from tidegate.api import ecs
from tidegate.cli.client import Client
from tidegate.cli.target import find_target
from tidegate.cli.tasks import family, find_task, list_tasks, short_id

PATIENCE_SECONDS = 2.0
"""Somebody has pressed a key and waits."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def complete_tasks(*, include_stopped: bool) -> Complete:
    """For an argument that names a task."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        tasks = _ask(lambda: list_tasks(_client(ctx), _cluster(ctx), include_stopped=include_stopped))
        return list(name_tasks(tasks, incomplete))

    return complete


def complete_containers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For an option that names a container of the argument `task`."""
    # Where the option still lacks its value, click has sorted out the options alone.
    task = ctx.params.get("task") or next(iter(ctx.args), None)
    if not task:
        return []
    (found,) = _ask(lambda: [find_task(_client(ctx), _cluster(ctx), str(task))]) or (ecs.Task(),)
    names = [container.name or "" for container in found.containers or ()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """For an argument that is a path here or TASK:/PATH; of the latter the task, once it has begun."""
    files = [CompletionItem(incomplete, type="file")]
    if not incomplete or "/" in incomplete or ":" in incomplete:
        return files
    tasks = _ask(lambda: list_tasks(_client(ctx), _cluster(ctx)))
    named = name_tasks(tasks, incomplete)
    return files + [CompletionItem(f"{item.value}:/", help=item.help) for item in named]


def name_tasks(tasks: Sequence[ecs.Task], incomplete: str) -> Iterator[CompletionItem]:
    """Each by its short id; by its family, too, where that means one alone."""
    families = [family(task) for task in tasks if task.last_status != "STOPPED"]
    for task in tasks:
        if short_id(task).startswith(incomplete):
            yield CompletionItem(short_id(task), help=f"{family(task)} {task.last_status}")
    for name in sorted(set(families)):
        if incomplete and families.count(name) == 1 and name.startswith(incomplete):
            yield CompletionItem(name, help="the task of this family")


def _ask(question: Callable[[], list[ecs.Task]]) -> list[ecs.Task]:
    """Without a server, or with one that does not answer, there is nothing to complete, and nothing to complain of."""
    try:
        return question()
    except click.ClickException:
        return []


def _client(ctx: click.Context) -> Client:
    return Client(find_target(ctx.params.get("state_dir")), timeout_seconds=PATIENCE_SECONDS)


def _cluster(ctx: click.Context) -> str:
    return str(ctx.params.get("cluster") or "default")
