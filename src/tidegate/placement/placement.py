"""
Choose a node for a task: filter, then rank, and say of each node that was refused why.

Reasons are ECS's words for what is short (`RESOURCE:CPU`, `RESOURCE:MEMORY`, `ATTRIBUTE`, `LOCATION`, `AGENT`), so that
they can go into failures and events as they are; `RESOURCE:STORAGE` is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.model.spec import DEFAULT_STORAGE_GIB
from tidegate.model.status import Node


@dataclass(frozen=True, slots=True)
class Need:
    """What a task asks of a node."""

    cpu_units: int
    memory_mib: int
    architecture: str
    availability_zone: str
    storage_gib: int = DEFAULT_STORAGE_GIB


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node can't take the task. is_final: it never will, however empty it gets."""

    node: str
    reason: str
    detail: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """The node that takes the task."""

    node: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No node takes it now."""

    refusals: tuple[Refusal, ...]

    @property
    def is_final(self) -> bool:
        """Waiting is of no use."""
        return bool(self.refusals) and all(refusal.is_final for refusal in self.refusals)

    def __str__(self) -> str:
        if not self.refusals:
            return "there is no node"
        return "; ".join(f"{r.node}: {r.reason} ({r.detail})" for r in self.refusals)


def place(need: Need, nodes: Sequence[Node]) -> Placed | Refused:
    """The node with the most memory left of those that can take the task, or why there is none."""
    fitting: list[Node] = []
    refusals: list[Refusal] = []
    for node in nodes:
        refusal = refuse(need, node)
        if refusal is None:
            fitting.append(node)
        else:
            refusals.append(refusal)
    if not fitting:
        return Refused(tuple(refusals))
    best = max(fitting, key=lambda node: (node.free_memory_mib, node.free_cpu_units))
    return Placed(best.id)


def refuse(need: Need, node: Node) -> Refusal | None:
    """Why `node` can't take the task, or None if it can."""
    if node.architecture != need.architecture:
        return Refusal(node.id, "ATTRIBUTE", f"it is {node.architecture}, the task {need.architecture}", True)
    if node.availability_zone and node.availability_zone != need.availability_zone:
        return Refusal(
            node.id, "LOCATION", f"it is in {node.availability_zone}, the subnet in {need.availability_zone}", True
        )
    if need.memory_mib > node.total_memory_mib:
        return Refusal(
            node.id, "RESOURCE:MEMORY", f"needs {need.memory_mib} MiB, it has {node.total_memory_mib} in all", True
        )
    if not node.schedulable:
        return Refusal(node.id, "AGENT", node.reason or "it takes no tasks now", False)
    expected_mib = node.task_memory_mib or need.memory_mib
    if expected_mib > node.free_memory_mib:
        return Refusal(
            node.id, "RESOURCE:MEMORY", f"needs {expected_mib} MiB, {max(0, node.free_memory_mib)} are free", False
        )
    return _refuse_cpu(need, node) or _refuse_storage(need, node)


def _refuse_cpu(need: Need, node: Node) -> Refusal | None:
    if node.task_memory_mib:
        return None  # limits bind and idle tasks use little: CPU is shared, not reserved
    if need.cpu_units > node.free_cpu_units:
        detail = f"needs {need.cpu_units} CPU units, {max(0, node.free_cpu_units)} are free"
        return Refusal(node.id, "RESOURCE:CPU", detail, need.cpu_units > node.total_cpu_units)
    return None


def _refuse_storage(need: Need, node: Node) -> Refusal | None:
    if node.free_storage_gib is None or need.storage_gib <= node.free_storage_gib:
        return None
    detail = f"needs {need.storage_gib} GiB, {max(0, node.free_storage_gib)} are free"
    return Refusal(node.id, "RESOURCE:STORAGE", detail, need.storage_gib > (node.total_storage_gib or 0))


def take(need: Need, node: Node) -> tuple[int, int]:
    """CPU units and MiB that placing the task takes from what `node` counts as free."""
    return (0 if node.task_memory_mib else need.cpu_units, node.task_memory_mib or need.memory_mib)
