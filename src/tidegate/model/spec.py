"""What an engine is asked to run: neutral, complete, and free of AWS's shapes."""

from __future__ import annotations

from typing import Literal

import msgspec

from tidegate.model.arn import arn

Condition = Literal["START", "COMPLETE", "SUCCESS", "HEALTHY"]
Protocol = Literal["tcp", "udp"]


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the parts of a TaskSpec; equal content means equal value."""


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


class LogTarget(Spec, frozen=True, kw_only=True):
    """Where a container's output goes: a stream of a log group."""

    group: str
    stream: str
    create_group: bool = False


class ContainerSpec(Spec, frozen=True, kw_only=True):
    """One container of a task. None means: as the image says."""

    name: str
    arn: str = ""
    image: str
    """The reference as the user wrote it (`nginx`, `repo/app:3`, `repo@sha256:...`)."""
    essential: bool = True
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    """On top of the image's; overrides already merged."""
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
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    log: LogTarget | None = None


class PublishedPort(Spec, frozen=True, kw_only=True):
    """A port of the host that leads to a port of the task."""

    host_port: int
    container_port: int
    protocol: Protocol = "tcp"
    host_address: str = "127.0.0.1"


class NetworkSpec(Spec, frozen=True, kw_only=True):
    """The task's own network interface (awsvpc)."""

    interface: str
    """eni-..."""
    address: str
    """IPv4, e.g. 10.64.0.10."""
    prefix_length: int
    """Of the subnet."""
    gateway: str
    mac: str
    hostname: str = ""
    security_groups: tuple[str, ...] = ()
    published: tuple[PublishedPort, ...] = ()


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
    architecture: Literal["x86_64", "arm64"] = "x86_64"
    ephemeral_storage_gib: int = 20
    shares_process_namespace: bool = False
    task_role: str | None = None
    """ARN: whose credentials the containers may fetch."""
    execution_role: str | None = None
    """ARN: in whose name the node pulls images, writes logs and reads secrets."""
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


class Rule(Spec, frozen=True, kw_only=True):
    """One permission of a security group. Ports are inclusive; protocol `-1` means all of them."""

    protocol: str
    """tcp, udp, icmp or -1."""
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    group: str | None = None
    """A security group's id: its members' addresses. Exactly one of `cidr` and `group` is set."""


class SecurityGroupSpec(Spec, frozen=True, kw_only=True):
    """What may reach its members (ingress), and what they may reach (egress)."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
