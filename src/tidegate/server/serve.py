"""`tidegate server`: the house behind HTTP, until a signal says otherwise."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import structlog

from tidegate import __version__
from tidegate.api import ec2, ecs, iam, logs, secretsmanager, ssm, sts, tidegate
from tidegate.kernel import failpoint
from tidegate.kernel.privacy import forbid_core_dumps
from tidegate.model.account import AccessKey
from tidegate.node.network.ranges import pick_cidr
from tidegate.server.authorization import TABLES
from tidegate.server.channels.ecs_sessions import EcsSessions
from tidegate.server.channels.entrance import Entrance
from tidegate.server.config import Config, ConfigError
from tidegate.server.control import ControlService
from tidegate.server.failures import in_words
from tidegate.server.house import House, open_house
from tidegate.server.http import serving
from tidegate.server.keyring import StoreKeyRing
from tidegate.server.logging import configure_logging
from tidegate.server.statedir import Listening
from tidegate.services.ec2.service import Ec2
from tidegate.services.ecs.execute_command import ExecuteCommand
from tidegate.services.ecs.service import Ecs
from tidegate.services.iam.gate import RequestGate
from tidegate.services.iam.service import Iam
from tidegate.services.logs.service import Logs
from tidegate.services.secretsmanager.service import SecretsManager
from tidegate.services.ssm.service import Ssm
from tidegate.services.sts.service import Sts
from tidegate.wire.app import Application
from tidegate.wire.authentication import Identity
from tidegate.wire.gate import Limits
from tidegate.wire.routing import Service, serve_with

log = structlog.get_logger()

TASK_LIMITS = Limits(most=512, most_of_one_address=32)


def serve(config: Config) -> None:
    """Run until SIGINT or SIGTERM. Raises ConfigError."""
    configure_logging(config)
    failpoint.arm_by_environment()
    _raise_descriptor_limit()
    forbid_core_dumps()
    if os.geteuid() != 0:
        raise ConfigError("cannot run the server: it makes namespaces, mounts and cgroups, which takes root; use sudo")
    listener = _bind(config)
    try:
        with in_words("run the server"):
            anyio.run(_serve, config, listener, backend="asyncio", backend_options={"use_uvloop": True})
    finally:
        listener.close()


async def _serve(config: Config, listener: socket.socket) -> None:
    began = time.perf_counter()
    async with open_house(config, pick_cidr) as house:
        app = application(config, house)
        endpoint = _endpoint(listener)
        async with AsyncExitStack() as stack:
            entrance = Entrance(app, house.tickets, house.node.engine, house.control.logs.sink)
            await stack.enter_async_context(serving(entrance, listener, Limits()))
            if config.tasks_may_call_api:
                await stack.enter_async_context(_serving_tasks(config, house))
            _announce(house, endpoint)
            log.info("ready", endpoint=endpoint, ms=round((time.perf_counter() - began) * 1000))
            await _wait_for_signal()
            log.info("ending; tasks go on without me")


@asynccontextmanager
async def _serving_tasks(config: Config, house: House) -> AsyncIterator[None]:
    """The API for tasks: connections and memory of their own, so that they keep nobody else waiting."""
    with house.node.network.listen_for_api() as listener:
        async with serving(application(config, house), listener, TASK_LIMITS):
            yield


def application(config: Config, house: House) -> Application:
    """Every service behind one address."""
    control, node = house.control, house.node
    keys = None
    if not config.insecure_no_auth:
        keys = StoreKeyRing(control.store, control.sealer, control.sessions, control.account)

    def health() -> Mapping[str, object]:
        return {"status": "ok", "version": __version__, "region": control.account.region, "runtime": node.runtime_name}

    identity = Identity(control.account.id, control.account.region)
    gate = RequestGate(control.authorizer, control.store, TABLES)
    return Application(services(house), identity, keys, health, gate=gate, tells_successes=config.verbose)


def services(house: House) -> list[Service]:
    """What is served; each has its table of what its operations need in `server.authorization`."""
    control, node = house.control, house.node
    execute = ExecuteCommand(control.store, EcsSessions(house.tickets), control.task_roles.may_role)
    return [
        serve_with(ecs, Ecs(control.store, time.time, control.task_roles, execute)),
        serve_with(logs, Logs(control.store, control.logs.events, time.time)),
        serve_with(iam, Iam(control.store, control.sealer, time.time)),
        serve_with(sts, Sts(control.store, control.sessions, control.authorizer, time.time)),
        serve_with(ssm, Ssm(control.store, control.sealer, time.time)),
        serve_with(secretsmanager, SecretsManager(control.store, control.sealer, time.time)),
        serve_with(ec2, Ec2(control.store, time.time)),
        serve_with(
            tidegate,
            ControlService(
                control.store,
                node.images,
                node.engine,
                node.architecture,
                node.runtime_name,
                house.tickets,
                control.rotation,
            ),
        ),
    ]


def _raise_descriptor_limit() -> None:
    """Each container holds two descriptors and each connection one: take what we may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bind(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.address, config.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {config.address}:{config.port}: {error.strerror}. Choose another with --listen"
        ) from error
    return listener


def _endpoint(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _announce(house: House, endpoint: str) -> None:
    """Say where the server is: to other commands in the state directory, to people once on the terminal."""
    control = house.control
    roots = (key for key in control.store.select(AccessKey) if not key.user)
    key = control.new_key[0] if control.new_key else min(roots, key=lambda k: k.created_at).id
    try:
        control.state.write_listening(Listening(endpoint, os.getpid(), key))
    except OSError as error:
        raise ConfigError(
            f"cannot write where the server listens into {control.state.path}: {error.strerror}"
        ) from error
    if control.new_key is not None:
        print(
            "A root access key was made; it is shown this once "
            f"(later: tidegate env --state-dir {control.state.path}):\n"
            f"  AWS_ACCESS_KEY_ID={control.new_key[0]}\n  AWS_SECRET_ACCESS_KEY={control.new_key[1]}",
            file=sys.stderr,
            flush=True,
        )


async def _wait_for_signal() -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            return
