"""What a network mode leaves no room for is refused."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.definitions import container, ec2, fargate, refusal
from tidegate.services.ecs.definitions.acceptance import accept


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"links": ["db"]}, "Links are not supported when networkMode=awsvpc"),
        ({"hostname": "h"}, "hostname is not supported on container when networkMode=awsvpc"),
        ({"dnsServers": ["1.1.1.1"]}, "DNS servers are not supported on container when networkMode=awsvpc"),
        ({"dnsSearchDomains": ["a.b"]}, "DNS search domains are not supported on container when networkMode=awsvpc"),
        (
            {"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}]},
            "Extra hosts are not supported on container when networkMode=awsvpc",
        ),
        ({"disableNetworking": True}, "Disable Networking is not supported on container when networkMode=awsvpc"),
    ],
)
def test_awsvpc_leaves_names_and_links_to_the_vpc(members: dict[str, Any], message: str) -> None:
    """Each is refused in awsvpc and accepted with a bridge."""
    assert refusal(fargate(container(**members))) == message
    accept(ec2(container(**members)))


def test_links_need_a_bridge() -> None:
    """Neither the host's network nor none has links."""
    assert refusal(ec2(container(links=["db"]), networkMode="host")) == "Links are not supported when networkMode=host"


def test_proxies_need_awsvpc_and_their_container() -> None:
    """The proxy is one of the task's containers, on the task's own interface."""
    proxy = {"containerName": "envoy", "type": "APPMESH"}
    assert refusal(ec2(proxyConfiguration=proxy)) == "proxyConfiguration is only supported when networkMode=awsvpc"
    assert refusal(fargate(proxyConfiguration=proxy)) == "Unknown container 'envoy' in proxyConfiguration"


def test_empty_lists_are_no_use() -> None:
    """Tools send empty lists for what they don't use."""
    accept(fargate(container(links=[], dnsServers=[], dnsSearchDomains=[], extraHosts=[], disableNetworking=False)))
