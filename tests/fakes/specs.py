"""Task specifications for tests."""

from __future__ import annotations

import itertools
import secrets
from typing import Any

from tidegate.model.spec import ContainerSpec, NetworkSpec, TaskSpec

_addresses = itertools.count(10)


def network_spec(**changes: Any) -> NetworkSpec:
    """An interface with an address that no other specification of this test run has."""
    number = next(_addresses)
    values: dict[str, Any] = {
        "interface": f"eni-{secrets.token_hex(9)[:17]}",
        "address": f"10.99.{number // 250}.{number % 250 + 4}",
        "prefix_length": 20,
        "gateway": "10.99.0.1",
        "mac": f"02:74:0a:63:{number // 250:02x}:{number % 250 + 4:02x}",
    }
    return NetworkSpec(**(values | changes))


def task_spec(*containers: ContainerSpec, **changes: Any) -> TaskSpec:
    """A task of 256 CPU units and 512 MiB."""
    values: dict[str, Any] = {
        "id": secrets.token_hex(16),
        "cluster": "default",
        "family": "app",
        "family_revision": 1,
        "cpu_units": 256,
        "memory_mib": 512,
        "containers": containers,
        "network": changes.pop("network", None) or network_spec(),
    }
    return TaskSpec(**(values | changes))
