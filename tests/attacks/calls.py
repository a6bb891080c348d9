"""System calls that reach past a container, each as a program: its name, and the errors that it may end with."""

from __future__ import annotations

import struct
from typing import NamedTuple

from fixtures.programs import BASE, Argument, system_call

EPERM, EACCES, ENOSYS, EINVAL, ENOENT, ESRCH = 1, 13, 38, 22, 2, 3
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x00020000, 0x20000000, 0x40000000
SIGCHLD = 17
AT_FDCWD = -100
IOV = struct.pack("<QQ", BASE, 8)
"""Eight bytes at the start of the program."""


class Call(NamedTuple):
    """x86_64's number, arguments that would do no harm, and the errors that are a refusal."""

    number: int
    arguments: tuple[Argument, ...]
    errors: tuple[int, ...] = (EPERM,)


CALLS: dict[str, Call] = {
    # namespaces and mounts
    "mount": Call(165, (b"none", b"/tmp", b"tmpfs", 0, 0)),
    "umount2": Call(166, (b"/proc", 2)),
    "pivot_root": Call(155, (b"/tmp", b"/tmp")),
    "unshare user": Call(272, (CLONE_NEWUSER,)),
    "unshare mount": Call(272, (CLONE_NEWNS,)),
    "unshare user and mount": Call(272, (CLONE_NEWUSER | CLONE_NEWNS,)),
    "unshare network": Call(272, (CLONE_NEWNET,)),
    "clone into a user namespace": Call(56, (CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)),
    "clone into a pid namespace": Call(56, (CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0)),
    "clone3": Call(435, (0, 0), (EPERM, ENOSYS)),
    "setns": Call(308, (0, 0)),
    "open_tree": Call(428, (AT_FDCWD, b"/", 1)),
    "move_mount": Call(429, (AT_FDCWD, b"/tmp", AT_FDCWD, b"/mnt", 0)),
    "fsopen": Call(430, (b"tmpfs", 0)),
    "fspick": Call(433, (AT_FDCWD, b"/", 0)),
    "mount_setattr": Call(442, (AT_FDCWD, b"/proc/sys", 0, b"\0" * 32, 32)),
    "swapon": Call(167, (b"/tmp/none", 0)),
    "swapoff": Call(168, (b"/tmp/none",)),
    "quotactl": Call(179, (0x80000100, b"/tmp/none", 0, 0)),
    "open_by_handle_at": Call(304, (AT_FDCWD, b"\x08\0\0\0\x01\0\0\0" + b"\x02" * 8, 0)),
    # the kernel itself
    "init_module": Call(175, (b"", 0, b"")),
    "finit_module": Call(313, (0, b"", 0)),
    "delete_module": Call(176, (b"no_such_module", 0x800)),
    "kexec_load": Call(246, (0, 0, 0, 0)),
    "kexec_file_load": Call(320, (-1, -1, 0, b"", 0)),
    "reboot with a wrong magic number": Call(169, (1, 2, 3, 0)),
    "bpf": Call(321, (0, b"\0" * 72, 72)),
    "perf_event_open": Call(298, (b"\0" * 112, 0, -1, -1, 0), (EPERM, EACCES)),
    "iopl": Call(172, (3,)),
    "ioperm": Call(173, (0x80, 1, 1)),
    "syslog": Call(103, (3, b"\0" * 64, 64)),
    "userfaultfd": Call(323, (0,)),
    "io_uring_setup": Call(425, (8, b"\0" * 120)),
    "lookup_dcookie": Call(212, (0, 0, 0), (EPERM, ENOSYS)),
    "acct": Call(163, (b"/tmp/none",)),
    "nfsservctl": Call(180, (0, 0, 0), (EPERM, ENOSYS)),
    "vhangup": Call(153, ()),
    "fanotify_init": Call(300, (0, 0)),
    "personality without randomisation": Call(135, (0x0040000,)),
    # keys, time, names
    "add_key": Call(248, (b"user", b"tidegate", b"x", 1, -3)),
    "request_key": Call(249, (b"user", b"tidegate", 0, -3)),
    "keyctl": Call(250, (0, -3, 0)),
    "settimeofday": Call(164, (b"\0" * 16, 0)),
    "clock_settime": Call(227, (0, b"\0" * 16)),
    "clock_adjtime": Call(305, (0, b"\x01" + b"\0" * 207)),
    "sethostname": Call(170, (b"owned", 5)),
    "setdomainname": Call(171, (b"owned", 5)),
    # other processes, priorities, limits
    "ptrace a process that is not ours": Call(101, (16, 4194303, 0, 0), (EPERM, ESRCH)),
    "process_vm_readv of one": Call(310, (4194303, IOV, 1, IOV, 1, 0), (EPERM, ESRCH)),
    "pidfd_open of one": Call(434, (4194303, 0), (EPERM, ESRCH, EINVAL)),
    "kcmp": Call(312, (1, 1, 0, 0, 0)),
    "kill of one": Call(62, (4194303, 0), (EPERM, ESRCH)),
    "real-time scheduling": Call(144, (0, 1, b"\x01\0\0\0")),
    "negative niceness": Call(141, (0, 0, -20), (EPERM, EACCES)),
    "a vsock to the hypervisor": Call(41, (40, 1, 0)),
    "more capabilities": Call(126, (b"\x22\x05\x08\x20\0\0\0\0", b"\xff" * 24)),
    "a higher hard limit": Call(160, (6, b"\xff\xff\xff\xff\xff\xff\xff\x7f" * 2)),
}

PROGRAMS = {name.replace(" ", "-"): system_call(call.number, *call.arguments) for name, call in CALLS.items()}
