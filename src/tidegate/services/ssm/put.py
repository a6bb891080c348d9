"""
PutParameter: the first version of a parameter, or one more.

Texts are those observed at AWS; those of parameter policies and data types that are not served are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.parameter import Parameter, ParameterVersion, Tier, version_key
from tidegate.model.regex import Regex, RegexRefused
from tidegate.model.sealed import sealed_context
from tidegate.services.ssm.errors import ValidationException
from tidegate.services.ssm.names import check_new_name
from tidegate.services.ssm.tags import check_tags
from tidegate.services.ssm.values import DATA_TYPE
from tidegate.services.ssm.writes import settle
from tidegate.store.secrets import Sealer
from tidegate.store.store import Delete, Put, Store

MAX_VERSIONS = 100
STANDARD_BYTES, ADVANCED_BYTES = 4096, 8192

_EXISTS = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
_TAGS_AND_OVERWRITE = (
    "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove "
    "overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource."
)
_DOWNGRADE = (
    "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier "
    "to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard "
    "parameter."
)


class PutParameter:
    """The operation PutParameter."""

    def __init__(self, store: Store, sealer: Sealer, now: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._now = now

    async def put_parameter(self, ctx: Context, request: ssm.PutParameterRequest) -> ssm.PutParameterResult:
        """Durable when it returns. The value is in no message."""
        check_new_name(request.name)
        _check_request(request)
        pattern = request.allowed_pattern
        if pattern is None:
            pattern = self._latest_pattern(request.name)
        if pattern:
            _check_pattern(pattern, request.value)
        return await settle(partial(self._attempt, ctx, request))

    async def _attempt(self, ctx: Context, request: ssm.PutParameterRequest) -> ssm.PutParameterResult:
        parameter = self._store.get(Parameter, request.name)
        if parameter is not None and not request.overwrite:
            await self._store.commit()  # whoever made it may still wait for the disk
            raise ssm.ParameterAlreadyExists(_EXISTS)
        changes: list[Put | Delete] = []
        if parameter is None:
            version = self._first(ctx, request)
            parameter = Parameter(name=request.name, latest=1, tags=check_tags(request.tags))
        else:
            version = self._next(ctx, request, parameter)
            if version.number - parameter.oldest >= MAX_VERSIONS:
                changes.append(Delete(self._oldest(parameter)))
                parameter = replace(parameter, oldest=parameter.oldest + 1)
            parameter = replace(parameter, latest=version.number)
        await self._store.commit(Put(parameter), Put(version), *changes)
        return ssm.PutParameterResult(version=version.number, tier=version.tier)

    def _first(self, ctx: Context, request: ssm.PutParameterRequest) -> ParameterVersion:
        if request.type is None:
            raise ValidationException("A parameter type is required when you create a parameter.")
        return self._version(ctx, request, 1, request.type, None)

    def _next(self, ctx: Context, request: ssm.PutParameterRequest, parameter: Parameter) -> ParameterVersion:
        last = self._store.get(ParameterVersion, version_key(parameter.name, parameter.latest))
        assert last is not None
        return self._version(ctx, request, parameter.latest + 1, request.type or last.type, last)

    def _version(
        self,
        ctx: Context,
        request: ssm.PutParameterRequest,
        number: int,
        kind: ssm.ParameterType,
        last: ParameterVersion | None,
    ) -> ParameterVersion:
        """What the request leaves out is as it was."""
        if request.key_id is not None and kind != "SecureString":
            raise ValidationException("KeyId is required for SecureString type parameter only.")
        context = sealed_context(ParameterVersion, version_key(request.name, number))
        return ParameterVersion(
            parameter=request.name,
            number=number,
            type=kind,
            tier=_choose_tier(request, last),
            sealed_value=self._sealer.seal(request.value.encode(), context),
            modified_at=self._now(),
            modified_by=ctx.principal,
            description=_kept(request.description, last.description if last else None),
            allowed_pattern=_kept(request.allowed_pattern, last.allowed_pattern if last else None),
            key_id=request.key_id or "",
        )

    def _oldest(self, parameter: Parameter) -> ParameterVersion:
        if parameter.oldest in parameter.labels.values():
            raise ssm.ParameterMaxVersionLimitExceeded(
                f"You attempted to create a new version of {parameter.name} by calling the PutParameter API with the "
                f"overwrite flag. Version {parameter.oldest}, the oldest version, can't be deleted because it has a "
                "label associated with it. Move the label to another version of the parameter, and try again."
            )
        found = self._store.get(ParameterVersion, version_key(parameter.name, parameter.oldest))
        assert found is not None
        return found

    def _latest_pattern(self, name: str) -> str:
        parameter = self._store.get(Parameter, name)
        last = self._store.get(ParameterVersion, version_key(name, parameter.latest)) if parameter else None
        return last.allowed_pattern if last else ""


def _kept(given: str | None, before: str | None) -> str:
    return given if given is not None else before or ""


def _check_request(request: ssm.PutParameterRequest) -> None:
    if not request.value:
        raise ValidationException(
            "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1"
        )
    if request.overwrite and request.tags:
        raise ValidationException(_TAGS_AND_OVERWRITE)
    check_tags(request.tags)
    if request.policies not in (None, "[]"):
        raise ssm.InvalidPolicyTypeException("Tidegate does not support parameter policies yet.")
    if request.data_type in ("aws:ec2:image", "aws:ssm:integration"):
        raise ValidationException(f"Tidegate does not support the data type {request.data_type} yet.")
    if request.data_type not in (None, DATA_TYPE):
        raise ValidationException(
            f"The following data type is not supported: {request.data_type} (Data type names are all lowercase.)"
        )


def _choose_tier(request: ssm.PutParameterRequest, last: ParameterVersion | None) -> Tier:
    """The tier that the request asks for, or that there was; Intelligent-Tiering takes the smallest that holds it."""
    size = len(request.value.encode())
    was_advanced = last is not None and last.tier == "Advanced"
    if request.tier == "Standard" and was_advanced:
        raise ValidationException(_DOWNGRADE)
    is_large = request.tier == "Intelligent-Tiering" and size > STANDARD_BYTES
    tier: Tier = "Advanced" if request.tier == "Advanced" or was_advanced or is_large else "Standard"
    if tier == "Standard" and size > STANDARD_BYTES:
        raise ValidationException(
            f"Standard tier parameters support a maximum parameter value of {STANDARD_BYTES} characters. To create a "
            "larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, "
            "see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )
    if size > ADVANCED_BYTES:
        raise ValidationException(
            f"Advanced tier parameters support a maximum parameter value of {ADVANCED_BYTES} characters."
        )
    return tier


def _check_pattern(pattern: str, value: str) -> None:
    try:
        Regex(pattern)  # alone, so that no bracket of its own can reach out of ours
        matches = Regex(rf"\A(?:{pattern})\z").matches(value.encode())
    except RegexRefused:
        raise ssm.InvalidAllowedPatternException(
            "The request does not meet the regular expression requirement."
        ) from None
    if not matches:
        raise ssm.ParameterPatternMismatchException(
            f"Parameter value, cannot be validated against allowedPattern: {pattern}"
        )
