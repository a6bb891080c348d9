"""The API modules are what the generator writes: nobody edits them, and none is forgotten."""

from __future__ import annotations

import pytest

from generate_api import API, generate, served
from style.sources import GENERATED


@pytest.mark.parametrize("service", served())
def test_committed_module_is_what_the_generator_writes(service: str) -> None:
    """Byte for byte; `python tools/generate_api.py` makes it so."""
    assert (API / f"{service}.py").read_text() == generate(service)


def test_every_generated_module_has_a_row_in_the_table() -> None:
    """What the style tests pass over is what tools/api.toml names."""
    assert {f"src/tidegate/api/{service}.py" for service in served()} == GENERATED
