"""What concerns the whole request: its tags and its length."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fakes.definitions import container, fargate, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions.acceptance import accept


def tagged(*keys: str | None) -> ecs.RegisterTaskDefinitionRequest:
    return replace(fargate(), tags=tuple(ecs.Tag(key=key, value="v") for key in keys))


def test_an_empty_list_of_tags_is_refused() -> None:
    """AWS tells no tags from an empty list of them."""
    assert refusal(tagged()) == "Tags can not be empty."
    accept(fargate())


def test_a_definition_has_at_most_50_tags() -> None:
    """50 are accepted, 51 are not."""
    keys = [f"k{number}" for number in range(51)]
    accept(tagged(*keys[:50]))
    assert refusal(tagged(*keys)) == "A task definition can have at most 50 tags."


@pytest.mark.parametrize("keys", [("k", "k"), ("aws:x",), ("AWS:x",), (None,), ("a!",)])
def test_malformed_tags_are_refused(keys: tuple[str | None, ...]) -> None:
    """The rules for tags are the same for every resource."""
    with pytest.raises(ecs.InvalidParameterException):
        accept(tagged(*keys))


def test_a_definition_ends_at_64_kib() -> None:
    """The text names the length that was measured."""
    message = refusal(fargate(container(environment=[{"name": "A", "value": "x" * 66000}])))
    assert message.startswith("Actual length: '66")
    assert message.endswith("'. Max allowed length is '65536' bytes.")
    accept(fargate(container(environment=[{"name": "A", "value": "x" * 65000}])))
