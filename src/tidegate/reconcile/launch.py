"""Finding a node and an address for tasks that wait: a batch at a time, so that they see each other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tidegate.model.account import SecurityGroup, Subnet
from tidegate.model.status import Interface, LastStatus, Node, Phase
from tidegate.model.task import Task, TaskDefinition
from tidegate.placement.placement import Need, Refused, place, take
from tidegate.reconcile.addresses import Addresses, AddressesExhausted
from tidegate.reconcile.rules import INCOMPATIBLE, NO_ADDRESS, NO_CAPACITY, ended
from tidegate.reconcile.task_spec import architecture_of
from tidegate.reconcile.task_storage import storage_gib
from tidegate.store.store import Store


class LaunchRound:
    """Places tasks one after the other on what the nodes have left."""

    def __init__(self, store: Store, addresses: Addresses, nodes: Sequence[Node], now: float) -> None:
        self._store = store
        self._addresses = addresses
        self._nodes = {node.id: node for node in nodes}
        self._now = now

    def decide(self, task: Task) -> Task | None:
        """The task's new record; None when it waits as before."""
        definition = self._store.get(TaskDefinition, task.definition)
        if definition is None:
            return self._fail(task, "The task definition was deleted before the task could start")
        last, full = Refused(()), ""
        for subnet in filter(None, (self._store.get(Subnet, name) for name in task.subnets)):
            need = need_of(task, definition, subnet)
            result = place(need, list(self._nodes.values()))
            if isinstance(result, Refused):
                last = result
                continue
            try:
                interface = self._addresses.new_interface(subnet, self._groups(task, subnet), task.attachment)
            except AddressesExhausted:
                full = full or NO_ADDRESS.format(subnet=subnet.id)
                continue
            self._take(need, result.node)
            return self._placed(task, result.node, interface)
        if full and not last.refusals:
            return self._fail(task, full)
        if last.is_final:
            is_incompatible = all(refusal.reason == "ATTRIBUTE" for refusal in last.refusals)
            return self._fail(task, f"{INCOMPATIBLE if is_incompatible else NO_CAPACITY} ({last})")
        return self._wait(task, str(last))

    def _groups(self, task: Task, subnet: Subnet) -> tuple[str, ...]:
        """The request's security groups; the VPC's default one if it names none."""
        network = task.request.network_configuration
        wanted = network.awsvpc_configuration.security_groups if network and network.awsvpc_configuration else None
        if wanted:
            return tuple(wanted)
        groups = self._store.select(SecurityGroup)
        return tuple(g.id for g in groups if g.vpc == subnet.vpc and g.name == "default")

    def _take(self, need: Need, name: str) -> None:
        node = self._nodes[name]
        cpu_units, memory_mib = take(need, node)
        storage = node.free_storage_gib
        self._nodes[name] = msgspec.structs.replace(
            node,
            free_storage_gib=None if storage is None else storage - need.storage_gib,
            free_cpu_units=node.free_cpu_units - cpu_units,
            free_memory_mib=node.free_memory_mib - memory_mib,
        )

    def _placed(self, task: Task, node: str, interface: Interface) -> Task:
        waited = Phase(
            name="place",
            started_at=task.status.created_at,
            milliseconds=round((self._now - task.status.created_at) * 1000, 3),
        )
        status = msgspec.structs.replace(
            task.status,
            last_status=LastStatus.PENDING,
            version=task.status.version + 1,
            node=node,
            interface=interface,
            waiting_reason="",
            timeline=(waited,),
        )
        return msgspec.structs.replace(task, status=status)

    def _fail(self, task: Task, reason: str) -> Task:
        status = ended(task.status, reason, "TaskFailedToStart", self._now)
        return msgspec.structs.replace(task, status=status)

    def _wait(self, task: Task, reason: str) -> Task | None:
        if task.status.waiting_reason:
            return None  # figures in the reason change all the time; the first ones say enough
        status = msgspec.structs.replace(task.status, waiting_reason=reason)
        return msgspec.structs.replace(task, status=status)


def need_of(task: Task, definition: TaskDefinition, subnet: Subnet) -> Need:
    """What the task asks of a node."""
    overrides = task.request.overrides
    cpu = (overrides.cpu if overrides else None) or definition.spec.cpu or "0"
    memory = (overrides.memory if overrides else None) or definition.spec.memory or "0"
    return Need(
        cpu_units=int(cpu),
        memory_mib=int(memory),
        architecture=architecture_of(definition.spec),
        availability_zone=subnet.availability_zone,
        storage_gib=storage_gib(task, definition),
    )
