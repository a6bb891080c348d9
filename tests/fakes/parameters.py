"""The Parameter Store and Secrets Manager over a store in memory, called as on the wire."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import msgspec

from fakes.definitions import CTX
from tidegate.api import secretsmanager, ssm
from tidegate.api.shape import ServiceError
from tidegate.services.secretsmanager.service import SecretsManager
from tidegate.services.ssm.service import Ssm
from tidegate.store.memory import MemoryStore
from tidegate.store.secrets import Sealer


class SecretServices:
    """`time` is now, in seconds since the epoch; set it to let time pass. `ctx` is who asks."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.sealer = Sealer(bytes(range(32)))
        self.ctx = CTX
        self.time = 1_700_000_000.0
        self._apis: dict[str, tuple[ModuleType, object]] = {
            "ssm": (ssm, Ssm(self.store, self.sealer, self.now)),
            "secretsmanager": (secretsmanager, SecretsManager(self.store, self.sealer, self.now)),
        }

    def now(self) -> float:
        return self.time

    async def ssm(self, operation: str, **members: Any) -> dict[str, Any]:
        """The answer as it is on the wire."""
        return await self._call("ssm", operation, members)

    async def put(self, name: str, value: str = "v", **members: Any) -> dict[str, Any]:
        """PutParameter of a String."""
        return await self.ssm("PutParameter", **{"Name": name, "Value": value, "Type": "String", **members})

    async def refused_ssm(self, operation: str, **members: Any) -> tuple[str, str]:
        """The error's code and text."""
        return await self._refused("ssm", operation, members)

    async def secrets(self, operation: str, **members: Any) -> dict[str, Any]:
        """The answer as it is on the wire."""
        return await self._call("secretsmanager", operation, members)

    async def create(self, name: str = "s", value: str | None = "v", **members: Any) -> dict[str, Any]:
        """CreateSecret."""
        return await self.secrets("CreateSecret", Name=name, SecretString=value, **members)

    async def value(self, name: str = "s", **members: Any) -> str:
        """GetSecretValue's SecretString."""
        found: str = (await self.secrets("GetSecretValue", SecretId=name, **members))["SecretString"]
        return found

    async def refused_secrets(self, operation: str, **members: Any) -> tuple[str, str]:
        """The error's code and text."""
        return await self._refused("secretsmanager", operation, members)

    async def _refused(self, service: str, operation: str, members: dict[str, Any]) -> tuple[str, str]:
        try:
            answer = await self._call(service, operation, members)
        except ServiceError as error:
            return error.code, error.message
        raise AssertionError(f"{operation} was not refused: {answer}")

    async def _call(self, service: str, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        api, implementation = self._apis[service]
        row = next(row for row in api.OPERATIONS if row.name == operation)
        given = {name: value for name, value in members.items() if value is not None}
        request = msgspec.json.decode(msgspec.json.encode(given), type=row.request)
        answer = await getattr(implementation, row.method)(self.ctx, request)
        shown: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer)) if answer is not None else {}
        return shown
