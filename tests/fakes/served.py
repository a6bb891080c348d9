"""Every service that the server serves, behind the application, over a store in memory and fakes of the node."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import msgspec

from fakes.http import ask
from fakes.images import FakeImageStore
from tidegate.api import ec2, ecs, iam, logs, secretsmanager, ssm, sts, tidegate
from tidegate.engine.sim import SimEngine
from tidegate.model.account import Account
from tidegate.model.blackbox import BlackBox
from tidegate.model.record import Record
from tidegate.model.status import Node
from tidegate.server.channels.ecs_sessions import EcsSessions
from tidegate.server.channels.tickets import Tickets
from tidegate.server.control import ControlService
from tidegate.server.key_rotation import KeyRotation
from tidegate.services.account import ensure_account
from tidegate.services.ec2.service import Ec2
from tidegate.services.ecs.execute_command import ExecuteCommand
from tidegate.services.ecs.service import Ecs
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.service import Iam
from tidegate.services.iam.sessions import Sessions
from tidegate.services.iam.task_roles import TaskRoles
from tidegate.services.logs.service import Logs
from tidegate.services.secretsmanager.service import SecretsManager
from tidegate.services.ssm.service import Ssm
from tidegate.services.sts.service import Sts
from tidegate.store.keyfile import KeyFile
from tidegate.store.ledger import Ledger
from tidegate.store.logs.event_log import EventLog
from tidegate.store.memory import MemoryStore
from tidegate.store.secrets import Sealer
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.routing import serve_with

ACCOUNT, REGION = "123456789012", "eu-north-1"
APIS: Mapping[str, ModuleType] = {
    "ecs": ecs,
    "logs": logs,
    "ec2": ec2,
    "iam": iam,
    "sts": sts,
    "ssm": ssm,
    "secretsmanager": secretsmanager,
    "tidegate": tidegate,
}
EVENTS = "application/vnd.amazon.eventstream"
NODE = Node(
    id="local",
    availability_zone=f"{REGION}a",
    architecture="x86_64",
    total_cpu_units=4096,
    total_memory_mib=8192,
    free_cpu_units=4096,
    free_memory_mib=8192,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read: the members of a JSON answer, the text of an XML one."""

    status: int
    code: str = ""
    message: str = ""
    body: Any = None


class RememberingEngine(SimEngine):
    """Has a black box of whatever task it is asked for."""

    async def black_box(self, task: str) -> BlackBox | None:
        return BlackBox(task=task, at=1.0)


class Served:
    """`time` is now, in seconds since the epoch. directory: for the files of the log store."""

    def __init__(self, directory: Path) -> None:
        self.store = MemoryStore()
        self.time = 1_700_000_000.0
        events = EventLog(directory / "logs")
        sealer = Sealer.open(directory / "master.key")
        account = Account(id=ACCOUNT, region=REGION)
        authorizer = Authorizer(self.store, account, self.now)
        engine = RememberingEngine([NODE], self.now)
        images = FakeImageStore("busybox:1")
        tickets = Tickets(self.now)
        roles = TaskRoles(self.store, authorizer, self.now)
        services = {
            "ecs": Ecs(self.store, self.now, roles, ExecuteCommand(self.store, EcsSessions(tickets), roles.may_role)),
            "logs": Logs(self.store, events, self.now),
            "ec2": Ec2(self.store, self.now),
            "iam": Iam(self.store, sealer, self.now),
            "sts": Sts(self.store, Sessions(self.store, sealer, account, self.now), authorizer, self.now),
            "ssm": Ssm(self.store, sealer, self.now),
            "secretsmanager": SecretsManager(self.store, sealer, self.now),
            "tidegate": ControlService(
                self.store,
                images,
                engine,  # type: ignore[arg-type]
                "x86_64",
                "crun",
                tickets,
                KeyRotation(self.store, sealer, KeyFile(directory / "master.key"), ()),  # type: ignore[arg-type]
            ),
        }
        self.application = Application(
            [serve_with(APIS[name], service) for name, service in services.items()],
            Identity(ACCOUNT, REGION),
            None,
            dict,
            tells_successes=False,
        )

    def now(self) -> float:
        return self.time

    async def open(self) -> Served:
        """With the account's default network."""
        await ensure_account(self.store, ACCOUNT, REGION, "10.64.0.0/16", self.now)
        return self

    @property
    def revision(self) -> int:
        """Grows with every commit, the failed ones too: if it is the same, nothing was written."""
        return self.store._ledger.revision

    def records(self) -> dict[str, list[Record]]:
        """All records, by kind."""
        return {kind: table.select() for kind, table in self.store._ledger._tables.items()}

    def keep(self) -> Callable[[], None]:
        """Call what it returns to have the records again that there are now."""
        kept = [record for records in self.records().values() for record in records]

        def restore() -> None:
            ledger = Ledger()
            for record in kept:
                ledger.load(record)
            self.store._ledger = ledger

        return restore

    async def send(self, service: str, operation: str, body: bytes) -> Reply:
        """A request with this body."""
        api = APIS[service]
        if api.TARGET_PREFIX:
            headers = {"x-amz-target": f"{api.TARGET_PREFIX}.{operation}"}
        else:
            headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await ask(self.application, "POST", "/", "", headers, body)
        if answer.headers["content-type"] == EVENTS:  # the client is gone after its request: what came until then
            return Reply(answer.status, body=answer.body)
        return _read(answer.status, answer.body, is_json=bool(api.TARGET_PREFIX))


def _read(status: int, body: bytes, *, is_json: bool) -> Reply:
    if is_json:
        found = json.loads(body)
        return Reply(status, found.get("__type", ""), found.get("message", ""), found)
    tree = ElementTree.fromstring(body)
    texts = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.iter()}
    return Reply(status, texts.get("Code", "") if status >= 400 else "", texts.get("Message", ""), body.decode())


def check_records(served: Served) -> None:
    """Every record can be written down and read again, and is found by its key and its indexes."""
    for kind, records in served.records().items():
        table = served.store._ledger._tables[kind]
        for record in records:
            assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record
            assert table.get(record.key) is record
            for name, function in type(record).INDEXES.items():
                value = function(record)
                if value is not None:
                    assert record in table.select(name, value)
        for _, buckets in table._indexes:
            listed = [key for bucket in buckets.values() for key in bucket.keys()]  # noqa: SIM118
            assert all(table.get(key) is not None for key in listed)
