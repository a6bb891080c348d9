"""How a container learns where its endpoint is: the variables that AWS's clients look for."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model.spec import ContainerSpec, TaskSpec
from tidegate.node.endpoint.credentials import CredentialsIds

_URL = "http://169.254.170.2"


class EndpointEnvironment:
    """
    A source of environment, see the agent's `EnvironmentSource`.

    credentials: None where there is nobody to issue any; then no container is told of them.
    """

    def __init__(self, credentials: CredentialsIds | None) -> None:
        self._credentials = credentials

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """ECS sets these whatever the task definition says of them."""
        runtime_id = task.runtime_id(container.name)
        variables = {
            "ECS_CONTAINER_METADATA_URI": f"{_URL}/v3/{runtime_id}",
            "ECS_CONTAINER_METADATA_URI_V4": f"{_URL}/v4/{runtime_id}",
            "ECS_AGENT_URI": f"{_URL}/api/{runtime_id}",
        }
        if self._credentials is not None and task.task_role is not None:
            variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = f"/v2/credentials/{self._credentials.of(task.id)}"
        return variables
