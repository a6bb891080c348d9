"""
Does KVM run guest code here at the speed of the processor?

That /dev/kvm opens says little: under some hypervisors every guest instruction is emulated, and a stock kernel hangs.
So a guest of one page is made that enters 64-bit mode and counts down a loop; where that takes milliseconds, KVM
works, where it takes hundreds, it does not. The guest runs in a child process that is killed when its time is up.

Run as a module it is that child: it prints the milliseconds and exits, or fails with a reason.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import platform
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DEVICE = "/dev/kvm"
LOOPS = 100_000
FAST_MILLISECONDS = 20.0
LIMIT_SECONDS = 3.0

KVM_GET_API_VERSION = 0xAE00
KVM_CREATE_VM = 0xAE01
KVM_GET_VCPU_MMAP_SIZE = 0xAE04
KVM_CREATE_VCPU = 0xAE41
KVM_RUN = 0xAE80
KVM_SET_USER_MEMORY_REGION = 0x4020AE46
KVM_SET_REGS = 0x4090AE82
KVM_GET_SREGS = 0x8138AE83
KVM_SET_SREGS = 0x4138AE84
EXIT_IO, EXIT_HLT = 2, 5

MEMORY_BYTES = 1 << 20
CODE, PML4, PDPT, DIRECTORY = 0x1000, 0x2000, 0x3000, 0x4000
PRESENT_WRITABLE_USER, LARGE_PAGE = 0x7, 0x83
CR0_PROTECTED_PAGED, CR4_PAE, EFER_LONG_MODE = 0x80050033, 0x20, 0x500
SEGMENT_BYTES, CONTROL_REGISTERS_AT = 24, 224
"""Offsets in struct kvm_sregs: eight segments of 24 bytes and two tables of 16, then cr0, cr2, cr3, cr4, cr8, efer."""


@dataclass(frozen=True, slots=True)
class KvmVerdict:
    """Whether virtual machines can use the processor here, and why not."""

    works: bool
    reason: str


def probe_kvm(limit_seconds: float = LIMIT_SECONDS) -> KvmVerdict:
    """Try it, in a child process. Takes milliseconds where KVM works, `limit_seconds` at most where it doesn't."""
    if platform.machine() != "x86_64":
        return KvmVerdict(False, f"the probe knows x86_64 only, this is {platform.machine()}")
    if not Path(DEVICE).exists():
        return KvmVerdict(False, f"{DEVICE} does not exist")
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return KvmVerdict(False, f"{DEVICE} can't be opened by this user")
    try:
        child = subprocess.run(
            [sys.executable, "-m", "tidegate.kernel.kvm_probe"],
            capture_output=True,
            timeout=limit_seconds,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return KvmVerdict(False, f"a guest of {LOOPS} instructions did not end within {limit_seconds:g} s")
    if child.returncode != 0:
        return KvmVerdict(False, child.stderr.strip().rpartition("\n")[2] or "the probe failed")
    milliseconds = float(child.stdout)
    if milliseconds > FAST_MILLISECONDS:
        return KvmVerdict(
            False, f"guest code is emulated: {LOOPS} loops took {milliseconds:.0f} ms, not {FAST_MILLISECONDS:g}"
        )
    return KvmVerdict(True, f"{LOOPS} loops in {milliseconds:.1f} ms")


def run_guest(loops: int) -> float:
    """Run the guest in this process; milliseconds until it halts. Raises OSError, RuntimeError."""
    kvm = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    if fcntl.ioctl(kvm, KVM_GET_API_VERSION) != 12:
        raise RuntimeError("the KVM API is not version 12")
    machine = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    memory = mmap.mmap(-1, MEMORY_BYTES)
    _load(memory, loops)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(machine, KVM_SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, 0, MEMORY_BYTES, address))
    processor = fcntl.ioctl(machine, KVM_CREATE_VCPU, 0)
    shared = mmap.mmap(processor, fcntl.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE))
    _enter_long_mode(processor)
    began = time.perf_counter()
    for expected in (EXIT_IO, EXIT_HLT):
        fcntl.ioctl(processor, KVM_RUN, 0)
        (reason,) = struct.unpack_from("I", shared, 8)
        if reason != expected:
            raise RuntimeError(f"the guest ended with exit reason {reason}, not {expected}")
    return (time.perf_counter() - began) * 1000


def _load(memory: mmap.mmap, loops: int) -> None:
    """Page tables that map the first 2 MiB, and the program: mov rcx, loops; dec rcx; jnz; mov al, 42; out; hlt."""
    for at, entry in (
        (PML4, PDPT | PRESENT_WRITABLE_USER),
        (PDPT, DIRECTORY | PRESENT_WRITABLE_USER),
        (DIRECTORY, LARGE_PAGE | 0x4),
    ):
        memory[at : at + 8] = struct.pack("Q", entry)
    program = b"\x48\xc7\xc1" + struct.pack("i", loops) + b"\x48\xff\xc9\x75\xfb" + b"\xb0\x2a\xe6\x10\xf4"
    memory[CODE : CODE + len(program)] = program


def _enter_long_mode(processor: int) -> None:
    """Flat 64-bit segments, paging on, the instruction pointer at the program."""
    registers = bytearray(312)
    fcntl.ioctl(processor, KVM_GET_SREGS, registers)
    code, data = (11, 1, 0), (3, 0, 1)
    for index in range(6):
        kind, is_long, is_big = code if index == 0 else data
        selector = 8 if index == 0 else 16
        struct.pack_into(
            "QIHBBBBBBBBBB",
            registers,
            index * SEGMENT_BYTES,
            *(0, 0xFFFFFFFF, selector, kind, 1, 0, is_big, 1, is_long, 1, 0, 0, 0),
        )
    for slot, value in ((0, CR0_PROTECTED_PAGED), (2, PML4), (3, CR4_PAE), (5, EFER_LONG_MODE)):
        struct.pack_into("Q", registers, CONTROL_REGISTERS_AT + 8 * slot, value)
    fcntl.ioctl(processor, KVM_SET_SREGS, bytes(registers))
    fcntl.ioctl(processor, KVM_SET_REGS, struct.pack("18Q", *([0] * 16), CODE, 2))


if __name__ == "__main__":
    try:
        print(run_guest(LOOPS))
    except (OSError, RuntimeError) as error:
        sys.exit(str(error))
