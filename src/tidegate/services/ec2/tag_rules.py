"""EC2's tags: what they may be, and as shapes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tidegate.api import ec2
from tidegate.services.ec2.errors import Ec2Error

MAX_TAGS = 50


def check_tags(tags: Iterable[ec2.Tag]) -> dict[str, str]:
    """Tags that somebody gives, by key. Raises Ec2Error."""
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.key or "", tag.value or ""
        if not 1 <= len(key) <= 127 or len(value) > 255 or key.lower().startswith("aws:"):
            raise Ec2Error("InvalidParameterValue", f"Tag key {key[:127]} or its value is not valid.")
        found[key] = value
    check_number(found)
    return found


def check_number(tags: Mapping[str, str]) -> None:
    """All that one resource has. Raises Ec2Error."""
    if len(tags) > MAX_TAGS:
        raise Ec2Error("TagLimitExceeded", f"The maximum number of Tags for a resource is {MAX_TAGS}.")


def read_tags(specifications: Iterable[ec2.TagSpecification] | None, resource: str) -> dict[str, str]:
    """The tags for a new resource of this type. Raises Ec2Error."""
    given: list[ec2.Tag] = []
    for specification in specifications or ():
        if specification.resource_type != resource:
            raise Ec2Error(
                "InvalidParameterValue",
                f"'{specification.resource_type}' is not a valid taggable resource type for this operation.",
            )
        given += specification.tags or ()
    return check_tags(given)


def to_shapes(tags: Mapping[str, str]) -> tuple[ec2.Tag, ...]:
    """As they are shown."""
    return tuple(ec2.Tag(key=key, value=value) for key, value in tags.items())
