"""nftables in this process: transactions that hold whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.networks import host_network
from tidegate.kernel.nftables import Nftables, NftablesError

pytestmark = pytest.mark.host


@pytest.fixture
def nftables() -> Iterator[Nftables]:
    """On a host of one's own."""
    with host_network():
        found = Nftables()
        try:
            yield found
        finally:
            found.close()


def test_a_transaction_changes_the_rules_and_a_question_is_answered(nftables: Nftables) -> None:
    """What a command prints is returned, for that command alone."""
    assert (
        nftables.run("add table inet a\nadd set inet a s { type ipv4_addr; }\nadd element inet a s { 10.0.0.1 }") == ""
    )
    assert "10.0.0.1" in nftables.run("list set inet a s")
    assert nftables.run("add table inet b") == ""


def test_a_transaction_that_fails_leaves_nothing(nftables: Nftables) -> None:
    """The message is nft's; the next transaction works."""
    with pytest.raises(NftablesError, match="No such file or directory"):
        nftables.run("add table inet a\ndelete table inet nothing")
    with pytest.raises(NftablesError, match="syntax error"):
        nftables.run("add table inet a\nnonsense")
    assert nftables.run("list tables") == ""
    nftables.run("add table inet a")


def test_closed_is_closed(nftables: Nftables) -> None:
    """Twice is once; a transaction after that is refused, not a crash."""
    nftables.close()
    nftables.close()
    with pytest.raises(NftablesError, match="closed"):
        nftables.run("list tables")
