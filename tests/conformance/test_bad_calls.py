"""Every operation refuses every bad call with an error of its own and writes nothing; the share of them only rises."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from conformance.bad_calls.collection import FAULTS, SEEDS, calls_with_unknown_members, operations
from conformance.bad_calls.legal import RULES
from conformance.bad_calls.mutations import model_mutations
from conformance.bad_calls.seeds_ecs import REFUSED as ECS_REFUSED
from conformance.bad_calls.seeds_identity import IAM_REFUSED
from conformance.bad_calls.world import make_world
from conformance.baselines import measure, read
from conformance.forms import write_body
from fakes.served import APIS, Served
from tidegate.server import serve

pytestmark = pytest.mark.anyio
LEAST_SHARE = 0.95
REFUSED = {"ecs": ECS_REFUSED, "iam": IAM_REFUSED}
"""Well formed calls that are refused in this world, by service and operation: with this error."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("service", SEEDS)
async def test_bad_calls_are_refused(service: str, tmp_path: Path) -> None:
    """
    With the modelled error, in AWS's words where they are known, and no trace in the store.

    The share of an operation is never less than it was, nor is it tried with fewer calls.
    """
    figures = await measure(service, tmp_path)
    assert figures.complaints == []
    for name, was in read("bad_calls")[service].items():
        now = figures.operations.get(name, {"bad": 0, "rejected": 0})
        assert now["bad"] >= was["bad"], f"{name}: fewer calls than before"
        assert now["rejected"] * was["bad"] >= was["rejected"] * now["bad"], f"{name}: fewer are refused than before"
        assert now["rejected"] >= LEAST_SHARE * now["bad"]
    known = {fault.text for fault in FAULTS.get(service, ()) if fault.text is not None}
    assert known & set(read("texts")) <= figures.texts


async def test_texts_of_aws_that_were_told_are_told(tmp_path: Path) -> None:
    """None that the baseline has is tried no longer."""
    tried = {fault.text for faults in FAULTS.values() for fault in faults}
    assert set(read("texts")) <= tried


@pytest.mark.parametrize("service", SEEDS)
async def test_the_calls_that_they_are_made_from_are_taken(service: str, tmp_path: Path) -> None:
    """Or what is refused in them would say nothing of the fault."""
    world = await make_world(Served(tmp_path))
    restore = world.served.keep()
    for operation in operations(service):
        for seed in SEEDS[service][operation.name]:
            reply = await world.served.send(service, operation.name, write_body(operation, seed(world)))
            wanted = REFUSED.get(service, {}).get(operation.name, "")
            assert (reply.code, reply.status >= 400) == (wanted, bool(wanted)), f"{operation.name}: {reply.message}"
            restore()


def test_every_operation_has_such_a_call() -> None:
    """Of every service that the server serves."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(serve.services))) if isinstance(node, ast.Call)]
    wired = {ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "serve_with"}
    assert wired == set(SEEDS) == set(APIS)
    for service, seeds in SEEDS.items():
        assert {operation.name for operation in operations(service)} == set(seeds)


@pytest.mark.parametrize("service", SEEDS)
async def test_members_that_nobody_knows_change_nothing(service: str, tmp_path: Path) -> None:
    """A newer client's call is answered; strict is not the same as stubborn."""
    world = await make_world(Served(tmp_path))
    restore = world.served.keep()
    for call in calls_with_unknown_members(world, service):
        reply = await world.served.send(service, call.operation, call.body)
        wanted = REFUSED.get(service, {}).get(call.operation, "")
        assert reply.code == wanted, f"{call.name}: {reply.message}"
        restore()


async def test_every_rule_for_what_is_legal_is_used(tmp_path: Path) -> None:
    """And none lets off what it does not mean to."""
    world = await make_world(Served(tmp_path))
    unused = set(RULES)
    for service, seeds in SEEDS.items():
        for operation in operations(service):
            for seed in seeds[operation.name]:
                for mutation in model_mutations(operation, seed(world)):
                    unused -= {rule for rule in unused if rule.matches(service, mutation)}
    assert unused == set()
