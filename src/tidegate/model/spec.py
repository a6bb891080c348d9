"""What an engine is asked to run: neutral, complete, and free of AWS's shapes."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.model.arn import arn
from tidegate.model.network import NetworkSpec, Protocol, PublishedPort, Rule, SecurityGroupSpec, Spec

__all__ = [
    "Condition",
    "ContainerSpec",
    "Dependency",
    "HealthCheck",
    "LogTarget",
    "Mount",
    "NetworkSpec",
    "Protocol",
    "PublishedPort",
    "RestartPolicy",
    "Rule",
    "SecurityGroupSpec",
    "Spec",
    "TaskSpec",
    "Tmpfs",
    "Ulimit",
]

DEFAULT_STORAGE_GIB = 20
"""Ephemeral storage of a task that asks for none (Developer Guide, Fargate task ephemeral storage)."""

Condition = Literal["CREATE", "START", "COMPLETE", "SUCCESS", "HEALTHY"]
"""CREATE is not the API's: it is what taking another container's volumes over comes to, and orders no stop."""


class Dependency(Spec, frozen=True, kw_only=True):
    """Start only when `container` has reached `condition`."""

    container: str
    condition: Condition


class HealthCheck(Spec, frozen=True, kw_only=True):
    """command: what follows CMD or CMD-SHELL, as an argument list ready to execute."""

    command: tuple[str, ...]
    interval_seconds: float = 30
    timeout_seconds: float = 5
    retries: int = 3
    start_period_seconds: float = 0


class RestartPolicy(Spec, frozen=True, kw_only=True):
    """A container that exits is started again, if it ran for long enough and with another exit code than these."""

    ignored_exit_codes: tuple[int, ...] = ()
    attempt_period_seconds: float = 300


class Ulimit(Spec, frozen=True, kw_only=True):
    """name without the RLIMIT_ prefix, lower case, as the API has it."""

    name: str
    soft: int
    hard: int


class Tmpfs(Spec, frozen=True, kw_only=True):
    """A memory file system in the container."""

    path: str
    size_mib: int
    options: tuple[str, ...] = ()


class Mount(Spec, frozen=True, kw_only=True):
    """One of the task's volumes in a container."""

    volume: str
    path: str
    read_only: bool = False


class VolumesFrom(Spec, frozen=True, kw_only=True):
    """Mount what another container of the task mounts, its image's volumes included."""

    container: str
    read_only: bool = False


class EfsVolume(Spec, frozen=True, kw_only=True):
    """A directory of an EFS file system, which outlives the task."""

    name: str
    file_system: str
    """fs-..."""
    directory: str = "/"
    access_point: str | None = None
    """fsap-..."""
    checks_iam: bool = False
    """The task's role must be allowed to mount it."""


class LogTarget(Spec, frozen=True, kw_only=True):
    """Where a container's output goes: a stream of a log group."""

    group: str
    stream: str
    create_group: bool = False
    begins_event: str = ""
    """A regular expression (see `model.regex`) for the lines that begin an event; empty: each line is one."""
    is_blocking: bool = False
    """The container is held up rather than that a line is lost."""
    max_buffer_bytes: int = 10 * 1024 * 1024
    """So much may wait before lines are dropped, if it is not blocking."""


class ForwardTarget(Spec, frozen=True, kw_only=True):
    """Where a container's output goes: a receiver of the Fluent Forward protocol."""

    tag: str
    address: str = ""
    """`tcp://HOST:PORT` or `unix://PATH`; empty: the task's log router."""
    has_acknowledgements: bool = True
    """The receiver says what it has taken."""
    is_blocking: bool = False
    max_buffer_bytes: int = 10 * 1024 * 1024


ROUTER_VOLUME = "firelens:socket"
"""The volume that a task's log router makes its socket in; no user's volume can be called so."""

ROUTER_DIRECTORY = "/var/run"
"""Where it is mounted in the router."""


class RouterOutput(Spec, frozen=True, kw_only=True):
    """What a log router does with one container's output. options: its plugin's, with the plugin's name."""

    container: str
    options: dict[str, str] = msgspec.field(default_factory=dict)
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    """Option -> the router's environment variable that has its value."""


class LogRouter(Spec, frozen=True, kw_only=True):
    """The container routes the output of others (FireLens)."""

    kind: Literal["fluentd", "fluentbit"]
    adds_metadata: bool = True
    """Of the task, to each record."""
    include: str = ""
    """A file in its image with more of its configuration."""
    outputs: tuple[RouterOutput, ...] = ()


class ContainerSpec(Spec, frozen=True, kw_only=True):
    """One container of a task. None means: as the image says."""

    name: str
    arn: str = ""
    image: str
    """The reference as the user wrote it (`nginx`, `repo/app:3`, `repo@sha256:...`)."""
    keeps_image_version: bool = True
    """If its tag moves, it still means what it meant when the task's launch first used it."""
    essential: bool = True
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    """On top of the image's; overrides already merged."""
    environment_files: tuple[str, ...] = ()
    """ARNs of S3 objects, read when it is launched. Below `environment`; of several the first that has a variable."""
    secrets: dict[str, str] = msgspec.field(default_factory=dict)
    """Variable -> what its value is read from when it is launched (`model.secret_reference`). Above `environment`."""
    log_secrets: dict[str, str] = msgspec.field(default_factory=dict)
    """Option of the log driver -> what its value is read from when it is launched."""
    repository_credentials: str | None = None
    """The secret, by ARN or name, with the login for the image's registry."""
    working_directory: str | None = None
    user: str | None = None
    cpu_units: int = 0
    """1024 = one vCPU; 0 = no share of its own (the kernel's least, 2)."""
    memory_mib: int | None = None
    memory_reservation_mib: int | None = None
    depends_on: tuple[Dependency, ...] = ()
    health_check: HealthCheck | None = None
    start_timeout_seconds: float | None = None
    stop_timeout_seconds: float = 30
    restart_policy: RestartPolicy | None = None
    """None: what has exited stays so."""
    interactive: bool = False
    """Its standard input stays open."""
    terminal: bool = False
    """Its standard streams are a terminal."""
    readonly_root: bool = False
    init_process: bool = False
    capabilities_add: tuple[str, ...] = ()
    """Without the CAP_ prefix."""
    capabilities_drop: tuple[str, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    shared_memory_mib: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: dict[str, str] = msgspec.field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[VolumesFrom, ...] = ()
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    log: LogTarget | None = None
    forward: ForwardTarget | None = None
    """In place of `log`; without either, output is dropped."""
    router: LogRouter | None = None
    log_driver: str = ""
    log_options: dict[str, str] = msgspec.field(default_factory=dict)
    """As the container is told of them: awslogs has its stream in place of the prefix."""


class TaskSpec(Spec, frozen=True, kw_only=True):
    """Up to ten containers that share a network interface, and the limits on them together."""

    id: str
    """32 lower-case hex digits."""
    account: str = ""
    """12 digits."""
    region: str = ""
    cluster: str
    family: str
    family_revision: int
    cpu_units: int
    memory_mib: int
    containers: tuple[ContainerSpec, ...]
    network: NetworkSpec
    volumes: tuple[str, ...] = ()
    """Names of empty directories that live as long as the task."""
    efs_volumes: tuple[EfsVolume, ...] = ()
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    ephemeral_storage_gib: int = DEFAULT_STORAGE_GIB
    shares_process_namespace: bool = False
    task_role: str | None = None
    """ARN: whose credentials the containers may fetch."""
    execution_role: str | None = None
    """ARN: in whose name the node pulls images, writes logs and reads secrets."""
    launch: str = ""
    """Tasks of one launch run the same version of an image; empty: it is alone in it."""
    group: str = ""
    """`family:<family>`, `service:<name>` or as RunTask was told."""
    service: str = ""
    """The name of the service that started it; empty: none did."""
    availability_zone: str = ""

    @property
    def arn(self) -> str:
        """arn:aws:ecs:<region>:<account>:task/<cluster>/<id>."""
        return arn("ecs", self.region, self.account, f"task/{self.cluster}/{self.id}")

    @property
    def cluster_arn(self) -> str:
        """arn:aws:ecs:<region>:<account>:cluster/<name>."""
        return arn("ecs", self.region, self.account, f"cluster/{self.cluster}")

    def runtime_id(self, container: str) -> str:
        """As on Fargate: the task's id and ten digits, known before the container is, the same for its life."""
        position = [c.name for c in self.containers].index(container)
        return f"{self.id}-{(int(self.id[:12], 16) * 31 + position) % 10**10:010d}"
