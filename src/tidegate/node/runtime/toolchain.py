"""Which programs run containers here, and what each of them can do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["crun", "runc"]
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The supervisor and the OCI runtime that it calls."""

    conmon: Path
    runtime: Path
    kind: Kind
    conmon_options: frozenset[str] = frozenset()
    """Long options that this conmon knows, of those that not all do."""
    version: tuple[int, ...] = ()
    """Of the OCI runtime."""

    @property
    def caches_seccomp(self) -> bool:
        """Compiles a seccomp profile once and keeps it: then a long one costs nothing."""
        return self.kind == "crun" and self.version >= (1, 21)


def find_program(name: str) -> Path | None:
    """Where a system program is, whatever the PATH of our own process says."""
    found = shutil.which(name, path=_SYSTEM_PATH)
    return Path(found) if found else None
