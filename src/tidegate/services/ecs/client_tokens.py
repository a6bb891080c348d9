"""RunTask's idempotency: a token answers for its tasks until they are long gone."""

from __future__ import annotations

import hashlib

import msgspec

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.status import LastStatus
from tidegate.model.task import ClientToken, Task
from tidegate.services.ecs.names import task_arn
from tidegate.store.store import Store

MAX_LENGTH = 64
LIFETIME_SECONDS = 24 * 3600.0
AFTER_STOPPED_SECONDS = 3600.0
"""A token lives for the shorter of a day and an hour after its last task stopped. Source: Ensuring idempotency."""

_encoder = msgspec.json.Encoder()


def check_token(token: str | None) -> None:
    """At most 64 printable ASCII characters without spaces."""
    if token is None:
        return
    if not 1 <= len(token) <= MAX_LENGTH or not all("!" <= character <= "~" for character in token):
        raise ecs.InvalidParameterException(
            f"clientToken should have 1 to {MAX_LENGTH} characters, from ASCII 33 to 126."
        )


def fingerprint(request: ecs.RunTaskRequest) -> str:
    """What must be equal for two requests to be the same: all that was sent but the token."""
    bare = msgspec.structs.replace(request, client_token=None, reference_id=None)
    return hashlib.sha256(_encoder.encode(bare)).hexdigest()


def is_expired(store: Store, token: ClientToken, now: float) -> bool:
    """Whether the token may be used anew."""
    if now - token.created_at >= LIFETIME_SECONDS:
        return True
    tasks = [task for task_id in token.tasks if (task := store.get(Task, task_id)) is not None]
    if not tasks:
        return bool(token.tasks)
    ends = [task.status.stopped_at for task in tasks]
    return all(end is not None and now - end >= AFTER_STOPPED_SECONDS for end in ends)


def check_same(ctx: Context, token: ClientToken, request: ecs.RunTaskRequest) -> None:
    """ConflictException with the token's tasks if the request is another one than the token's."""
    if token.fingerprint != fingerprint(request):
        raise ecs.ConflictException(
            "The client token was already used with different parameters.",
            resourceIds=tuple(task_arn(ctx, token.cluster, task) for task in token.tasks),
        )


def stopped_replay(ctx: Context, cluster: str, task: str) -> ecs.Task:
    """All that a repeated request shows of a task that has stopped since."""
    return ecs.Task(
        task_arn=task_arn(ctx, cluster, task),
        last_status=LastStatus.STOPPED.value,
        desired_status=LastStatus.STOPPED.value,
    )
