"""What is planned for a container, without any container."""

from __future__ import annotations

import ctypes.util
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.specs import network_spec, task_spec
from tidegate.model.image import ImageConfig
from tidegate.model.spec import ContainerSpec, Mount, Tmpfs, Ulimit
from tidegate.node.runtime.oci.capabilities import DEFAULT, KERNEL_ORDER, decode_mask, plan_capabilities
from tidegate.node.runtime.oci.config import PlannedConfig, Site, plan_config
from tidegate.node.runtime.oci.host import UNLIMITED, HostFacts, is_static
from tidegate.node.runtime.oci.process import plan_arguments, plan_environment, plan_limits
from tidegate.node.runtime.oci.seccomp import plan_seccomp
from tidegate.node.runtime.oci.user import ProcessUser, find_user
from tidegate.node.runtime.runtime import RuntimeFailure

GOLDEN = Path(__file__).with_name("golden.json")
IMAGE = ImageConfig(entry_point=("/entry",), command=("serve",), environment=("PATH=/app", "A=image", "B=image"))
SITE = Site(
    rootfs=Path("/state/c/rootfs"),
    cgroup="/tidegate-1/t/app",
    network_namespace=Path("/state/net/t"),
    user=ProcessUser(uid=1000, gid=1000, groups=(2000,), home="/home/web"),
    files={"/etc/hosts": Path("/state/t/hosts")},
    volumes={"data": Path("/state/t/data")},
)


def container(**changes: Any) -> ContainerSpec:
    return ContainerSpec(name="app", image="app:1", **changes)


def plan(host: HostFacts | None = None, site: Site = SITE, **changes: Any) -> PlannedConfig:
    spec = container(**changes)
    task = task_spec(spec, id="0" * 32, network=network_spec(address="10.64.0.10"))
    return plan_config(task, spec, IMAGE, site, host or HostFacts(init_program=Path("/usr/bin/catatonit")))


def test_golden() -> None:
    """The whole configuration of a container that uses most of what there is; regenerate with TIDEGATE_GOLDEN=1."""
    planned = plan(
        cpu_units=128,
        memory_mib=256,
        memory_reservation_mib=128,
        readonly_root=True,
        init_process=True,
        environment={"A": "task"},
        capabilities_add=("SYS_PTRACE",),
        capabilities_drop=("ALL",),
        tmpfs=(Tmpfs(path="/cache", size_mib=16, options=("exec", "mode=700")),),
        shared_memory_mib=128,
        ulimits=(Ulimit(name="core", soft=0, hard=-1),),
        sysctls={"net.core.somaxconn": "1024"},
        mounts=(Mount(volume="data", path="/data", read_only=True),),
        labels={"team": "blue"},
    )
    written = msgspec.json.format(msgspec.json.encode(planned.config)).decode() + "\n"
    if os.environ.get("TIDEGATE_GOLDEN"):
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text()
    assert planned.notes == ()


@pytest.mark.parametrize(
    ("entry_point", "command", "expected"),
    [
        (None, None, ["/entry", "serve"]),
        (None, ("debug",), ["/entry", "debug"]),
        (("/own",), None, ["/own"]),
        (("/own",), ("x",), ["/own", "x"]),
        ((), (), ["/entry", "serve"]),
    ],
)
def test_arguments(entry_point: Any, command: Any, expected: list[str]) -> None:
    """Entry point and command are merged as docker does: an own entry point drops the image's command."""
    assert plan_arguments(container(entry_point=entry_point, command=command), IMAGE) == expected


def test_no_command_is_refused() -> None:
    """A container with nothing to run can't be created."""
    with pytest.raises(RuntimeFailure, match="no command specified") as raised:
        plan_arguments(container(), ImageConfig())
    assert raised.value.step == "create"


def test_environment_precedence() -> None:
    """Defaults, image, task: the later one wins, once."""
    planned = plan_environment(container(environment={"A": "task", "C": "x=y"}), IMAGE, SITE.user, "host")
    assert planned == ["PATH=/app", "HOSTNAME=host", "HOME=/home/web", "A=task", "B=image", "C=x=y"]


def test_limits_are_held_and_noted() -> None:
    """Without the capability, hard limits stay below ours, and the plan says so; with it they are as asked."""
    wanted = (Ulimit(name="nofile", soft=100_000, hard=200_000), Ulimit(name="core", soft=0, hard=0))
    weak = HostFacts(capabilities=frozenset(), hard_limits={"nofile": 4096})
    limits, notes = plan_limits(wanted, weak)
    assert limits[0] == {"type": "RLIMIT_NOFILE", "soft": 4096, "hard": 4096}
    assert len(notes) == 1
    assert "nofile" in notes[0]
    assert plan_limits(wanted, HostFacts(hard_limits={"nofile": 4096}))[1] == []
    assert plan_limits((), HostFacts())[0] == [
        {"type": "RLIMIT_NOFILE", "soft": 65_535, "hard": 65_535},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
    ]
    asked = (Ulimit(name="core", soft=1, hard=-1),)
    assert plan_limits(asked, HostFacts())[0][1] == {"type": "RLIMIT_CORE", "soft": 1, "hard": UNLIMITED}


def test_capabilities() -> None:
    """Drop comes before add; ALL is all that there are; what is unknown or not ours is told."""
    assert set(plan_capabilities((), ()).kept) == set(DEFAULT)
    assert plan_capabilities(("SYS_PTRACE",), ("ALL",)).kept == ("SYS_PTRACE",)
    assert plan_capabilities(("CAP_CHOWN",), ("CHOWN",)).kept == plan_capabilities((), ()).kept
    assert plan_capabilities(("ALL",), ()).kept == KERNEL_ORDER
    odd = plan_capabilities(("NONSENSE", "SYS_TIME"), (), set(KERNEL_ORDER) - {"SYS_TIME"})
    assert (odd.unknown, odd.unavailable) == (("NONSENSE",), ("SYS_TIME",))
    assert decode_mask(0b1001) == {"CHOWN", "FOWNER"}


def test_users_without_root_get_no_powers() -> None:
    """Only root holds capabilities; for others they bound what a set-uid program can gain."""
    assert set(plan().config["process"]["capabilities"]) == {"bounding"}
    root = Site(SITE.rootfs, SITE.cgroup, SITE.network_namespace)
    assert set(plan(site=root).config["process"]["capabilities"]) == {"bounding", "effective", "permitted"}


def test_what_can_not_be_is_refused() -> None:
    """A missing init program and an unknown volume are told, not passed over."""
    with pytest.raises(RuntimeFailure, match="catatonit"):
        plan(HostFacts(), init_process=True)
    with pytest.raises(RuntimeFailure, match="no such volume"):
        plan(mounts=(Mount(volume="other", path="/x"),))


def test_a_tasks_mount_replaces_ours() -> None:
    """A tmpfs at a place of ours is mounted instead of it; a path within another comes after it."""
    mounts = plan(
        tmpfs=(Tmpfs(path="/data/deep", size_mib=1), Tmpfs(path="/dev/shm", size_mib=2)),
        mounts=(Mount(volume="data", path="/data"),),
    ).config["mounts"]
    places = [mount["destination"] for mount in mounts]
    assert places.count("/dev/shm") == 1
    assert places.index("/data") < places.index("/data/deep")
    assert mounts[places.index("/dev/shm")]["options"] == ["nosuid", "nodev", "noexec", "size=2m"]


def test_a_tmpfs_is_not_made_larger_by_its_options() -> None:
    """The size is the task definition's, whatever the mount options say."""
    mount = plan(tmpfs=(Tmpfs(path="/t", size_mib=3, options=("size=100g", "suid")),)).config["mounts"][-1]
    assert mount["options"] == ["nodev", "noexec", "suid", "size=3m"]


def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text(
        "root:x:0:0::/root:/bin/sh\n# no\nbad\nweb:x:33:34:w:/var/www:\n5:x:77:78::/:\n"
    )
    (tmp_path / "root/etc/group").write_text("root:x:0:\nweb:x:34:\nlogs:x:90:web,other\nmore:x:91:web\n")
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ProcessUser(0, 0, (), "/root")),
        ("web", ProcessUser(33, 34, (90, 91), "/var/www")),
        ("33", ProcessUser(33, 34, (90, 91), "/var/www")),
        ("web:logs", ProcessUser(33, 90, (), "/var/www")),
        ("web:7", ProcessUser(33, 7, (), "/var/www")),
        ("1234", ProcessUser(1234, 0, (), "/")),
        ("1234:logs", ProcessUser(1234, 90, (), "/")),
        ("5", ProcessUser(77, 78, (), "/")),
    ],
)
def test_users(tmp_path: Path, user: str, expected: ProcessUser) -> None:
    """Names and numbers become what docker makes of them; a name of digits comes before a number."""
    assert find_user(rootfs(tmp_path), user) == expected


@pytest.mark.parametrize("user", ["nobody", "web:nogroup", "99999999999", "0:99999999999", "²", "9" * 5000])
def test_unknown_users_are_refused(tmp_path: Path, user: str) -> None:
    """What is not there, or no id, fails to start with docker's words."""
    with pytest.raises(RuntimeFailure, match=r"unable to find|must be in range") as raised:
        find_user(rootfs(tmp_path), user)
    assert raised.value.step == "start"


def test_links_do_not_lead_out_of_the_root(tmp_path: Path) -> None:
    """A passwd that points at the host's file is looked up inside the image; pipes do not hold us."""
    root = rootfs(tmp_path)
    (tmp_path / "secret").write_text("host:x:4242:0::/:\n")
    for target in (str(tmp_path / "secret"), "../../secret", "/../../../../" + str(tmp_path / "secret")):
        (root / "etc/passwd").unlink()
        (root / "etc/passwd").symlink_to(target)
        with pytest.raises(RuntimeFailure, match="unable to find user host"):
            find_user(root, "host")
    (root / "etc/passwd").unlink()
    os.mkfifo(root / "etc/passwd")
    with pytest.raises(RuntimeFailure, match="unable to find user host"):
        find_user(root, "host")


@given(st.text(max_size=40), st.binary(max_size=200))
def test_any_passwd_gives_a_user_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, user: str, data: bytes) -> None:
    """Hostile files and names raise nothing else."""
    root = tmp_path_factory.mktemp("r")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_bytes(data)
    try:
        found = find_user(root, user)
    except RuntimeFailure:
        return
    assert 0 <= found.uid < 1 << 31


def test_seccomp_leaves_out_what_reaches_the_host() -> None:
    """Modules, keys, mounts, namespaces and clocks are not for containers; with the capability some are."""
    names = {name for rule in plan_seccomp(DEFAULT, "x86_64")["syscalls"] for name in rule["names"]}
    forbidden = {"mount", "init_module", "keyctl", "bpf", "unshare", "setns", "reboot", "io_uring_setup", "kexec_load"}
    assert not names & forbidden
    assert {"read", "execve", "chroot", "clone3"} <= names
    admin = {name for rule in plan_seccomp(("SYS_ADMIN",), "x86_64")["syscalls"] for name in rule["names"]}
    assert {"mount", "unshare", "clone"} <= admin
    assert "chroot" not in admin


@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="needs libseccomp")
def test_every_call_exists() -> None:
    """No name is misspelt: libseccomp knows them all, but those newer than itself."""
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    newer = {"cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_wake", "getxattrat", "listmount"}
    newer |= {"listxattrat", "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "map_shadow_stack", "mseal"}
    newer |= {"quotactl_fd", "removexattrat", "set_mempolicy_home_node", "setxattrat", "statmount", "uretprobe"}
    newer |= {"futimesat_time64"}
    names = {name for rule in plan_seccomp(KERNEL_ORDER, "arm64")["syscalls"] for name in rule["names"]}
    unknown = {name for name in names if library.seccomp_syscall_resolve_name(name.encode()) == -1}
    assert unknown - newer == set()


def test_static_programs_are_known(tmp_path: Path) -> None:
    """A script or a shared program is not taken for a static one."""
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert not is_static(tmp_path / "script")
    assert not is_static(Path(os.path.realpath("/bin/sh")))
