"""A login is in a file that nobody else can read, and only for as long as it is used."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tidegate.model.execution import RegistryLogin
from tidegate.node.image.login import login_file, remove_logins

LOGIN = RegistryLogin("me", "pass:word")


def test_the_file(tmp_path: Path) -> None:
    """0600, in the form that skopeo reads; gone afterwards, also when the pull fails."""
    scope = login_file(tmp_path, "registry:5000", LOGIN)
    path = scope.__enter__()
    assert path.stat().st_mode & 0o777 == 0o600
    held = json.loads(path.read_text())
    assert base64.b64decode(held["auths"]["registry:5000"]["auth"]) == b"me:pass:word"
    assert scope.__exit__(ZeroDivisionError, ZeroDivisionError(), None) is False
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left(tmp_path: Path) -> None:
    """Goes at the next start; nothing else does."""
    (tmp_path / "other").touch()
    with login_file(tmp_path, "r", LOGIN) as path:
        remove_logins(tmp_path)
        assert not path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
