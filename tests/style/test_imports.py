"""The tree's layers: who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from style.sources import CHECKOUT


def test_the_import_contracts_hold() -> None:
    """import-linter finds no import against the contracts in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
