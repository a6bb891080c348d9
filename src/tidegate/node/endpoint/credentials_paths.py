"""
`/v2/credentials/<id>` and `/v1/credentials?id=<id>`: a task's own, and nobody else's.

Source: ECS's agent, as its clients meet it. The credentials of an execution role are never served.
"""

from __future__ import annotations

import hmac

import structlog

from tidegate.node.endpoint.answers import Answer
from tidegate.node.endpoint.credentials import CredentialsIds, CredentialsUnavailable, RoleCredentials
from tidegate.node.endpoint.facts import TaskFacts
from tidegate.node.endpoint.metadata import render_time

log = structlog.get_logger()


class CredentialsPaths:
    """credentials: None where nobody issues any; then every id is unknown."""

    def __init__(self, ids: CredentialsIds, credentials: RoleCredentials | None) -> None:
        self._ids = ids
        self._credentials = credentials

    def answer(self, version: str, facts: TaskFacts | None, given: str) -> Answer:
        """The keys of the calling task's role, if `given` is their id."""
        voice = f"Credentials{version.upper()}Request"
        if not given:
            return _error(400, "NoIdInRequest", f"{voice}: No Credential ID in the request")
        if self._credentials is None or facts is None or not self._is_own(facts, given):
            return _error(400, "InvalidIdInRequest", f"{voice}: Credentials not found")
        try:
            keys = self._credentials.get(facts.spec)
        except CredentialsUnavailable as error:
            log.warning("no credentials for a task", task=facts.spec.id, role=facts.spec.task_role, why=str(error))
            return _error(503, "CredentialsUninitialized", f"{voice}: Credentials uninitialized for ID")
        return Answer(
            {
                "RoleArn": keys.role_arn,
                "AccessKeyId": keys.access_key_id,
                "SecretAccessKey": keys.secret_access_key,
                "Token": keys.session_token,
                "Expiration": render_time(float(int(keys.expires_at))),
            }
        )

    def _is_own(self, facts: TaskFacts, given: str) -> bool:
        if facts.spec.task_role is None:
            return False
        return hmac.compare_digest(given.encode(errors="replace"), self._ids.of(facts.spec.id).encode())


def _error(status: int, code: str, message: str) -> Answer:
    return Answer({"code": code, "message": message, "HTTPErrorCode": status}, status)
