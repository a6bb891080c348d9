"""DiscoverPollEndpoint: where a container instance's agent would connect."""

from __future__ import annotations

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.services.ecs.names import parse_cluster


class PollEndpoint:
    """The operation DiscoverPollEndpoint. endpoint: this server's own URL; None if it serves no agents."""

    def __init__(self, endpoint: str | None) -> None:
        self._endpoint = endpoint

    async def discover_poll_endpoint(
        self, ctx: Context, request: ecs.DiscoverPollEndpointRequest
    ) -> ecs.DiscoverPollEndpointResponse:
        """This server for all three; ClientException if it has no endpoint for agents."""
        parse_cluster(request.cluster, ctx)
        if self._endpoint is None:
            raise ecs.ClientException("cannot name a poll endpoint: container instances are not supported yet")
        return ecs.DiscoverPollEndpointResponse(
            endpoint=self._endpoint, telemetry_endpoint=self._endpoint, service_connect_endpoint=self._endpoint
        )
