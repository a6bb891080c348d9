"""Users of images that have no /etc/passwd, or one with little in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.node.runtime.oci.user import ProcessUser, find_user
from tidegate.node.runtime.runtime import RuntimeFailure


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ProcessUser(0, 0)),
        ("0", ProcessUser(0, 0)),
        ("1000", ProcessUser(1000, 0)),
        ("1000:1001", ProcessUser(1000, 1001)),
        (":7", ProcessUser(0, 7)),
    ],
)
def test_numbers_need_no_passwd(tmp_path: Path, user: str, expected: ProcessUser) -> None:
    """An image of one static program runs as root if it names nobody, and as any number."""
    assert find_user(tmp_path, user) == expected


def test_a_name_needs_one(tmp_path: Path) -> None:
    """Docker's text, with the name."""
    with pytest.raises(RuntimeFailure, match="unable to find user www: no matching entries in passwd file"):
        find_user(tmp_path, "www")
