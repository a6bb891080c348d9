"""The state directory, and how commands find their server by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.server.statedir import Listening, StateDirectory, StateUnreadable


def test_instance_follows_from_the_place(tmp_path: Path):
    """A server finds what it made before; two servers never share a name; a link is the place that it leads to."""
    one, other = StateDirectory(tmp_path / "one"), StateDirectory(tmp_path / "other")
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")

    assert one.instance == StateDirectory(tmp_path / "one").instance == StateDirectory(tmp_path / "link").instance
    assert one.instance != other.instance
    assert len(one.instance) == 8


def test_is_closed_to_others(tmp_path: Path):
    """The directory is root's alone, also when it was there before."""
    path = tmp_path / "state"
    path.mkdir(mode=0o755)
    StateDirectory(path).create()

    assert path.stat().st_mode & 0o777 == 0o700


def test_listening(tmp_path: Path):
    """What the server wrote is what commands read."""
    state = StateDirectory(tmp_path)
    assert state.read_listening() is None
    said = Listening("http://127.0.0.1:1", 42, "AKIA")
    state.write_listening(said)

    assert state.read_listening() == said


def test_no_state_says_what_to_do(tmp_path: Path):
    """A directory without a server is refused with the remedy."""
    with pytest.raises(StateUnreadable, match="tidegate server --state-dir"):
        StateDirectory(tmp_path / "nothing").read_identity()
