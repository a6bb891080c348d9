"""Tickets for sessions: once, for a minute, within limits."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tidegate.model.session import ExecRequest
from tidegate.server.channels import tickets as module
from tidegate.server.channels.exec_channel import ExecTarget
from tidegate.server.channels.tickets import Refused, Tickets, TooMany


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def target(task: str = "t") -> ExecTarget:
    return ExecTarget(task, "app", ExecRequest(command=("sh",)), "arn:aws:iam::000000000000:root", is_ours=True)


def test_once():
    """A ticket lets one session begin."""
    tickets = Tickets(Time())
    ticket = tickets.give(target())
    assert tickets.is_given(ticket.session)
    with tickets.use(ticket.session, ticket.token) as found:
        assert found == target()
        assert not tickets.is_given(ticket.session)
        with pytest.raises(Refused), tickets.use(ticket.session, ticket.token):
            pass


def test_a_wrong_token_spoils_it():
    """There is no second guess, not even a right one."""
    tickets = Tickets(Time())
    ticket, other = tickets.give(target()), tickets.give(target())
    for token in (other.token, ticket.token):
        with pytest.raises(Refused), tickets.use(ticket.session, token):
            pass
    with pytest.raises(Refused), tickets.use("ecs-execute-command-0000000000000000", ""):
        pass


def test_a_minute():
    """After a minute it is good for nothing, and takes no room."""
    time = Time()
    tickets = Tickets(time)
    old = tickets.give(target())
    time.now = 59.9
    young = tickets.give(target())
    time.now = 60.0
    assert not tickets.is_given(old.session)
    assert tickets.is_given(young.session)
    with pytest.raises(Refused), tickets.use(old.session, old.token):
        pass


def test_limits_of_a_task_and_of_all():
    """So many sessions of a task, so many at all; ended ones make room."""
    tickets = Tickets(Time())
    with ExitStack() as running:
        for _ in range(ExecTarget.MOST_OF_A_TASK):
            ticket = tickets.give(target())
            running.enter_context(tickets.use(ticket.session, ticket.token))
        with pytest.raises(TooMany, match="the task has 32 of this kind"):
            tickets.give(target())
        tickets.give(target("another"))
    with ExitStack() as running:
        for number in range(ExecTarget.MOST):
            ticket = tickets.give(target(str(number)))
            running.enter_context(tickets.use(ticket.session, ticket.token))
        with pytest.raises(TooMany, match="the server has 512 of this kind"):
            tickets.give(target("one more"))
    tickets.give(target())


def test_tickets_are_bounded(monkeypatch: pytest.MonkeyPatch):
    """Whoever asks and never comes takes a bounded place."""
    monkeypatch.setattr(module, "MOST_TICKETS", 3)
    tickets = Tickets(Time())
    for _ in range(3):
        tickets.give(target())
    with pytest.raises(TooMany):
        tickets.give(target())


def test_what_is_kept_is_no_token():
    """Nothing that is kept of a ticket lets anybody in."""
    tickets = Tickets(Time())
    ticket = tickets.give(target())
    assert ticket.token not in repr(vars(tickets))
