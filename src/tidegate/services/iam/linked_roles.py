"""Roles that are linked to a service: made for it by a call, and changed by nobody."""

from __future__ import annotations

import json
import uuid

from tidegate.api import iam
from tidegate.api.shape import Context
from tidegate.model.identity import Role
from tidegate.services.iam.entities import get_named, settled
from tidegate.services.iam.identities import new_id
from tidegate.services.iam.roles import LINKED_PATH, show_role
from tidegate.services.writes import Clock
from tidegate.store.store import Delete, Put, Store

NAMES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}
"""By the service's principal."""
_WITH_SUFFIX = frozenset({"autoscaling.amazonaws.com"})


class LinkedRoles:
    """The operations."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def create_service_linked_role(
        self, ctx: Context, request: iam.CreateServiceLinkedRoleRequest
    ) -> iam.CreateServiceLinkedRoleResponse:
        """The role of a service; InvalidInput if it has one already, or is not known here."""
        service, suffix = request.aws_service_name, request.custom_suffix
        name = NAMES.get(service)
        if name is None:
            raise iam.InvalidInputException(f"Service role can not be created for {service}: it is not known here.")
        if suffix and service not in _WITH_SUFFIX:
            raise iam.InvalidInputException(f"Custom suffix is not allowed for {service}")
        name = f"{name}_{suffix}" if suffix else name

        async def attempt() -> Role:
            if self._store.get(Role, name.lower()) is not None:
                raise iam.InvalidInputException(
                    f"Service role name {name} has been taken in this account, please try a different suffix."
                )
            statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
            role = Role(
                name=name,
                id=new_id(Role),
                path=f"{LINKED_PATH}{service}/",
                created_at=self._now(),
                trust=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
                description=request.description,
            )
            await self._store.commit(Put(role))
            return role

        return iam.CreateServiceLinkedRoleResponse(role=show_role(ctx, await settled(attempt)))

    async def delete_service_linked_role(
        self, ctx: Context, request: iam.DeleteServiceLinkedRoleRequest
    ) -> iam.DeleteServiceLinkedRoleResponse:
        """At once; the answer's id can be asked about, as clients do."""

        async def attempt() -> Role:
            role = get_named(self._store, Role, request.role_name)
            if not role.path.startswith(LINKED_PATH):
                raise iam.NoSuchEntityException(f"The role with name {role.name} is not a service-linked role.")
            await self._store.commit(Delete(role))
            return role

        role = await settled(attempt)
        return iam.DeleteServiceLinkedRoleResponse(deletion_task_id=f"task{role.path}{role.name}/{uuid.uuid4()}")

    async def get_service_linked_role_deletion_status(
        self, ctx: Context, request: iam.GetServiceLinkedRoleDeletionStatusRequest
    ) -> iam.GetServiceLinkedRoleDeletionStatusResponse:
        """SUCCEEDED: a deletion is over when it is answered."""
        if not request.deletion_task_id.startswith(f"task{LINKED_PATH}"):
            raise iam.NoSuchEntityException(f"Deletion task {request.deletion_task_id[:200]} cannot be found.")
        return iam.GetServiceLinkedRoleDeletionStatusResponse(status="SUCCEEDED")
