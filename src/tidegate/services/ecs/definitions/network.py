"""
Rules that depend on the network mode alone.

Source: API reference, ContainerDefinition; texts as observed, the one for DNS search domains by analogy.
"""

from __future__ import annotations

from tidegate.api import ecs

_AWSVPC = "when networkMode=awsvpc"


def check_network(definition: ecs.TaskDefinition) -> None:
    """Refuse what the network mode leaves no room for. Raises ClientException."""
    for container in definition.container_definitions or ():
        if definition.network_mode == "awsvpc":
            _check_awsvpc(container)
        elif container.links and definition.network_mode != "bridge":
            raise ecs.ClientException(f"Links are not supported when networkMode={definition.network_mode}")
    proxy = definition.proxy_configuration
    if proxy is not None:
        if definition.network_mode != "awsvpc":
            raise ecs.ClientException("proxyConfiguration is only supported when networkMode=awsvpc")
        if all(container.name != proxy.container_name for container in definition.container_definitions or ()):
            raise ecs.ClientException(f"Unknown container '{proxy.container_name}' in proxyConfiguration")


def _check_awsvpc(container: ecs.ContainerDefinition) -> None:
    for value, text in (
        (container.links, f"Links are not supported {_AWSVPC}"),
        (container.hostname, f"hostname is not supported on container {_AWSVPC}"),
        (container.dns_servers, f"DNS servers are not supported on container {_AWSVPC}"),
        (container.dns_search_domains, f"DNS search domains are not supported on container {_AWSVPC}"),
        (container.extra_hosts, f"Extra hosts are not supported on container {_AWSVPC}"),
        (container.disable_networking, f"Disable Networking is not supported on container {_AWSVPC}"),
    ):
        if value:
            raise ecs.ClientException(text)
