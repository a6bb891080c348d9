"""What is held back of tasks' disks so that the host's does not fill up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.volume.holding import Disk, Host, default_reserve_bytes, headroom_bytes, plan_holds
from tidegate.node.volume.scratch import GIB, MIB, Space


def host(free: int, size: int = 100 * GIB, memory: int = 8 * GIB) -> Host:
    return Host(size, free, memory, default_reserve_bytes(size))


def disk(used: int = 0, backed: int | None = None, kept: int = 0, size: int = 20 * GIB) -> Disk:
    return Disk(Space(size, used, used if backed is None else backed), kept)


def test_plenty():
    """Only images are held back, however much tasks could write."""
    disks = {"a": disk(kept=GIB), "b": disk(used=19 * GIB)}
    assert plan_holds(host(free=50 * GIB), disks) == {"a": GIB, "b": 0}


def test_little():
    """What is above the reserve is shared; what has been written and is not on the disk yet is not there any more."""
    disks = {"a": disk(used=GIB), "b": disk(used=3 * GIB, backed=2 * GIB)}
    assert headroom_bytes(host(free=5 * GIB), disks) == 2 * GIB
    assert plan_holds(host(free=5 * GIB), disks) == {"a": 18 * GIB, "b": 16 * GIB}


def test_what_was_deleted_hides_nothing():
    """A disk that the host gave more for than is used may still have all of it to write anew."""
    space = Space(20 * GIB, used_bytes=GIB, backed_bytes=10 * GIB, dirty_bytes=GIB)
    assert headroom_bytes(host(free=5 * GIB), {"a": Disk(space)}) == 2 * GIB


def test_nothing():
    """Below the reserve nobody writes any more."""
    assert plan_holds(host(free=GIB), {"a": disk(used=GIB)}) == {"a": 19 * GIB}


def test_a_small_disk_is_always_short():
    """Where tasks could fill all of it before it is looked at again."""
    small = host(free=900 * MIB, size=GIB)
    assert not small.has_plenty
    assert plan_holds(small, {"a": disk()})["a"] > 19 * GIB


spaces = st.builds(
    Disk,
    st.builds(Space, st.just(20 * GIB), st.integers(0, 20 * GIB), st.integers(0, 20 * GIB)),
    st.integers(0, 10 * GIB),
)


@given(free=st.integers(0, 200 * GIB), disks=st.dictionaries(st.text(max_size=3), spaces, max_size=6))
def test_tasks_never_get_more_than_there_is(free: int, disks: dict[str, Disk]):
    """What all may write together keeps the reserve, unless there is plenty; images are always held back."""
    there = host(free)
    holds = plan_holds(there, disks)
    assert set(holds) == set(disks)
    assert all(holds[task] >= each.kept_bytes for task, each in disks.items())
    if not there.has_plenty:
        writable = {t: max(0, d.space.size_bytes - d.space.used_bytes - holds[t]) for t, d in disks.items()}
        assert sum(writable.values()) <= headroom_bytes(there, disks)
