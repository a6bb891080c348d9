"""What the server is told at its start, and what is refused right away."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tidegate.services.account import LONGEST_VPC_PREFIX

LEAST_KEEP_SECONDS = 60.0
MOST_KEEP_SECONDS = 90 * 86_400.0


class ConfigError(Exception):
    """The server can't be run like this; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Config:
    """The options of `tidegate server`."""

    state_directory: Path
    address: str = "127.0.0.1"
    port: int = 4566
    """0: any free one; server.json says which."""
    region: str = "us-east-1"
    account_id: str = "000000000000"
    vpc_cidr: str | None = None
    insecure_no_auth: bool = False
    insecure_registry: tuple[str, ...] = ()
    tasks_may_call_api: bool = False
    """Tasks reach this server's API at 169.254.170.2:4566, with the credentials of their roles."""
    strict_capacity: bool = False
    strict_iam: bool = False
    """Roles that nobody has created are not made."""
    keep_stopped_seconds: float = 3600
    reserve_memory: int | None = None
    """MiB; None: by the size of the host."""
    reserve_disk: int | None = None
    """MiB; None: by the size of the disk."""
    s3_root: Path | None = None
    """Where objects of S3 are, as BUCKET/KEY; None: `s3` in the state directory."""
    runtime: Literal["auto", "crun", "runc"] = "auto"
    scratch: Literal["auto", "quota", "loop", "unlimited"] = "auto"
    """How the disks of tasks are limited; auto: the best way that works here."""
    efs_root: tuple[str, ...] = ()
    efs_access_point: tuple[str, ...] = ()
    """See `node.volume.efsmap`."""
    log_format: Literal["auto", "console", "json"] = "auto"
    verbose: bool = False

    def __post_init__(self) -> None:
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError as error:
            raise ConfigError(f"cannot listen on `{self.address}`: it is not an IP address") from error
        if self.insecure_no_auth and not address.is_loopback:
            raise ConfigError(
                f"cannot listen on {self.address} with --insecure-no-auth: without signatures anybody who reaches the "
                "port controls this host. Listen on 127.0.0.1, or leave signatures on"
            )
        if self.insecure_no_auth and self.tasks_may_call_api:
            raise ConfigError(
                "cannot use --tasks-may-call-api with --insecure-no-auth: without signatures every task would control "
                "this host. Leave signatures on"
            )
        if not re.fullmatch(r"\d{12}", self.account_id):
            raise ConfigError(f"cannot use account id `{self.account_id}`: it has to be 12 digits")
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", self.region):
            raise ConfigError(f"cannot use region `{self.region}`: it has to look like us-east-1")
        if not LEAST_KEEP_SECONDS <= self.keep_stopped_seconds <= MOST_KEEP_SECONDS:
            raise ConfigError("cannot keep stopped tasks for so long: give --keep-stopped from 1m to 90d")
        if self.vpc_cidr is not None:
            self._check_cidr(self.vpc_cidr)

    @staticmethod
    def _check_cidr(text: str) -> None:
        try:
            network = ipaddress.IPv4Network(text)
        except ValueError as error:
            raise ConfigError(f"cannot use `{text}` for the VPC: {error}") from error
        if not 16 <= network.prefixlen <= LONGEST_VPC_PREFIX or not network.is_private:
            raise ConfigError(
                f"cannot use `{text}` for the VPC: it has to be a private range between /16 and /{LONGEST_VPC_PREFIX}"
            )
