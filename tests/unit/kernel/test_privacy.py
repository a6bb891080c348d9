"""No core dump is written of a process that has secrets in its memory."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource
from tidegate.kernel.privacy import forbid_core_dumps, is_dumpable
before = is_dumpable(), resource.getrlimit(resource.RLIMIT_CORE)[1]
forbid_core_dumps()
after = is_dumpable(), *resource.getrlimit(resource.RLIMIT_CORE)
print(before[0], after[0], after[1], after[2] == before[1])
"""


def test_core_dumps_are_forbidden() -> None:
    """By the limit and by the kernel's flag, which a program that core dumps go to can't get around."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["True", "False", "0", "True"]
