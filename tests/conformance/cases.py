"""botocore's protocol cases, with the modules that our generator makes of their models, served by our application."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from botocore.model import OperationModel, ServiceModel

from apigen.render import render
from fakes.http import Answer, ask
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.routing import serve_with

DATA = Path(__file__).parent / "data"
IDENTITY = Identity("123456789012", "eu-north-1")
_numbers = count()


@dataclass(frozen=True)
class Case:
    """One case of a suite: `given` and what else the file says of it; the model has its operation alone."""

    id: str
    protocol: str
    description: dict[str, Any]
    said: Mapping[str, Any]

    @property
    def model(self) -> ServiceModel:
        return ServiceModel(self.description, "conformance")

    @property
    def operation(self) -> OperationModel:
        return self.model.operation_model(self.said["given"]["name"])

    def module(self) -> ModuleType:
        """The API module of this case's model."""
        operation = self.operation
        module = ModuleType(f"conformance_{next(_numbers)}")
        sys.modules[module.__name__] = module
        exec(render(self.description, "conformance", [operation.name], "a protocol case"), module.__dict__)
        return module


class Recorder:
    """Serves every operation: keeps the request, gives the answer."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.request: Any = None

    def __getattr__(self, name: str) -> Any:
        async def call(ctx: object, request: object) -> object:
            self.request = request
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return call


def cases(direction: str) -> Iterator[Case]:
    """Every case of the files `input-*` or `output-*`."""
    for path in sorted(DATA.glob(f"{direction}-*.json")):
        protocol = path.stem.removeprefix(f"{direction}-")
        for suite in json.loads(path.read_text()):
            for said in suite["cases"]:
                operations = {said["given"]["name"]: said["given"]}
                description = {"metadata": suite["metadata"], "shapes": suite["shapes"], "operations": operations}
                yield Case(said["id"], protocol, description, said)


def serve(module: ModuleType, recorder: Recorder, request: Mapping[str, Any]) -> Answer:
    """The application's answer to a request as the cases write it: method, uri, headers, body."""
    application = Application([serve_with(module, recorder)], IDENTITY, None, dict)
    path, _, query = request["uri"].partition("?")
    headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
    if module.TARGET_PREFIX:  # some cases do not say it
        headers.setdefault("x-amz-target", f"{module.TARGET_PREFIX}.{module.OPERATIONS[0].name}")
    body = request.get("body", "")
    return asyncio.run(ask(application, request["method"], path, query, headers, body.encode()))
