"""Which volumes a container mounts where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.spec import ContainerSpec, Mount, Tmpfs, VolumesFrom
from tidegate.node.volume.binding import BadVolume, normal_path, plan_binding
from tidegate.node.volume.volumes import Bound

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.sampled_from(["/data", "/data/in", "/srv/", "//srv", "/x/../data"])


def spec(**members: object) -> ContainerSpec:
    return ContainerSpec(name="app", image="app:1", **members)  # type: ignore[arg-type]


def test_own_mounts_come_first():
    """Then those of other containers, then what the image declares and nobody mounts."""
    source = Bound(
        mounts=(Mount(volume="theirs", path="/data"), Mount(volume="logs", path="/logs")),
        places={"theirs": "/1", "logs": "/2"},
    )
    own = Mount(volume="mine", path="/data/", read_only=True)
    found = plan_binding(
        spec(mounts=(own,), volumes_from=(VolumesFrom(container="db"),)), ["/logs/", "/cache"], {"db": source}
    )
    assert {mount.path: mount.volume for mount in found.mounts} == {
        "/data/": "mine",
        "/logs": "logs",
        "/cache": "app:1",
    }
    assert found.anonymous == ("app:1",)


def test_what_begins_with_the_images_files():
    """Anonymous volumes, and volumes mounted on a path that the image declares; not what is taken over or elsewhere."""
    source = Bound(mounts=(Mount(volume="theirs", path="/taken"),), places={"theirs": "/1"})
    mounts = (Mount(volume="mine", path="/declared/"), Mount(volume="other", path="/elsewhere"))
    found = plan_binding(
        spec(mounts=mounts, volumes_from=(VolumesFrom(container="db"),)),
        ["/declared", "/taken", "/anonymous"],
        {"db": source},
    )
    assert found.filled == {"mine": "/declared", "app:2": "/anonymous"}


def test_taken_over_read_only():
    """Read-only if either says so."""
    source = Bound(mounts=(Mount(volume="w", path="/w"), Mount(volume="r", path="/r", read_only=True)))
    for wanted, expected in ((True, {"w": True, "r": True}), (False, {"w": False, "r": True})):
        taken = (VolumesFrom(container="db", read_only=wanted),)
        found = plan_binding(spec(volumes_from=taken), [], {"db": source})
        assert {mount.volume: mount.read_only for mount in found.mounts} == expected


def test_a_later_source_comes_before_an_earlier_one():
    """As docker has it."""
    sources = {name: Bound(mounts=(Mount(volume=name, path="/data"),)) for name in ("one", "two")}
    taken = (VolumesFrom(container="one"), VolumesFrom(container="two"))
    found = plan_binding(spec(volumes_from=taken), [], sources)
    assert found.mounts == (Mount(volume="two", path="/data"),)


def test_a_memory_file_system_keeps_its_place():
    """No volume is made where the task mounts a tmpfs."""
    found = plan_binding(spec(tmpfs=(Tmpfs(path="/run/", size_mib=1),)), ["/run"], {})
    assert found.mounts == ()


@pytest.mark.parametrize("path", ["/", "/..", "", "/proc", "/proc/sys", "/sys/fs/cgroup", "/x/../proc", "/a\0b"])
def test_what_an_image_may_not_declare(path: str):
    """What would hide the container's own root or the kernel's files is refused."""
    with pytest.raises(BadVolume, match="declares the volume"):
        plan_binding(spec(), [path], {})


def test_too_many_volumes():
    """An image can't make a container mount without end."""
    with pytest.raises(BadVolume, match="declares 65 volumes"):
        plan_binding(spec(), [f"/{number}" for number in range(65)], {})


@given(
    own=st.dictionaries(PATHS, NAMES, max_size=3),
    taken=st.dictionaries(PATHS, NAMES, max_size=3),
    declared=st.lists(PATHS, max_size=4),
)
def test_each_place_has_one_volume(own: dict[str, str], taken: dict[str, str], declared: list[str]):
    """However paths are written; every declared path is a volume; what is filled is mounted."""
    source = Bound(mounts=tuple(Mount(volume=name, path=path) for path, name in taken.items()))
    mounts = tuple(Mount(volume=name, path=path) for path, name in own.items())
    found = plan_binding(spec(mounts=mounts, volumes_from=(VolumesFrom(container="db"),)), declared, {"db": source})
    places = [normal_path(mount.path) for mount in found.mounts]
    assert len(places) == len(set(places))
    assert set(places) == {normal_path(path) for path in (*own, *taken, *declared)}
    assert set(found.filled) <= {mount.volume for mount in found.mounts}
    assert set(found.anonymous) <= set(found.filled)
