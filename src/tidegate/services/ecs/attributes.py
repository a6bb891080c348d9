"""Attributes of container instances. As there are none yet, nothing can carry an attribute: writes are refused."""

from __future__ import annotations

import re
from typing import NoReturn

from tidegate.api import ecs
from tidegate.api.shape import Context
from tidegate.model.task import AttributeRecord
from tidegate.services.ecs.clusters import get_cluster
from tidegate.services.ecs.limits import list_page
from tidegate.services.writes import Clock
from tidegate.store.store import Store

MAX_ATTRIBUTES = 10
# Source of both: API reference, Attribute.
_NAME = re.compile(r"[A-Za-z0-9_./\\-]{1,128}")
_VALUE = re.compile(r"(?! )[A-Za-z0-9_.@/\\: -]{1,128}(?<! )")


class Attributes:
    """The operations on attributes."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def list_attributes(self, ctx: Context, request: ecs.ListAttributesRequest) -> ecs.ListAttributesResponse:
        """The attributes in a cluster, by target and name, filtered by name and value."""
        cluster = get_cluster(self._store, ctx, request.cluster)
        if request.attribute_value is not None and request.attribute_name is None:
            raise ecs.InvalidParameterException("attributeValue requires attributeName.")
        found, token = list_page(
            (
                record
                for record in self._store.select(AttributeRecord)
                if record.cluster == cluster.name
                and request.attribute_name in (None, record.name)
                and request.attribute_value in (None, record.spec.value)
            ),
            lambda record: record.key,
            operation="ListAttributes",
            token=request.next_token,
            max_results=request.max_results,
        )
        return ecs.ListAttributesResponse(attributes=tuple(record.spec for record in found), next_token=token)

    async def put_attributes(self, ctx: Context, request: ecs.PutAttributesRequest) -> ecs.PutAttributesResponse:
        """Refused with TargetNotFoundException, once the request itself is valid."""
        self._refuse(ctx, request.cluster, request.attributes)

    async def delete_attributes(
        self, ctx: Context, request: ecs.DeleteAttributesRequest
    ) -> ecs.DeleteAttributesResponse:
        """Refused with TargetNotFoundException, once the request itself is valid."""
        self._refuse(ctx, request.cluster, request.attributes)

    def _refuse(self, ctx: Context, cluster: str | None, attributes: tuple[ecs.Attribute, ...]) -> NoReturn:
        get_cluster(self._store, ctx, cluster)
        if not 1 <= len(attributes) <= MAX_ATTRIBUTES:
            raise ecs.InvalidParameterException(f"attributes should have 1 to {MAX_ATTRIBUTES} items.")
        for attribute in attributes:
            if not attribute.name or not attribute.target_id:
                raise ecs.InvalidParameterException("An attribute should have a name and a targetId.")
            if not _NAME.fullmatch(attribute.name):
                raise ecs.InvalidParameterException(
                    "An attribute's name can have 1 to 128 letters, numbers, hyphens, underscores, slashes and periods."
                )
            if attribute.value is not None and not _VALUE.fullmatch(attribute.value):
                raise ecs.InvalidParameterException(
                    "An attribute's value can have 1 to 128 letters, numbers, hyphens, underscores, periods, at signs, "
                    "slashes and colons, and spaces inside it."
                )
        raise ecs.TargetNotFoundException(f"The specified target was not found: {attributes[0].target_id}")
