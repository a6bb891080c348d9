"""ECS's sessions: tickets for the same data channel as Tidegate's own, spoken as AWS's plugin wants it."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.session import ExecRequest, TerminalSize
from tidegate.server.access import stream_url
from tidegate.server.channels.exec_channel import ExecTarget
from tidegate.server.channels.tickets import Tickets, TooMany
from tidegate.services.ecs.execute_command import SessionOrder


class EcsSessions:
    """Satisfies `services.ecs.execute_command.ExecSessions`."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    def open(self, ctx: Context, order: SessionOrder) -> ecs.Session:
        """As root, in a terminal, whose size the client tells when the session begins."""
        request = ExecRequest(command=order.command, terminal=TerminalSize())
        target = ExecTarget(
            *(order.task, order.container, request, ctx.principal), is_ours=False, log_group=order.log_group
        )
        try:
            ticket = self._tickets.give(target)
        except TooMany as error:
            raise ecs.ClientException(str(error)) from error
        url = stream_url(ctx, ticket.session)
        return ecs.Session(session_id=ticket.session, stream_url=url, token_value=ticket.token)
