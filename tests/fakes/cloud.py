"""An account served to AWS's own client: IAM, STS and ECS over a store in memory, signatures and policies included."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError

from fakes.identity import ACCOUNT, Identities, task_roles
from tidegate.api import ecs, iam, sts
from tidegate.model.account import AccessKey
from tidegate.server.authorization import TABLES
from tidegate.server.keyring import StoreKeyRing
from tidegate.services.account import access_key_context, ensure_account
from tidegate.services.ecs.service import Ecs
from tidegate.services.iam.gate import RequestGate
from tidegate.services.iam.service import Iam
from tidegate.services.sts.service import Sts
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.routing import serve_with

ROOT_KEY, ROOT_SECRET = "AKIAROOTROOTROOTROOT", "the-root-secret"
Keys = dict[str, str]
SESSION = boto3.session.Session()
"""One, so that the service models are read once."""


class Cloud(Identities):
    """Started and ended by a fixture. `time` is now for the services; signatures go by the real clock."""

    def __init__(self) -> None:
        super().__init__()
        self.time = time.time()
        self.listener = socket.create_server(("127.0.0.1", 0))
        services = [
            serve_with(iam, Iam(self.store, self.sealer, self.now)),
            serve_with(sts, Sts(self.store, self.sessions, self.authorizer, self.now)),
            serve_with(ecs, Ecs(self.store, self.now, task_roles(self.store, self.now))),
        ]
        keys = StoreKeyRing(self.store, self.sealer, self.sessions, ACCOUNT)
        gate = RequestGate(self.authorizer, self.store, TABLES)
        application = Application(services, Identity(ACCOUNT.id, ACCOUNT.region), keys, dict, gate=gate)
        self.server = uvicorn.Server(uvicorn.Config(application, log_config=None, lifespan="off"))
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))

    def start(self) -> Cloud:
        asyncio.run(self._open())
        self.thread.start()
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        self.listener.close()
        assert not self.thread.is_alive()

    async def _open(self) -> None:
        await ensure_account(self.store, ACCOUNT.id, ACCOUNT.region, "10.64.0.0/16", self.now)
        sealed = self.sealer.seal(ROOT_SECRET.encode(), access_key_context(ROOT_KEY))
        root = f"arn:aws:iam::{ACCOUNT.id}:root"
        await self.put(AccessKey(id=ROOT_KEY, principal=root, sealed_secret=sealed, created_at=self.time))

    def client(self, service: str, keys: Keys | None = None) -> Any:
        """The root's, or that of whoever these keys (as IAM and STS answer them) are of."""
        given = keys or {"AccessKeyId": ROOT_KEY, "SecretAccessKey": ROOT_SECRET}
        return SESSION.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.listener.getsockname()[1]}",
            region_name=ACCOUNT.region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def user_keys(self, name: str, *statements: dict[str, Any]) -> Keys:
        """A new user with an inline policy: its keys."""
        root = self.client("iam")
        root.create_user(UserName=name)
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            root.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        found: Keys = root.create_access_key(UserName=name)["AccessKey"]
        return found


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    """Code and text of the error that it answers with; fails if it does not."""
    try:
        call(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("it was not refused")
