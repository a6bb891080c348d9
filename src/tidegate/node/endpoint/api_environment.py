"""How AWS clients in a container find the API of this server, where tasks may call it: by their own variables."""

from __future__ import annotations

from collections.abc import Mapping

from tidegate.model.spec import ContainerSpec, TaskSpec

_URL = "http://169.254.170.2:4566"
_SERVICES = ("ECS", "CLOUDWATCH_LOGS", "IAM", "STS", "SSM", "SECRETS_MANAGER", "EC2")
"""As AWS's SDKs call them in AWS_ENDPOINT_URL_<SERVICE>. Clients of other services still call AWS."""


class ApiEnvironment:
    """A source of environment, see the agent's `EnvironmentSource`; the task definition's values go over it."""

    async def resolve(self, task: TaskSpec, container: ContainerSpec) -> Mapping[str, str]:
        """The same for every container."""
        return {f"AWS_ENDPOINT_URL_{service}": _URL for service in _SERVICES}
