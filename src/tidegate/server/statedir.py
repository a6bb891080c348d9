"""
The state directory: everything that one server owns, and how others find the server by it.

    identity.json     instance, region, account (written once)
    server.json       where the server listens, and its process (written at each start)
    master.key        seals secrets
    store/            records
    logs/             log streams
    images/           images
    node/             tasks, and the key behind the ids of their credentials
    network/          namespaces
    scratch/          the disks of tasks; scratch.kind: how they are limited
    mounts/           EFS volumes of tasks, mounted
    s3/               objects of S3, BUCKET/KEY, if somebody has put any there
    run/              what lives as long as containers do, in memory

All of it is 0700 and root's.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tidegate.model.account import AccessKey, Account
from tidegate.services.account import access_key_context
from tidegate.store.secrets import Sealer, SecretError
from tidegate.store.sqlite import read_record

DEFAULT_STATE_DIRECTORY = Path("/var/lib/tidegate")


class StateUnreadable(Exception):
    """The directory is not a server's, or not ours to read; the message says what to do."""


class Listening(msgspec.Struct, frozen=True):
    """server.json."""

    endpoint: str
    pid: int
    access_key: str
    """The root key's id; its secret is sealed in the store."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a client needs to know of a server."""

    endpoint: str
    region: str
    account: str
    access_key: str
    secret_key: str


class StateDirectory:
    """Names the places in a state directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.store_file = self.path / "store" / "tidegate.db"
        self.master_key = self.path / "master.key"
        self.logs = self.path / "logs"
        self.images = self.path / "images"
        self.node = self.path / "node"
        self.endpoint_key = self.node / "endpoint.key"
        self.network = self.path / "network"
        self.scratch = self.path / "scratch"
        self.mounts = self.path / "mounts"
        self.objects = self.path / "s3"
        self.runtime = self.path / "run"

    @property
    def instance(self) -> str:
        """
        Eight hex digits that are this server's on this host: they name its bridge, firewall table and cgroup.

        They follow from the directory's real path, so that a server finds what it made before.
        """
        return hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:8]

    def create(self) -> None:
        """Make it, closed to others. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def write_listening(self, listening: Listening) -> None:
        """Say where the server is to be found."""
        aside = self.path / "server.json.new"
        aside.write_bytes(msgspec.json.encode(listening))
        aside.replace(self.path / "server.json")

    def read_listening(self) -> Listening | None:
        """Where the server is, or was last."""
        try:
            return msgspec.json.decode((self.path / "server.json").read_bytes(), type=Listening)
        except FileNotFoundError:
            return None

    def read_identity(self) -> Identity:
        """The server's address and its root key. Raises StateUnreadable."""
        try:
            return self._read_identity()
        except SecretError:
            return self._read_identity()  # the master key was replaced between the record and the key

    def _read_identity(self) -> Identity:
        try:
            listening = self.read_listening()
            account = read_record(self.store_file, Account, "account") if listening else None
            key = read_record(self.store_file, AccessKey, listening.access_key) if listening else None
        except PermissionError as error:
            raise StateUnreadable(f"cannot read {self.path}: it is root's; use sudo") from error
        if listening is None or account is None or key is None:
            raise StateUnreadable(
                f"there is no Tidegate state in {self.path}; start a server with "
                f"`tidegate server --state-dir {self.path}`, or name another directory with --state-dir"
            )
        secret = Sealer.open(self.master_key).unseal(key.sealed_secret, access_key_context(key.id))
        return Identity(listening.endpoint, account.region, account.id, key.id, secret.decode())
