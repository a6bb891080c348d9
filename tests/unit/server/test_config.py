"""What the server refuses to be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.server.config import Config, ConfigError


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"address": "example"}, "it is not an IP address"),
        ({"address": "0.0.0.0", "insecure_no_auth": True}, "anybody who reaches the port controls this host"),
        ({"account_id": "12"}, "it has to be 12 digits"),
        ({"keep_stopped_seconds": 59}, "from 1m to 90d"),
        ({"keep_stopped_seconds": 91 * 86_400}, "from 1m to 90d"),
        ({"insecure_no_auth": True, "tasks_may_call_api": True}, "every task would control"),
        ({"region": "mars"}, "it has to look like us-east-1"),
        ({"vpc_cidr": "8.8.0.0/16"}, "private"),
        ({"vpc_cidr": "10.0.0.1/16"}, "host bits"),
    ],
)
def test_refuses(options: dict[str, Any], why: str):
    """Each bad option is refused with what to change."""
    with pytest.raises(ConfigError, match=why):
        Config(Path("/state"), **options)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_no_auth_on_loopback(address: str):
    """Signatures may be switched off where only this host can connect."""
    assert Config(Path("/state"), address=address, insecure_no_auth=True).insecure_no_auth


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "10.213.7.0/24", "172.16.0.0/20"])
def test_ranges_for_tasks(cidr: str):
    """A private range of any size that EC2's smallest subnets fit into."""
    assert Config(Path("/state"), vpc_cidr=cidr).vpc_cidr == cidr


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/25", "x", "fd00::/16"])
def test_ranges_that_are_refused(cidr: str):
    """Too large, too small, or no range at all."""
    with pytest.raises(ConfigError, match="for the VPC"):
        Config(Path("/state"), vpc_cidr=cidr)
