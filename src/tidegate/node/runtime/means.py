"""What the containers of one runtime have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tidegate.kernel.spawn import Spawner
from tidegate.node.runtime import command
from tidegate.node.runtime.cgroup.cgroups import Cgroups
from tidegate.node.runtime.toolbox import Toolbox
from tidegate.node.runtime.toolchain import Toolchain


@dataclass(frozen=True, slots=True)
class Means:
    """The programs, and where they keep what they know."""

    tools: Toolchain
    spawner: Spawner
    cgroups: Cgroups
    root: Path
    """The OCI runtime's own state."""
    timeout_seconds: float
    """For each call of the OCI runtime."""
    toolbox: Toolbox = field(default_factory=Toolbox)

    async def run_runtime(self, *arguments: str) -> command.Finished:
        """Call the OCI runtime. Raises TimeoutError, OSError."""
        line = [str(self.tools.runtime), f"--root={self.root}", *arguments]
        return await command.run(self.spawner, line, timeout_seconds=self.timeout_seconds)
