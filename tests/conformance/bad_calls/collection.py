"""All bad calls of all services: where they come from, and which of the model's faults AWS would not mind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from botocore.model import OperationModel, ServiceModel

from conformance.bad_calls.faults import Fault, name_of
from conformance.bad_calls.faults_definitions import definition_faults
from conformance.bad_calls.faults_ecs import ecs_faults
from conformance.bad_calls.faults_identity import iam_faults, sts_faults
from conformance.bad_calls.faults_others import (
    ec2_faults,
    logs_faults,
    secrets_faults,
    ssm_faults,
    tidegate_faults,
)
from conformance.bad_calls.legal import why_legal
from conformance.bad_calls.mutations import model_mutations
from conformance.bad_calls.seeds_ecs import SEEDS as ECS_SEEDS
from conformance.bad_calls.seeds_ecs import Seed
from conformance.bad_calls.seeds_identity import IAM_SEEDS, STS_SEEDS
from conformance.bad_calls.seeds_others import EC2_SEEDS, LOGS_SEEDS, TIDEGATE_SEEDS
from conformance.bad_calls.seeds_secrets import SECRETS_SEEDS, SSM_SEEDS
from conformance.bad_calls.world import World
from conformance.forms import write_body
from generate_api import describe, served

SEEDS: Mapping[str, Mapping[str, tuple[Seed, ...]]] = {
    "ecs": ECS_SEEDS,
    "logs": LOGS_SEEDS,
    "ec2": EC2_SEEDS,
    "iam": IAM_SEEDS,
    "sts": STS_SEEDS,
    "ssm": SSM_SEEDS,
    "secretsmanager": SECRETS_SEEDS,
    "tidegate": TIDEGATE_SEEDS,
}
FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "ecs": (*definition_faults(), *ecs_faults()),
    "logs": tuple(logs_faults()),
    "ec2": tuple(ec2_faults()),
    "iam": tuple(iam_faults()),
    "sts": tuple(sts_faults()),
    "ssm": tuple(ssm_faults()),
    "secretsmanager": tuple(secrets_faults()),
    "tidegate": tuple(tidegate_faults()),
}


@dataclass(frozen=True, slots=True)
class BadCall:
    """A call that AWS refuses. code `*`: with whatever error of the client's; text None: in whatever words."""

    service: str
    operation: str
    name: str
    body: bytes
    code: str = "*"
    fault: Fault | None = None


def operations(service: str) -> list[OperationModel]:
    """The models of those that are served."""
    model = ServiceModel(describe(service)[0], service)
    return [model.operation_model(name) for name in served()[service] or model.operation_names]


def calls_with_unknown_members(world: World, service: str) -> Iterator[BadCall]:
    """What AWS takes as if they were not there."""
    for operation in operations(service):
        for seed in SEEDS[service][operation.name]:
            for mutation in model_mutations(operation, seed(world)):
                if mutation.kind == "unknown member" and why_legal(service, mutation) is not None:
                    yield BadCall(service, operation.name, mutation.name, mutation.body)


def bad_calls(world: World, service: str) -> Iterator[BadCall]:
    """Of the service's operations: the model's faults but for the legal ones, and those of the service's own rules."""
    by_name = {operation.name: operation for operation in operations(service)}
    seeds = SEEDS[service]
    for name, operation in by_name.items():
        for seed in seeds[name]:
            for mutation in model_mutations(operation, seed(world)):
                if why_legal(service, mutation) is None:
                    yield BadCall(service, name, mutation.name, mutation.body)
    for number, fault in enumerate(FAULTS.get(service, ())):
        if fault.operation in by_name:
            parameters = fault.apply(seeds[fault.operation][fault.seed](world), world)
            body = write_body(by_name[fault.operation], parameters)
            yield BadCall(service, fault.operation, name_of(fault, number), body, fault.code, fault)
