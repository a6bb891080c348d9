"""The credentials of task roles: ids that can't be guessed, keys that are always good for a while."""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.endpoint import ROLE, TASK, FakeSessions, web_task
from tidegate.node.endpoint.credentials import (
    LIFETIME_SECONDS,
    RENEWED_BEFORE_SECONDS,
    CredentialsIds,
    CredentialsUnavailable,
    RoleCredentials,
    read_node_key,
)

WITH_ROLE = web_task(task_role=ROLE)


class Clock:
    def __init__(self, sessions: FakeSessions) -> None:
        self.sessions = sessions

    def __call__(self) -> float:
        return self.sessions.now


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def credentials(sessions: FakeSessions) -> RoleCredentials:
    return RoleCredentials(sessions, lambda task: True, Clock(sessions))


def test_they_are_the_roles_in_the_name_of_the_task(sessions: FakeSessions, credentials: RoleCredentials) -> None:
    """The session is called by the task's id, so that whatever it does can be told from what other tasks did."""
    assert credentials.get(WITH_ROLE).access_key_id == "ASIA1"
    assert sessions.issued == [(ROLE, TASK)]


def test_a_task_without_a_role_has_none(credentials: RoleCredentials) -> None:
    """Nor has one that has an execution role alone."""
    with pytest.raises(CredentialsUnavailable, match="has no role"):
        credentials.get(web_task(execution_role=ROLE))


@given(st.lists(st.floats(0, LIFETIME_SECONDS), min_size=1, max_size=30))
def test_whoever_asks_is_given_an_hour_at_least(pauses: list[float]) -> None:
    """However long the task runs and whenever it asks; new keys are issued no more often than that takes."""
    sessions = FakeSessions()
    credentials = RoleCredentials(sessions, lambda task: True, Clock(sessions))
    began = sessions.now
    for pause in pauses:
        sessions.now += pause
        assert credentials.get(WITH_ROLE).expires_at - sessions.now >= RENEWED_BEFORE_SECONDS
    longest = LIFETIME_SECONDS - RENEWED_BEFORE_SECONDS
    assert len(sessions.issued) <= 1 + (sessions.now - began) / longest


def test_keys_that_are_good_serve_on_when_there_are_no_new_ones(
    sessions: FakeSessions, credentials: RoleCredentials
) -> None:
    """Until they expire; then it is told why there are none."""
    first = credentials.get(WITH_ROLE)
    sessions.refusal = "the role is gone"
    sessions.now += LIFETIME_SECONDS - 10
    assert credentials.get(WITH_ROLE) == first
    sessions.now += 10
    with pytest.raises(CredentialsUnavailable, match="the role is gone"):
        credentials.get(WITH_ROLE)
    sessions.refusal = ""
    assert credentials.get(WITH_ROLE) != first


def test_what_stopped_is_not_kept(sessions: FakeSessions) -> None:
    """Keys of tasks that have gone are dropped when another task asks."""
    alive = {TASK}
    credentials = RoleCredentials(sessions, alive.__contains__, Clock(sessions))
    credentials.get(WITH_ROLE)
    alive.clear()
    other = msgspec.structs.replace(WITH_ROLE, id="f" * 32)
    credentials.get(other)
    credentials.get(WITH_ROLE)
    assert [name for _, name in sessions.issued] == [TASK, "f" * 32, TASK]


def test_an_id_is_a_uuid_that_only_the_node_can_tell() -> None:
    """The same for a task's life, another for each task and for each node."""
    ids = CredentialsIds(b"k" * 32)
    assert str(uuid.UUID(ids.of(TASK))) == ids.of(TASK)
    assert uuid.UUID(ids.of(TASK)).version == 4
    assert CredentialsIds(b"k" * 32).of(TASK) == ids.of(TASK)
    assert len({ids.of(TASK), ids.of("f" * 32), CredentialsIds(b"l" * 32).of(TASK)}) == 3


def test_the_nodes_key_is_roots_and_stays(tmp_path: Path) -> None:
    """Made once, readable by nobody else; what a crash left of a draft is no key."""
    path = tmp_path / "node" / "endpoint.key"
    path.parent.mkdir()
    path.with_name("endpoint.key.new").write_bytes(b"half")
    key = read_node_key(path)
    assert len(key) == 32
    assert read_node_key(path) == key
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(path.parent) == ["endpoint.key"]
