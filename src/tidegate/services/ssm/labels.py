"""
LabelParameterVersion and UnlabelParameterVersion. A label is on one version at a time.

Source: User Guide, "Working with parameter labels"; texts as observed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter
from tidegate.services.ssm.names import get_parameter
from tidegate.services.ssm.values import ParameterValues
from tidegate.services.ssm.writes import settle
from tidegate.store.store import Put, Store

MAX_LABELS = 10
_LABEL = re.compile(r"(?!aws|ssm)[a-z_.\-][a-z0-9_.\-]*", re.IGNORECASE)
_LIMIT = "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again."


class ParameterLabels:
    """The operations."""

    def __init__(self, store: Store, values: ParameterValues) -> None:
        self._store = store
        self._values = values

    async def label_parameter_version(
        self, ctx: Context, request: ssm.LabelParameterVersionRequest
    ) -> ssm.LabelParameterVersionResult:
        """Put labels on a version (the latest, if none is named), from wherever they are; bad ones are named."""
        return await settle(partial(self._label, ctx, request))

    async def unlabel_parameter_version(
        self, ctx: Context, request: ssm.UnlabelParameterVersionRequest
    ) -> ssm.UnlabelParameterVersionResult:
        """Take labels from a version; those that are not on it are named."""
        return await settle(partial(self._unlabel, ctx, request))

    async def _label(self, ctx: Context, request: ssm.LabelParameterVersionRequest) -> ssm.LabelParameterVersionResult:
        parameter = get_parameter(self._store, ctx, request.name)
        number = request.parameter_version or parameter.latest
        self._values.version(parameter, number)
        valid = [label for label in dict.fromkeys(request.labels) if _LABEL.fullmatch(label)]
        labels = parameter.labels | dict.fromkeys(valid, number)
        if list(labels.values()).count(number) > MAX_LABELS:
            raise ssm.ParameterVersionLabelLimitExceeded(_LIMIT)
        await self._put(parameter, labels)
        invalid = tuple(label for label in dict.fromkeys(request.labels) if label not in valid)
        return ssm.LabelParameterVersionResult(invalid_labels=invalid, parameter_version=number)

    async def _unlabel(
        self, ctx: Context, request: ssm.UnlabelParameterVersionRequest
    ) -> ssm.UnlabelParameterVersionResult:
        parameter = get_parameter(self._store, ctx, request.name)
        number = request.parameter_version
        self._values.version(parameter, number)
        asked = tuple(dict.fromkeys(request.labels))
        removed = tuple(label for label in asked if parameter.labels.get(label) == number)
        await self._put(parameter, _without(parameter.labels, removed))
        return ssm.UnlabelParameterVersionResult(
            removed_labels=removed, invalid_labels=tuple(label for label in asked if label not in removed)
        )

    async def _put(self, parameter: Parameter, labels: dict[str, int]) -> None:
        await self._store.commit(Put(replace(parameter, labels=labels)))


def _without(labels: dict[str, int], removed: Iterable[str]) -> dict[str, int]:
    gone = set(removed)
    return {label: number for label, number in labels.items() if label not in gone}
