"""Temporary credentials: what they are worth, to whom, and for how long."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.identity import ACCOUNT, TASKS_TRUST, Identities, document
from fakes.services import run_async
from tidegate.api.shape import Session
from tidegate.model.identity import SessionKey
from tidegate.model.sealed import sealed_context
from tidegate.services.iam.sessions import RoleNotAssumable, Sessions
from tidegate.services.iam.tokens import LONGEST_TOKEN, ensure_session_sealer
from tidegate.store.secrets import Sealer

pytestmark = pytest.mark.anyio
TASK = "0123456789abcdef0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/app"


async def test_a_task_gets_credentials_of_its_role() -> None:
    """In the session that is called as the task; they open with their token, also after a restart."""
    found = Identities()
    role = await found.role()
    issued = found.sessions.issue(ROLE, TASK, 3600)
    assert (issued.role_arn, issued.expires_at) == (ROLE, found.time + 3600)
    assert (issued.access_key_id[:4], len(issued.access_key_id), len(issued.secret_access_key)) == ("ASIA", 20, 40)
    restarted = Sessions(found.store, Sealer(b"k" * 32), ACCOUNT, found.now)
    opened = restarted.open(issued.access_key_id, issued.session_token)
    assert opened is not None
    assert opened.secret == issued.secret_access_key
    assert opened.principal == f"arn:aws:sts::123456789012:assumed-role/app/{TASK}"
    assert opened.user_id == f"{role.id}:{TASK}"
    assert opened.session.expires_at == issued.expires_at


async def test_every_issue_is_another_key() -> None:
    """Credentials rotate: nothing of two issues is the same."""
    found = Identities()
    await found.role()
    one, other = (found.sessions.issue(ROLE, TASK, 3600) for _ in range(2))
    assert one.access_key_id != other.access_key_id
    assert one.secret_access_key != other.secret_access_key
    assert found.sessions.open(one.access_key_id, other.session_token) is None


async def test_no_token_but_our_own_opens_anything() -> None:
    """Changed, cut, too long, not base64, sealed with another key: all are nobody's."""
    found = Identities()
    await found.role()
    issued = found.sessions.issue(ROLE, TASK, 3600)
    token, key = issued.session_token, issued.access_key_id
    swapped = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for wrong in (
        "",
        "x",
        "é",
        token[:-4],
        token[:20],
        swapped,
        token + "AAAA",
        "A" * (LONGEST_TOKEN + 1),
        token + " ",
    ):
        assert found.sessions.open(key, wrong) is None
    stranger = Sessions(found.store, Sealer(b"x" * 32), ACCOUNT, found.now)
    assert stranger.open(key, token) is None


async def test_tokens_outlive_a_change_of_the_master_key() -> None:
    """They are sealed with a key of their own, which is made once and kept sealed."""
    found = Identities()
    await found.role()
    old = await ensure_session_sealer(found.store, Sealer(b"1" * 32))
    issued = Sessions(found.store, old, ACCOUNT, found.now).issue(ROLE, TASK, 3600)
    record = found.store.get(SessionKey, "session-key")
    assert record is not None
    context = sealed_context(SessionKey, record.key)
    key = Sealer(b"1" * 32).unseal(record.sealed_key, context)
    await found.put(replace(record, sealed_key=Sealer(b"2" * 32).seal(key, context)))
    new = await ensure_session_sealer(found.store, Sealer(b"2" * 32))
    opened = Sessions(found.store, new, ACCOUNT, found.now).open(issued.access_key_id, issued.session_token)
    assert opened is not None
    assert opened.secret == issued.secret_access_key


async def test_a_session_ends_with_its_role() -> None:
    """Also when another role of that name comes in its place."""
    found = Identities()
    role = await found.role()
    issued = found.sessions.issue(ROLE, TASK, 3600)
    await found.remove(role)
    assert found.sessions.open(issued.access_key_id, issued.session_token) is None
    await found.role()
    assert found.sessions.open(issued.access_key_id, issued.session_token) is None


async def test_a_user_and_the_root_have_sessions_too() -> None:
    """Under their own names."""
    found = Identities()
    user = await found.user("bo", path="/team/")
    times = {"name": "", "issued_at": found.time, "expires_at": found.time + 900}
    issued = found.sessions.hand_out(user, Session(kind="user", owner="bo", **times))  # type: ignore[arg-type]
    opened = found.sessions.open(issued.access_key_id, issued.session_token)
    assert opened is not None
    assert (opened.principal, opened.user_id) == ("arn:aws:iam::123456789012:user/team/bo", user.id)
    issued = found.sessions.hand_out(None, Session(kind="root", owner="", **times))  # type: ignore[arg-type]
    opened = found.sessions.open(issued.access_key_id, issued.session_token)
    assert opened is not None
    assert (opened.principal, opened.user_id) == ("arn:aws:iam::123456789012:root", "123456789012")


async def test_roles_that_tasks_cannot_have() -> None:
    """One that is not there, and one that does not trust ECS's tasks, or only those of another account."""
    found = Identities()
    with pytest.raises(RoleNotAssumable, match="no such role"):
        found.sessions.issue(ROLE, TASK, 3600)
    other = {**TASKS_TRUST, "Principal": {"Service": "ec2.amazonaws.com"}}
    foreign = {**TASKS_TRUST, "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}
    ours = {
        **TASKS_TRUST,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": "arn:aws:ecs:eu-north-1:123456789012:*"},
        },
    }
    await found.role("other", trust=document(other))
    await found.role("foreign", trust=document(foreign))
    await found.role("ours", trust=document(ours), path="/deep/er/")
    for name in ("other", "foreign"):
        with pytest.raises(RoleNotAssumable, match="does not trust"):
            found.sessions.issue(f"arn:aws:iam::123456789012:role/{name}", TASK, 3600)
    issued = found.sessions.issue("arn:aws:iam::999999999999:role/ours", TASK, 3600)
    assert issued.role_arn == "arn:aws:iam::123456789012:role/deep/er/ours"


@given(position=st.integers(0, 10_000), sign=st.sampled_from("AZaz09+/="))
def test_no_character_of_a_token_can_be_changed(position: int, sign: str) -> None:
    """Any one of them, to any other: what it opens is nothing, or just what it was."""

    async def attempt() -> None:
        found = Identities()
        await found.role()
        issued = found.sessions.issue(ROLE, TASK, 3600)
        token, at = issued.session_token, position % len(issued.session_token)
        changed = token[:at] + sign + token[at + 1 :]
        is_same = _decoded(changed) == _decoded(token)
        assert (found.sessions.open(issued.access_key_id, changed) is not None) is is_same

    run_async(attempt)


def _decoded(token: str) -> bytes | None:
    """Of two base64 texts that differ in what pads them, both may stand for the same bytes."""
    try:
        return base64.b64decode(token, validate=True)
    except ValueError:
        return None
