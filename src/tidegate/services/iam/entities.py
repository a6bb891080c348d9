"""What IAM's operations have in common: finding by name or refusing, texts, tags, pages, writing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from tidegate.api import iam
from tidegate.api.shape import Context, ServiceError
from tidegate.model.identity import Group, InstanceProfile, ManagedPolicy, Named, Role, User
from tidegate.services.iam.identities import entity_arn, find_named
from tidegate.services.pages import BadToken, page
from tidegate.services.writes import settle
from tidegate.store.store import Store

N = TypeVar("N", bound=Named)
T = TypeVar("T")

MAX_TAGS = 50
PAGE = 100
QUOTAS: dict[type[Named], int] = {User: 5000, Group: 300, Role: 1000, ManagedPolicy: 1500, InstanceProfile: 1000}
"""How many an account may have. Source: user guide, "IAM and AWS STS quotas"."""
_QUOTA_NAMES = {
    User: "UsersPerAccount",
    Group: "GroupsPerAccount",
    Role: "RolesPerAccount",
    ManagedPolicy: "PoliciesPerAccount",
    InstanceProfile: "InstanceProfilesPerAccount",
}


class ValidationError(ServiceError):
    """What is wrong with a request's form; IAM's model does not name it."""

    code = "ValidationError"
    status = 400


def get_named(store: Store, kind: type[N], name: str) -> N:
    """By name. Raises NoSuchEntity."""
    found = find_named(store, kind, name)
    if found is None:
        raise iam.NoSuchEntityException(_missing(kind, name))
    return found


def _missing(kind: type[Named], name: str) -> str:
    if kind is InstanceProfile:
        return f"Instance Profile {name} cannot be found."
    return f"The {kind.__name__.lower()} with name {name} cannot be found."


def check_new(store: Store, kind: type[Named], name: str) -> None:
    """Refuse a name that is taken (in whatever case), and one more than the account may have."""
    if store.get(kind, name.lower()) is not None:
        if kind is ManagedPolicy:
            raise iam.EntityAlreadyExistsException(
                f"A policy called {name} already exists. Duplicate names are not allowed."
            )
        noun = "Instance Profile" if kind is InstanceProfile else f"{kind.__name__} with name"
        raise iam.EntityAlreadyExistsException(f"{noun} {name} already exists.")
    if sum(1 for _ in store.select(kind)) >= QUOTAS[kind]:
        raise iam.LimitExceededException(f"Cannot exceed quota for {_QUOTA_NAMES[kind]}: {QUOTAS[kind]}")


def arn_of(ctx: Context, entity: Named) -> str:
    """Its ARN."""
    return entity_arn(entity, ctx.account, ctx.region)


def read_tags(tags: Iterable[iam.Tag] | None, old: Mapping[str, str] | None = None) -> dict[str, str]:
    """`old` with those added. Raises InvalidInput, LimitExceeded. Keys differ in more than case."""
    found = dict(old or {})
    seen: set[str] = set()
    for tag in tags or ():
        if tag.key.lower().startswith("aws:"):
            raise iam.InvalidInputException("Tag keys that begin with aws: are reserved for AWS.")
        if tag.key.lower() in seen:
            raise iam.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        seen.add(tag.key.lower())
        for key in [key for key in found if key.lower() == tag.key.lower()]:
            del found[key]
        found[tag.key] = tag.value
    if len(found) > MAX_TAGS:
        raise iam.LimitExceededException("The number of tags has reached the maximum limit.")
    return found


def without_tags(old: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    """Keys that are not there are no error."""
    gone = {key.lower() for key in keys}
    return {key: value for key, value in old.items() if key.lower() not in gone}


def show_tags(tags: Mapping[str, str]) -> tuple[iam.Tag, ...]:
    """As answers have them."""
    return tuple(iam.Tag(key=key, value=value) for key, value in tags.items())


def show_boundary(arn: str | None) -> iam.AttachedPermissionsBoundary | None:
    """As answers have it."""
    if arn is None:
        return None
    return iam.AttachedPermissionsBoundary(
        permissions_boundary_type="PermissionsBoundaryPolicy", permissions_boundary_arn=arn
    )


def take_page(
    items: Iterable[T], key: Callable[[T], str], operation: str, marker: str | None, size: int | None
) -> tuple[tuple[T, ...], str | None]:
    """A page in the order of keys, and the marker of the next one if there is more. Raises ValidationError."""
    try:
        found, following = page(items, key, operation=operation, token=marker, size=size or PAGE)
    except BadToken as error:
        raise ValidationError("Invalid Marker.") from error
    return tuple(found), following


async def settled(attempt: Callable[[], Awaitable[T]]) -> T:
    """Once more after a conflict; a store that can't write is ServiceFailure."""
    return await settle(attempt, iam.ServiceFailureException)
