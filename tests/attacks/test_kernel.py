"""Root in a container asks the kernel for what is not a container's."""

from __future__ import annotations

import platform

import pytest

from attacks.attempts import NOT_PERMITTED, NOT_THERE, READ_ONLY, Attempt, Ledger, try_all
from attacks.calls import CALLS
from fixtures.workload import Workload

pytestmark = [pytest.mark.host, pytest.mark.fault]

DEVICES = {
    "memory": "c 1 1",
    "kernel memory": "c 1 2",
    "ports": "c 1 4",
    "kernel messages": "c 1 11",
    "the first SCSI disk": "b 8 0",
    "the first virtio disk": "b 254 0",
    "the first loop device": "b 7 0",
    "the first NVMe disk": "b 259 0",
    "loop control": "c 10 237",
    "fuse": "c 10 229",
    "KVM": "c 10 232",
    "tun": "c 10 200",
    "the hardware clock": "c 10 135",
    "the first serial line": "c 4 64",
    "the console": "c 4 0",
    "the device mapper": "c 10 236",
    "btrfs control": "c 10 234",
    "CPU registers": "c 202 0",
}


def test_system_calls(work: Workload, ledger: Ledger) -> None:
    """Mounts, namespaces, modules, BPF, keys, the clock, other processes: each ends with the error of a refusal."""
    if platform.machine() != "x86_64":
        pytest.skip("the programs are for x86_64")
    attempts = [
        Attempt(name, f"/attack/{name.replace(' ', '-')}; echo =$?=; false", f"=({'|'.join(map(str, call.errors))})=")
        for name, call in CALLS.items()
    ]
    try_all(work, ledger, "system calls", attempts)


def test_device_nodes(work: Workload, ledger: Ledger) -> None:
    """A node of any device may be made, as on Fargate; none that is not a container's can be opened."""
    attempts = [
        Attempt(name, f"mknod '/tmp/{name}' {numbers} && head -c 1 '/tmp/{name}'", NOT_PERMITTED)
        for name, numbers in DEVICES.items()
    ]
    try_all(work, ledger, "device nodes", attempts)


def test_kernel_settings(work: Workload, ledger: Ledger) -> None:
    """What is under /proc and /sys can't be changed, and what tells of the host can't be read."""
    writes = {
        "the core pattern": "/proc/sys/kernel/core_pattern",
        "the module loader": "/proc/sys/kernel/modprobe",
        "the hotplug helper": "/proc/sys/kernel/hotplug",
        "the uevent helper": "/sys/kernel/uevent_helper",
        "panic": "/proc/sys/kernel/panic",
        "forwarding": "/proc/sys/net/ipv4/ip_forward",
        "binary formats": "/proc/sys/fs/binfmt_misc/register",
        "the magic key": "/proc/sysrq-trigger",
        "interrupts": "/proc/irq/default_smp_affinity",
        "memory overcommitment": "/proc/sys/vm/overcommit_memory",
        "a network device": "/sys/class/net/lo/mtu",
        "the random source": "/proc/sys/kernel/random/read_wakeup_threshold",
        "the security module": "/proc/self/attr/current",
        "its own mapping of users": "/proc/self/uid_map",
        "its own OOM score": "/proc/self/oom_score_adj",
    }
    reads = {
        "kernel memory": "head -c 1 /proc/kcore | grep .",
        "kernel messages": "head -c 1 /proc/kmsg",
        "keys": "grep . /proc/keys",
        "timers": "grep . /proc/timer_list",
        "firmware": "ls /sys/firmware | grep .",
        "power meters": "ls /sys/devices/virtual/powercap | grep .",
        "kernel messages by dmesg": "dmesg",
        "addresses of the kernel": "grep -v '^0* ' /proc/kallsyms | head -n 1 | grep .",
    }
    attempts = [
        Attempt(n, f"echo -999 > {p}", f"{READ_ONLY}|{NOT_PERMITTED}|nonexistent|{NOT_THERE}|Invalid argument")
        for n, p in writes.items()
    ]
    attempts += [Attempt(f"read {n}", c, f"{NOT_PERMITTED}|{NOT_THERE}|^$") for n, c in reads.items()]
    try_all(work, ledger, "kernel settings", attempts)


def test_control_groups(work: Workload, ledger: Ledger) -> None:
    """The way out by a release agent is closed, and no limit can be widened."""
    everywhere = "for g in /sys/fs/cgroup /sys/fs/cgroup/*; do {}; done; false"
    refused = f"{READ_ONLY}|{NOT_PERMITTED}|{NOT_THERE}|nonexistent"
    attempts = [
        Attempt("a release agent", everywhere.format("echo /bin/sh > $g/release_agent"), refused),
        Attempt("a group of its own", everywhere.format("mkdir $g/owned"), refused),
        Attempt(
            "more memory", everywhere.format("echo -1 > $g/memory.limit_in_bytes; echo max > $g/memory.max"), refused
        ),
        Attempt("more processes", everywhere.format("echo max > $g/pids.max"), refused),
        Attempt("out of its group", everywhere.format("echo $$ > $g/../cgroup.procs; echo 0 > $g/tasks"), refused),
        Attempt("every device", everywhere.format("echo a > $g/devices.allow"), refused),
        Attempt("a hierarchy of version 1", "mkdir /tmp/v1; mount -t cgroup -o memory none /tmp/v1", NOT_PERMITTED),
        Attempt("a hierarchy of version 2", "mkdir /tmp/v2; mount -t cgroup2 none /tmp/v2", NOT_PERMITTED),
    ]
    try_all(work, ledger, "control groups", attempts)
