"""Tags in AWS's alphabet, each key once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fakes.definitions import fargate, refusal
from tidegate.api import ecs
from tidegate.services.ecs.definitions.acceptance import accept


def tagged(*tags: tuple[str | None, str | None]) -> ecs.RegisterTaskDefinitionRequest:
    return replace(fargate(), tags=tuple(ecs.Tag(key=key, value=value) for key, value in tags))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ((), "Tags can not be empty."),
        ([(f"k{number}", "v") for number in range(51)], "Too many tags: a task definition can have at most 50."),
        ([("k", "1"), ("k", "2")], "Duplicate tag key: k"),
        ([("aws:x", "v")], "Invalid tag key: 'aws:x'. Keys that start with 'aws:' are reserved."),
        ([("AWS:x", "v")], "Invalid tag key: 'AWS:x'. Keys that start with 'aws:' are reserved."),
        ([(None, "v")], "Invalid tag key: ''"),
        ([("a!", "v")], "Invalid tag key: 'a!'"),
        ([("k" * 129, "v")], f"Invalid tag key: '{'k' * 128}'"),
        ([("k", "a\tb")], "Invalid tag value for key 'k'."),
        ([("k", "v" * 257)], "Invalid tag value for key 'k'."),
    ],
)
def test_a_fault_in_a_tag_is_refused(tags: list[tuple[str | None, str | None]], message: str) -> None:
    """One fault, one message."""
    assert refusal(tagged(*tags)) == message


def test_tags_may_be_of_any_script() -> None:
    """Letters, numbers and separators of all scripts, a few signs, and an absent value."""
    accept(tagged(("Größe x/1", "値_.:/=+-@"), ("awsome", ""), ("none", None)))
