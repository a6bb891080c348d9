"""`tidegate rotate-key`, as a user meets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.server import ServerProcess, leftovers

pytestmark = pytest.mark.host


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose key may be replaced."""
    server = ServerProcess(tmp_path / "state").start()
    try:
        yield server
    finally:
        server.teardown()
    assert leftovers(server) == []


def test_rotate_key(own: ServerProcess) -> None:
    """It says what it does, how far it is, and that it is done; everything is readable, with the next server too."""
    ssm = own.client("ssm")
    for number in range(30):
        ssm.put_parameter(Name=f"/k/{number}", Value=f"value {number}", Type="SecureString")
    before = own.state.master_key.read_bytes()
    said = own.cli("rotate-key").stdout
    found = re.fullmatch(
        r"New key ([0-9a-f]{16}); (\d+) secrets are to be sealed with it\.\n(?:  \d+ of \d+ are\n)+"
        r"Done: (\d+) secrets are sealed with \1; the old key is gone\.\n",
        said,
    )
    assert found, said
    assert int(found[2]) == int(found[3]) >= 31
    after = own.state.master_key.read_bytes()
    assert len(after) == 32
    assert after != before
    assert own.cli("ps").returncode == 0
    own.stop()
    own.start()
    got = own.client("ssm").get_parameter(Name="/k/7", WithDecryption=True)
    assert got["Parameter"]["Value"] == "value 7"


def test_rotate_key_without_a_server(own: ServerProcess) -> None:
    """Says that it needs one."""
    own.stop()
    done = own.cli("rotate-key", check=False)
    assert done.returncode == 1
    assert "Is it running? Start it with `tidegate server`." in done.stderr
