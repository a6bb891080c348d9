"""
The server's parts, made and wired: the only place that knows which implementation stands behind which contract.

    open_control    the store, keys, the account
    open_node       runtime, images, network, agent: this machine
    open_house      both, and the reconciler between them
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, ip_network
from typing import Literal

import anyio
import structlog

from tidegate.engine.local import LocalEngine
from tidegate.kernel.shared_mount import make_shared, mount_memory, unmake_shared
from tidegate.model.account import AccessKey, Account, SecurityGroup, Subnet, Vpc
from tidegate.model.identity import Group, InstanceProfile, ManagedPolicy, Role, SessionKey, User
from tidegate.model.log import LogGroup, LogStream
from tidegate.model.parameter import Parameter, ParameterVersion
from tidegate.model.record import Record
from tidegate.model.secret import Secret, SecretVersion
from tidegate.model.status import Observation
from tidegate.model.task import AttributeRecord, ClientToken, Cluster, Family, Setting, Task, TaskDefinition
from tidegate.node.agent.agent import Agent
from tidegate.node.agent.blackbox import BlackBoxes
from tidegate.node.agent.capacity import Capacity
from tidegate.node.agent.environment import CombinedEnvironment, DefinedEnvironment
from tidegate.node.agent.environment_files import FileEnvironment
from tidegate.node.agent.launcher import HostLauncher
from tidegate.node.agent.parts import Parts
from tidegate.node.agent.permission import PermittedEnvironment
from tidegate.node.agent.recorder import Recorder
from tidegate.node.agent.secrets import SecretEnvironment
from tidegate.node.endpoint.api_environment import ApiEnvironment
from tidegate.node.endpoint.credentials import CredentialsIds, read_node_key
from tidegate.node.endpoint.environment import EndpointEnvironment
from tidegate.node.image.login import remove_logins
from tidegate.node.image.skopeo import RegistryOptions
from tidegate.node.image.store import ImageStore
from tidegate.node.network.bridge import BridgeNetwork
from tidegate.node.network.network import NetworkFailure
from tidegate.node.network.ranges import find_taken_ranges
from tidegate.node.network.resolver import find_resolvers, resolver_lines
from tidegate.node.output.reader import OutputReader
from tidegate.node.output.sink import LogSink
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.cgroup.probe import CgroupMounts, find_cgroups, read_mounts
from tidegate.node.runtime.cgroup.tasks import TaskCgroups
from tidegate.node.runtime.conmon import ConmonRuntime
from tidegate.node.runtime.counters import CounterReader
from tidegate.node.runtime.oci.host import read_host_facts
from tidegate.node.runtime.probe import NoRuntime, find_toolchain, plan_spawner
from tidegate.node.runtime.toolchain import Kind
from tidegate.node.runtime.trial import Found, find_runtime
from tidegate.node.volume.disks import TaskDisks
from tidegate.reconcile.loop import TaskLoop
from tidegate.server.channels.tickets import Tickets
from tidegate.server.config import Config, ConfigError
from tidegate.server.endpoint import ControlPlane, serving_endpoint
from tidegate.server.key_rotation import KeyRotation
from tidegate.server.statedir import StateDirectory
from tidegate.server.storage import image_limits, make_volumes
from tidegate.services.account import ensure_account, ensure_root_key
from tidegate.services.ecs.definitions.operations import TaskDefinitions
from tidegate.services.execution.filesystems import TaskFileSystemRights
from tidegate.services.execution.launch import ExecutionLaunch
from tidegate.services.execution.objects import ExecutionObjects
from tidegate.services.execution.secrets import ExecutionSecrets
from tidegate.services.iam.authorization import Authorizer
from tidegate.services.iam.sessions import Sessions
from tidegate.services.iam.task_roles import TaskRoles
from tidegate.services.iam.tokens import ensure_session_sealer
from tidegate.services.secretsmanager.deletion import SecretDeletion
from tidegate.store.keyfile import KeyFile
from tidegate.store.logs.store import LogStore
from tidegate.store.objects import ObjectDirectory
from tidegate.store.secrets import Sealer
from tidegate.store.sqlite import SqliteStore
from tidegate.store.store import StoreError

log = structlog.get_logger()

KINDS: tuple[type[Record], ...] = (
    *(Account, AccessKey, Vpc, Subnet, SecurityGroup),
    *(Cluster, Family, TaskDefinition, Task, ClientToken, Setting, AttributeRecord),
    *(LogGroup, LogStream),
    *(Parameter, ParameterVersion, Secret, SecretVersion),
    *(User, Group, Role, ManagedPolicy, InstanceProfile, SessionKey),
)
NODE_ID = "local"
SWEEP_SECONDS = 60
RUNTIME_MIB = 256
"""For what the OCI runtime and the supervisors say of containers: some kilobytes each, as short-lived as they are."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control plane's state."""

    state: StateDirectory
    store: SqliteStore
    logs: LogStore
    sealer: Sealer
    account: Account
    sessions: Sessions
    authorizer: Authorizer
    task_roles: TaskRoles
    rotation: KeyRotation
    new_key: tuple[str, str] | None
    """The root key, if it was made just now: the only time that it is shown."""


@dataclass(frozen=True, slots=True)
class Node:
    """This machine."""

    engine: LocalEngine
    images: ImageStore
    network: BridgeNetwork
    cgroups: TaskCgroups
    volumes: TaskDisks
    runtime_name: str
    architecture: Literal["x86_64", "arm64"]
    credentials: CredentialsIds
    counters: CounterReader


@dataclass(frozen=True, slots=True)
class House:
    """All of it."""

    control: Control
    node: Node
    tickets: Tickets = field(default_factory=lambda: Tickets(time.monotonic))


@asynccontextmanager
async def open_house(config: Config, choose_cidr: Callable[[str], str]) -> AsyncIterator[House]:
    """Everything but HTTP, running. Raises ConfigError."""
    async with (
        open_control(config, choose_cidr) as control,
        open_node(config, control) as node,
        _serving_endpoint(control, node),
    ):
        account = control.account
        loop = TaskLoop(control.store, node.engine, account.id, account.region, time.time, config.keep_stopped_seconds)
        async with anyio.create_task_group() as group:
            group.start_soon(loop.run)
            group.start_soon(_keep_host_firewall, node.network)
            group.start_soon(_drop_deleted, control.store)
            group.start_soon(control.rotation.run)
            yield House(control, node)
            group.cancel_scope.cancel()


@asynccontextmanager
async def open_control(config: Config, choose_cidr: Callable[[str], str]) -> AsyncIterator[Control]:
    """The store, with an account and a root key in it. Raises ConfigError."""
    state = StateDirectory(config.state_directory)
    try:
        state.create()
        store = await SqliteStore.open(state.store_file, KINDS)
    except (OSError, StoreError) as error:
        raise ConfigError(f"cannot open the state in {state.path}: {error}") from error
    try:
        account = store.get(Account, "account")
        if account is None:
            cidr = _free_range(config.vpc_cidr) if config.vpc_cidr else choose_cidr(state.instance)
            account = await ensure_account(store, config.account_id, config.region, cidr, time.time)
        sealer = Sealer.open(state.master_key)
        new_key = await ensure_root_key(store, sealer, time.time)
        async with LogStore.open(state.logs, store) as logs:
            sessions = Sessions(store, await ensure_session_sealer(store, sealer), account, time.time)
            authorizer = Authorizer(store, account, time.time)
            roles = TaskRoles(store, authorizer, time.time, is_strict=config.strict_iam)
            rotation = KeyRotation(store, sealer, KeyFile(state.master_key), KINDS)
            yield Control(state, store, logs, sealer, account, sessions, authorizer, roles, rotation, new_key)
    finally:
        await store.close()


def _serving_endpoint(control: Control, node: Node) -> AbstractAsyncContextManager[None]:
    """What tasks find at 169.254.170.2."""
    return serving_endpoint(
        node.network.listen_to_tasks(),
        node.engine,
        ControlPlane(control.store, control.sessions, control.authorizer),
        node.counters,
        node.credentials,
        find_resolvers(),
        node.volumes,
    )


def _free_range(cidr: str) -> str:
    """The range, if this host does not use it: looked at before anything is kept. Raises ConfigError."""
    wanted = IPv4Network(cidr)
    for text in find_taken_ranges():
        taken = ip_network(text, strict=False)
        if isinstance(taken, IPv4Network) and wanted.overlaps(taken):
            raise ConfigError(f"cannot use {cidr} for the VPC: this host uses {taken}. Name another with --vpc-cidr")
    return cidr


@asynccontextmanager
async def open_node(config: Config, control: Control) -> AsyncIterator[Node]:
    """This machine as an engine. Raises ConfigError."""
    state = control.state
    mounts = read_mounts()
    make_shared(state.path)
    mount_memory(state.runtime, RUNTIME_MIB)
    groups = find_cgroups(mounts)
    cgroups = TaskCgroups(groups, state.instance)
    found = await choose_runtime(config.runtime, state, groups, mounts)
    runtime = ConmonRuntime(found.tools, state.runtime, groups, found.spawner)
    remove_logins(state.runtime)
    registries = RegistryOptions(login_directory=state.runtime, insecure_registries=frozenset(config.insecure_registry))
    images = ImageStore(state.images, registries=registries, limits=image_limits(config, state))
    (vpc,) = control.store.select(Vpc)
    network = BridgeNetwork(state.instance, state.network, vpc.cidr, offers_api=config.tasks_may_call_api)
    sink: LogSink = control.logs.sink
    output = OutputReader(sink)
    host = read_host_facts(found.tools, mounts)
    volumes = await make_volumes(config, state, TaskFileSystemRights(control.store, control.authorizer))
    launcher = HostLauncher(runtime, images, volumes, host, resolver_lines())
    secrets = ExecutionSecrets(control.store, control.sealer, control.authorizer, time.time)
    objects = ExecutionObjects(ObjectDirectory(config.s3_root or state.objects), control.authorizer)
    credentials = CredentialsIds(read_node_key(state.endpoint_key))
    permitted = PermittedEnvironment(ExecutionLaunch(control.store, control.authorizer))
    offered = (ApiEnvironment(),) if config.tasks_may_call_api else ()
    defined = (FileEnvironment(objects), DefinedEnvironment(), SecretEnvironment(secrets))
    environment = CombinedEnvironment(permitted, *offered, *defined, EndpointEnvironment(credentials))
    parts = Parts(
        *(runtime, images, network, cgroups, volumes, launcher, environment, output, sink),
        recorder=Recorder(BlackBoxes(state.node / "black-boxes")),
        now=time.time,
        secrets=secrets,
    )
    capacity = Capacity(NODE_ID, config.reserve_memory, is_strict=config.strict_capacity, storage=volumes)

    def make_agent(publish: Callable[[Observation], None]) -> Agent:
        return Agent(state.node, parts, publish)

    engine = LocalEngine(make_agent, network, capacity)
    await network.open()
    try:
        async with images.open(), volumes.open(), output.open(), engine.open():
            counters = CounterReader(groups, cgroups.container_path, time.time)
            yield Node(
                engine, images, network, cgroups, volumes, runtime.name, host.architecture, credentials, counters
            )
    finally:
        await network.close(remove=False)
        found.spawner.close()


async def choose_runtime(wanted: str, state: StateDirectory, groups: Cgroups, mounts: CgroupMounts) -> Found:
    """What a container was seen to start and end with: crun, else runc; or what was named. Raises ConfigError."""
    try:
        if wanted in ("crun", "runc"):
            kind: Kind = "crun" if wanted == "crun" else "runc"
            return Found(find_toolchain(kind), plan_spawner(kind, mounts))
        found = await find_runtime(state.runtime, f"/tidegate-{state.instance}", groups, mounts)
    except NoRuntime as error:
        raise ConfigError(f"{error}. See `tidegate doctor`") from error
    for reason in found.refused:
        log.warning("a runtime does not work here", why=reason)
    return found


async def remove_from_host(house: House) -> None:
    """Take away what the server made on this host; no task may be left."""
    await house.node.network.close(remove=True)
    await house.node.cgroups.remove_all()
    house.node.volumes.close()
    await house.node.images.close(remove_mounts=True)


def release_state_mount(state: StateDirectory) -> None:
    """The last step of a teardown, when nothing below the directory is mounted any more."""
    unmake_shared(state.path)


async def _keep_host_firewall(network: BridgeNetwork) -> None:
    """Other programs (a docker that restarts) rewrite the host's firewall: look at our part of it now and then."""
    while True:
        await anyio.sleep(30)
        try:
            problems = await network.reconcile_host_firewall()
        except NetworkFailure as error:
            problems = (str(error),)
        for problem in problems:
            log.warning("the host's firewall is in the way of tasks", what=problem)


async def _drop_deleted(store: SqliteStore) -> None:
    """Task definitions that were deleted go when nothing refers to them any more, secrets when their window ends."""
    definitions, secrets = TaskDefinitions(store, time.time), SecretDeletion(store, time.time)
    while True:
        await anyio.sleep(SWEEP_SECONDS)
        try:
            await definitions.collect_deleted()
            await secrets.purge()
        except StoreError as error:
            log.warning("cannot drop what was deleted; trying again", why=str(error))
