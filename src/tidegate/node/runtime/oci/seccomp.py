"""
The system calls that a container may make: an allow-list, wider for those that hold a capability.

What is not listed gives EPERM. The lists follow one rule: a call is allowed if it acts on the caller's own resources
or is checked by the kernel against capabilities that a container does not hold; it is left out if it reaches state
that no namespace divides (modules, keys, clocks, raw I/O, BPF), makes namespaces or mounts, or has a history of holes
out of proportion to its use (io_uring, userfaultfd). It allows what the field's default profiles allow.

Calls that an architecture does not have are skipped by the OCI runtime.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

Architecture = Literal["x86_64", "arm64"]

_EPERM = 1
_ENOSYS = 38
_NEW_NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags of clone(2) but CLONE_NEWTIME, which is no flag of it."""
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, 32 bit, both with UNAME26, and the question which it is."""

_FILES = """
access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat
getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl
fanotify_mark lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek _llseek
lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pread64 preadv
preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat
renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync
sync_file_range sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64
utimes vmsplice write writev landlock_add_rule landlock_create_ruleset landlock_restrict_self cachestat statmount
listmount
"""
_MEMORY = """
brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages set_tid_address
process_mrelease
"""
_PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid getegid32
geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid
getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill
modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64 rseq sched_get_priority_max sched_get_priority_min
sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64
sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area
setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid
setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sysinfo
tgkill tkill uname ugetrlimit vfork wait4 waitid waitpid ptrace process_vm_readv process_vm_writev uretprobe
"""
_SIGNALS_AND_TIME = """
adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep restart_syscall rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo
sigaltstack signal signalfd signalfd4 sigprocmask sigreturn time timer_create timer_delete timer_getoverrun
timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
timerfd_settime timerfd_settime64 times
"""
_WAITING_AND_EVENTS = """
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake _newselect poll ppoll ppoll_time64 pselect6
pselect6_time64 select io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
"""
_TALKING = """
accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair pipe pipe2 ipc mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl
semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget getrandom
lsm_get_self_attr lsm_list_modules lsm_set_self_attr
"""
_ALWAYS = " ".join((_FILES, _MEMORY, _PROCESSES, _SIGNALS_AND_TIME, _WAITING_AND_EVENTS, _TALKING)).split()

_BY_ARCHITECTURE: dict[Architecture, str] = {"x86_64": "", "arm64": "arm_fadvise64_64 arm_sync_file_range"}

_BY_CAPABILITY = {
    "DAC_READ_SEARCH": "open_by_handle_at",
    "SYS_ADMIN": """bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr
        move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2
        unshare""",
    "SYS_BOOT": "reboot",
    "SYS_CHROOT": "chroot",
    "SYS_MODULE": "delete_module finit_module init_module",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp pidfd_getfd process_madvise",
    "SYS_RAWIO": "ioperm iopl",
    "SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "SYS_TTY_CONFIG": "vhangup",
    "SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "SYSLOG": "syslog",
    "BPF": "bpf",
    "PERFMON": "perf_event_open",
}

_NATIVE: dict[Architecture, str] = {"x86_64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
_COMPATIBLE: dict[Architecture, tuple[str, ...]] = {
    "x86_64": ("SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "arm64": ("SCMP_ARCH_ARM",),
}


def plan_seccomp(
    capabilities: Collection[str], architecture: Architecture, *, all_architectures: bool = False
) -> dict[str, Any]:
    """
    The profile for a process with these capabilities (without CAP_).

    all_architectures: programs of the machine's 32 bit modes run as well. Compiling the profile then takes 13 ms
    instead of 3, so it is for runtimes that keep what they compiled. Otherwise such programs are killed.
    """
    names = [*_ALWAYS, *_BY_ARCHITECTURE[architecture].split()]
    for capability in sorted(capabilities):
        names.extend(_BY_CAPABILITY.get(capability, "").split())
    rules = [_allow(sorted(set(names))), *_conditional("SYS_ADMIN" in capabilities)]
    architectures = [_NATIVE[architecture], *(_COMPATIBLE[architecture] if all_architectures else ())]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _EPERM,
        "architectures": architectures,
        "syscalls": rules,
    }


def _conditional(is_admin: bool) -> list[dict[str, Any]]:
    """Calls that are allowed with some arguments only."""
    rules = [_allow(["personality"], _argument(0, value, "SCMP_CMP_EQ")) for value in _PERSONALITIES]
    rules.append(_allow(["socket"], _argument(0, _AF_VSOCK, "SCMP_CMP_NE")))
    if not is_admin:
        rules.append(_allow(["clone"], {**_argument(0, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ"), "valueTwo": 0}))
        # Its flags are in memory, where no filter looks; the C library then falls back to clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return rules


def _allow(names: list[str], *arguments: dict[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": "SCMP_ACT_ALLOW"}
    return {**rule, "args": list(arguments)} if arguments else rule


def _argument(index: int, value: int, operation: str) -> dict[str, Any]:
    return {"index": index, "value": value, "op": operation}
