"""
Tidegate's own operations that lead into a running task. Each gives a ticket for a data channel (see `channels`).

They work for every task and container that runs, with nothing to switch on before; who may is a matter of policies.
"""

from __future__ import annotations

import re

from tidegate.api import tidegate
from tidegate.api.shape import Context
from tidegate.model.session import ExecRequest, TerminalSize
from tidegate.model.task import Task
from tidegate.server.channels.copy_channel import CopyTarget
from tidegate.server.channels.entrance import PATH
from tidegate.server.channels.exec_channel import ExecTarget
from tidegate.server.channels.forward_channel import ForwardTarget
from tidegate.server.channels.tickets import Target, Tickets, TooMany
from tidegate.server.insight import find_task
from tidegate.services.ecs.names import task_arn
from tidegate.store.store import Store

_VARIABLE = re.compile(r"[^=\0]+")


class Access:
    """The operations, as `ControlService` has them."""

    def __init__(self, store: Store, tickets: Tickets) -> None:
        self._store = store
        self._tickets = tickets

    async def start_exec(self, ctx: Context, request: tidegate.StartExecRequest) -> tidegate.StartExecResponse:
        """A ticket for a command in a container."""
        task = find_task(self._store, ctx, request.task)
        container = _find_container(task, request.container)
        target = ExecTarget(task.id, container, _exec_request(request), ctx.principal, is_ours=True)
        return tidegate.StartExecResponse(
            task_arn=task_arn(ctx, task.cluster, task.id), container_name=container, session=self._give(ctx, target)
        )

    async def start_forward(self, ctx: Context, request: tidegate.StartForwardRequest) -> tidegate.StartForwardResponse:
        """A ticket for one connection to a port of the task."""
        task = find_task(self._store, ctx, request.task)
        if not any(container.state == "RUNNING" for container in task.status.containers):
            raise tidegate.ContainerNotRunningException(f"the task is not running: it is {task.status.last_status}")
        session = self._give(ctx, ForwardTarget(task.id, request.port))
        return tidegate.StartForwardResponse(task_arn=task_arn(ctx, task.cluster, task.id), session=session)

    async def start_copy(self, ctx: Context, request: tidegate.StartCopyRequest) -> tidegate.StartCopyResponse:
        """A ticket for files out of a container, or into it."""
        task = find_task(self._store, ctx, request.task)
        container = _find_container(task, request.container)
        if not request.path.startswith("/") or "\0" in request.path:
            raise tidegate.InvalidParameterException(f"the path `{request.path}` is not an absolute one")
        is_out = request.direction == "OUT"
        target = CopyTarget(task.id, container, request.path, is_out, into_directory=bool(request.into_directory))
        return tidegate.StartCopyResponse(
            task_arn=task_arn(ctx, task.cluster, task.id), container_name=container, session=self._give(ctx, target)
        )

    def _give(self, ctx: Context, target: Target) -> tidegate.Session:
        try:
            ticket = self._tickets.give(target)
        except TooMany as error:
            raise tidegate.LimitExceededException(str(error)) from error
        return tidegate.Session(
            session_id=ticket.session, stream_url=stream_url(ctx, ticket.session), token_value=ticket.token
        )


def stream_url(ctx: Context, session: str) -> str:
    """Where a session's data channel is, for a client that reached the API as it did."""
    return f"{'wss' if ctx.is_secure else 'ws'}://{ctx.host}{PATH}{session}?role=publish_subscribe"


def _find_container(task: Task, name: str | None) -> str:
    """The one that is named, or the only one; it must run."""
    known = {container.name: container for container in task.status.containers}
    if name is None:
        if len(known) != 1:
            raise tidegate.InvalidParameterException(
                f"the task has more than one container: name one of {', '.join(known)}"
            )
        (name,) = known
    if name not in known:
        raise tidegate.InvalidParameterException(f"the task has no container {name}; it has {', '.join(known)}")
    if known[name].state != "RUNNING":
        raise tidegate.ContainerNotRunningException(f"container {name} is not running: it is {known[name].state}")
    return name


def _exec_request(request: tidegate.StartExecRequest) -> ExecRequest:
    environment = dict(request.environment or {})
    words = (*request.command, *environment.values(), request.user or "")
    if not request.command[0] or any("\0" in word for word in words):
        raise tidegate.InvalidParameterException("the command is empty or has a NUL in it")
    if not all(_VARIABLE.fullmatch(name) for name in environment):
        raise tidegate.InvalidParameterException("a variable's name is empty, or has = or NUL in it")
    directory = request.working_directory or ""
    if (directory and not directory.startswith("/")) or "\0" in directory:
        raise tidegate.InvalidParameterException(f"the working directory `{directory}` is not an absolute path")
    terminal = request.terminal
    return ExecRequest(
        command=tuple(request.command),
        environment=environment,
        user=request.user or "",
        working_directory=directory,
        terminal=TerminalSize(terminal.rows, terminal.columns) if terminal is not None else None,
    )
