"""Root in a container looks for the host's files, the server's state and other tasks'."""

from __future__ import annotations

import pytest

from attacks.attempts import NOT_PERMITTED, NOT_THERE, READ_ONLY, Attempt, Ledger, try_all
from fixtures.workload import REST, Workload

pytestmark = [pytest.mark.host, pytest.mark.fault]


def test_state_directory(work: Workload, ledger: Ledger) -> None:
    """The way to it is in /proc/self/mountinfo for all to see, and leads nowhere; nor do links, or the way up."""
    state = work.server.state.path
    up = "/".join([".."] * 30)
    deep = "mkdir -p /tmp/in; cd /tmp/in; {}"
    link = f"ln -s {state} /tmp/state; ls /tmp/state/"
    attempts = [
        Attempt("by its path", f"ls {state}", NOT_THERE),
        Attempt("the store", f"cat {state}/store.db", NOT_THERE),
        Attempt("the master key", f"cat {work.server.state.master_key}", NOT_THERE),
        Attempt("by the root of process 1", f"ls /proc/1/root{state}", NOT_THERE),
        Attempt("by its working directory", f"ls /proc/1/cwd/{up}{state}", NOT_THERE),
        Attempt("by the way up", f"ls {up}{state}", NOT_THERE),
        Attempt("by a link", link, NOT_THERE),
        Attempt("by mountinfo", "d=$(grep -o 'upperdir=[^,]*' /proc/self/mountinfo | cut -d= -f2); ls $d", NOT_THERE),
        Attempt(
            "by the layers",
            "d=$(grep -o 'lowerdir=[^,]*' /proc/self/mountinfo | cut -d= -f2 | cut -d: -f1); ls $d",
            NOT_THERE,
        ),
        Attempt("by chroot", deep.format(f"chroot . ls {state}"), f"{NOT_THERE}|can't execute"),
        Attempt(
            "by a root left behind",
            deep.format(f"mkdir a; chroot a /bin/sh -c 'cd {up}; ls .{state}'"),
            "can't execute|not found|No such",
        ),
        Attempt("by entering process 1's namespaces", f"nsenter -t 1 -m ls {state}", f"{NOT_PERMITTED}|can't"),
        Attempt("by a bind of the root", "mount --bind / /mnt", NOT_PERMITTED),
        Attempt("by mounting it again", "mount -o remount,rw /proc/sys", NOT_PERMITTED),
        Attempt("by mounting /proc anew", "mkdir /tmp/p; mount -t proc proc /tmp/p", NOT_PERMITTED),
        Attempt("by mounting /sys anew", "mkdir /tmp/s; mount -t sysfs sysfs /tmp/s", NOT_PERMITTED),
        Attempt("by taking a mask away", "umount /proc/kcore", NOT_PERMITTED),
        Attempt(
            "by an overlay of its own",
            "mkdir -p /tmp/l /tmp/u /tmp/w /tmp/m; mount -t overlay -o lowerdir=/tmp/l,"
            "upperdir=/tmp/u,workdir=/tmp/w overlay /tmp/m",
            NOT_PERMITTED,
        ),
    ]
    try_all(work, ledger, "state directory", attempts)


def test_descriptors_and_processes_of_the_host(work: Workload, ledger: Ledger) -> None:
    """No descriptor is left open by who started the container, and no process but its own is there."""
    attempts = [
        Attempt("a descriptor that was left open", "ls /proc/1/fd | grep -vE '^(0|1|2)$'", "^$"),
        Attempt(
            "a standard stream that is a file of the host",
            "for n in 0 1 2; do readlink /proc/1/fd/$n; done | grep -vE '^(pipe:|/dev/null|/dev/pts)'",
            "^$",
        ),
        Attempt("a process of somebody else", "cat /proc/[0-9]*/comm | grep -vxE 'sh|cat|grep|head|tr|busybox'", "^$"),
        Attempt(
            "the environment of the server", "cat /proc/*/environ | grep -iE 'tidegate_state|virtual_env|pytest'", "^$"
        ),
        Attempt("the host's name", f"grep -x {_host_name()} /etc/hostname /proc/sys/kernel/hostname", "^$"),
        Attempt(
            "the program that started it", "echo x > /proc/self/exe", f"{NOT_PERMITTED}|Text file busy|{READ_ONLY}"
        ),
    ]
    try_all(work, ledger, "processes of the host", attempts)


def test_files_of_another_task(work: Workload, ledger: Ledger) -> None:
    """A task beside it, of the same image: what it wrote, its shared memory and its messages are not to be found."""
    secret = "tidegate-canary-5150"
    other = work.run_shell(f"echo {secret} > /secret; echo {secret} > /dev/shm/secret; echo {secret} >/tmp/s; {REST}")
    work.wait_one(other, "RUNNING")
    name = other.rpartition("/")[2]
    attempts = [
        Attempt("in its own root", "cat /secret", NOT_THERE),
        Attempt("in shared memory", "cat /dev/shm/secret", NOT_THERE),
        Attempt(
            "anywhere it may look", f"grep -rlE '{secret[:9]}[c]anary' / --exclude-dir=proc 2>/dev/null | grep .", "^$"
        ),
        Attempt("by its id in /proc", f"grep -rs {name} /proc/*/cgroup /proc/*/mountinfo", "^$"),
        Attempt("by the roots of processes", "for p in /proc/[0-9]*; do cat $p/root/secret; done", NOT_THERE),
    ]
    try_all(work, ledger, "another task's files", attempts)
    work.stop([other])
    work.wait_one(other, "STOPPED")


def _host_name() -> str:
    with open("/proc/sys/kernel/hostname") as file:
        return file.read().strip()
