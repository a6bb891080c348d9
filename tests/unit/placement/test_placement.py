"""Placement: filter, rank, explain."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.status import Node
from tidegate.placement.placement import Need, Placed, Refused, place, refuse, take

NEED = Need(cpu_units=256, memory_mib=512, architecture="x86_64", availability_zone="us-east-1a")


def node(name: str = "n1", **changes: object) -> Node:
    values: dict[str, object] = {
        "id": name,
        "availability_zone": "us-east-1a",
        "architecture": "x86_64",
        "total_cpu_units": 4096,
        "total_memory_mib": 8192,
        "free_cpu_units": 4096,
        "free_memory_mib": 8192,
    }
    return Node(**(values | changes))  # type: ignore[arg-type]


def test_takes_the_emptiest():
    """Of the nodes that can take a task, the one with the most memory left does."""
    assert place(NEED, [node("a", free_memory_mib=600), node("b", free_memory_mib=700)]) == Placed("b")


def test_says_why_not():
    """Each node that was refused is named, with ECS's word for what is short."""
    refused = place(
        NEED,
        [
            node("arm", architecture="arm64"),
            node("far", availability_zone="us-east-1b"),
            node("small", total_memory_mib=256, free_memory_mib=256),
            node("full", free_memory_mib=100),
            node("busy", free_cpu_units=100),
            node("filled", free_storage_gib=19, total_storage_gib=100),
            node("tiny", free_storage_gib=19, total_storage_gib=19),
            node("ill", schedulable=False, reason="memory pressure is 40 %"),
        ],
    )

    assert isinstance(refused, Refused)
    assert {r.node: r.reason for r in refused.refusals} == {
        "arm": "ATTRIBUTE",
        "far": "LOCATION",
        "small": "RESOURCE:MEMORY",
        "full": "RESOURCE:MEMORY",
        "busy": "RESOURCE:CPU",
        "filled": "RESOURCE:STORAGE",
        "tiny": "RESOURCE:STORAGE",
        "ill": "AGENT",
    }
    assert {r.node for r in refused.refusals if r.is_final} == {"arm", "far", "small", "tiny"}
    assert "memory pressure is 40 %" in str(refused)


def test_real_use_counts():
    """Where real use counts, an idle machine takes more than its tasks declare, but never one that can't fit at all."""
    loose = node(task_memory_mib=16, free_memory_mib=400, free_cpu_units=0)

    assert refuse(NEED, loose) is None
    assert take(NEED, loose) == (0, 16)
    too_big = refuse(need(memory_mib=9000), loose)
    assert too_big is not None
    assert too_big.is_final


def need(memory_mib: int) -> Need:
    return Need(cpu_units=256, memory_mib=memory_mib, architecture="x86_64", availability_zone="us-east-1a")


@given(st.lists(st.tuples(st.integers(0, 4096), st.integers(0, 8192)), max_size=6), st.integers(1, 40))
def test_never_overcommits(sizes: list[tuple[int, int]], tasks: int):
    """Placing task after task never takes more from a node than it has free, and stops only when none fits."""
    nodes = {f"n{i}": node(f"n{i}", free_cpu_units=cpu, free_memory_mib=mib) for i, (cpu, mib) in enumerate(sizes)}
    for _ in range(tasks):
        result = place(NEED, list(nodes.values()))
        if isinstance(result, Refused):
            assert all(n.free_memory_mib < 512 or n.free_cpu_units < 256 for n in nodes.values())
            return
        chosen = nodes[result.node]
        cpu, mib = take(NEED, chosen)
        nodes[result.node] = msgspec.structs.replace(
            chosen, free_cpu_units=chosen.free_cpu_units - cpu, free_memory_mib=chosen.free_memory_mib - mib
        )
        assert nodes[result.node].free_cpu_units >= 0
        assert nodes[result.node].free_memory_mib >= 0
