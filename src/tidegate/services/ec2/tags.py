"""CreateTags and DeleteTags: of security groups and their rules, of VPCs and subnets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from tidegate.api import ec2
from tidegate.api.shape import Context
from tidegate.model.account import SecurityGroup, Subnet, Vpc
from tidegate.services import writes
from tidegate.services.ec2.errors import Ec2Error, check_dry_run, internal_error
from tidegate.services.ec2.security_groups import missing_group
from tidegate.services.ec2.tag_rules import check_number, check_tags
from tidegate.services.ec2.vpcs import missing_subnet, missing_vpc
from tidegate.store.store import Put, Store

MAX_RESOURCES = 1000
Tags = dict[str, str]
Change = Callable[[Tags], Tags]
Tagged = Vpc | Subnet | SecurityGroup


class ResourceTags:
    """The operations on tags, for all of a request's resources or none."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_tags(self, ctx: Context, request: ec2.CreateTagsRequest) -> None:
        """Add tags, or give those that are there another value."""
        given = check_tags(request.tags)
        if not given:
            raise Ec2Error("MissingParameter", "The request must contain the parameter tags")
        await self._change(request.resources, lambda tags: tags | given, is_dry=request.dry_run)

    async def delete_tags(self, ctx: Context, request: ec2.DeleteTagsRequest) -> None:
        """Remove tags by key, or by key and value where one is given; without any: all of them."""
        wanted = {tag.key or "": tag.value for tag in request.tags or ()}

        def without(tags: Tags) -> Tags:
            if request.tags is None:
                return {}
            return {k: v for k, v in tags.items() if k not in wanted or wanted[k] not in (None, v)}

        await self._change(request.resources, without, is_dry=request.dry_run)

    async def _change(self, ids: Iterable[str], change: Change, *, is_dry: bool | None) -> None:
        wanted = tuple(dict.fromkeys(ids))
        if not wanted:
            raise Ec2Error("MissingParameter", "The request must contain the parameter resourceIdSet")
        if len(wanted) > MAX_RESOURCES:
            raise Ec2Error("InvalidParameterValue", f"A request can name at most {MAX_RESOURCES} resources.")

        async def attempt() -> None:
            changed: dict[str, Tagged] = {}
            for each in wanted:
                owner = find_tagged(self._store, each)
                record = _changed(changed.get(owner.id, owner), each, change)
                changed[owner.id] = record
            check_dry_run(is_dry)
            await self._store.commit(*map(Put, changed.values()))

        await writes.settle(attempt, internal_error)


def find_tagged(store: Store, resource: str) -> Tagged:
    """The record that has this resource's tags. Raises Ec2Error."""
    found: Tagged | None = None
    match resource.partition("-")[0]:
        case "vpc":
            if (found := store.get(Vpc, resource)) is None:
                raise missing_vpc(resource)
        case "subnet":
            if (found := store.get(Subnet, resource)) is None:
                raise missing_subnet(resource)
        case "sg":
            if (found := store.get(SecurityGroup, resource)) is None:
                raise missing_group(resource)
        case "sgr":
            found = next((g for g in store.select(SecurityGroup) if _rule_text(g, resource) is not None), None)
    if found is None:
        raise Ec2Error("InvalidID", f"The ID '{resource}' is not valid")
    return found


def tags_of(store: Store, resource: str) -> Tags:
    """Of a resource by its id. Raises Ec2Error."""
    owner = find_tagged(store, resource)
    if isinstance(owner, SecurityGroup) and owner.id != resource:
        return owner.rule_details[_rule_text(owner, resource) or ""].tags
    return owner.tags


def _rule_text(group: SecurityGroup, rule: str) -> str | None:
    return next((text for text, detail in group.rule_details.items() if detail.id == rule), None)


def _changed(owner: Tagged, resource: str, change: Change) -> Tagged:
    if isinstance(owner, SecurityGroup) and owner.id != resource:
        text = _rule_text(owner, resource) or ""
        detail = owner.rule_details[text]
        changed = replace(detail, tags=_checked(change(detail.tags)))
        return replace(owner, rule_details={**owner.rule_details, text: changed})
    return replace(owner, tags=_checked(change(owner.tags)))


def _checked(tags: Tags) -> Tags:
    check_number(tags)
    return tags
