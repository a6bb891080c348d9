"""Security groups as nft text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.spec import Rule, SecurityGroupSpec
from tidegate.node.network.network import NetworkFailure
from tidegate.node.network.rules import combination, plan_chains, render_rule, set_name


@pytest.mark.parametrize(
    "rule, expected",
    [
        (Rule(protocol="-1", cidr="0.0.0.0/0"), "meta nfproto ipv4 "),
        (Rule(protocol="-1", cidr="10.0.0.9/8"), "ip saddr 10.0.0.0/8 "),
        (Rule(protocol="-1", group="sg-0a1b"), "ip saddr @m_sg_0a1b "),
        (Rule(protocol="tcp", from_port=80, to_port=90, cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8 tcp dport 80-90 "),
        (Rule(protocol="udp", from_port=53, to_port=53, group="sg-a"), "ip saddr @m_sg_a udp dport 53 "),
        (Rule(protocol="tcp", from_port=22, cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8 tcp dport 22 "),
        (Rule(protocol="6", from_port=0, to_port=65535, cidr="10.0.0.0/8"), "ip saddr 10.0.0.0/8 meta l4proto tcp "),
        (Rule(protocol="tcp", from_port=-1, to_port=-1, group="sg-a"), "ip saddr @m_sg_a meta l4proto tcp "),
        (Rule(protocol="tcp", group="sg-a"), "ip saddr @m_sg_a meta l4proto tcp "),
        (Rule(protocol="icmp", from_port=-1, to_port=-1, group="sg-a"), "ip saddr @m_sg_a meta l4proto icmp "),
        (Rule(protocol="icmp", from_port=8, to_port=-1, group="sg-a"), "ip saddr @m_sg_a icmp type 8 "),
        (Rule(protocol="icmp", from_port=3, to_port=4, group="sg-a"), "ip saddr @m_sg_a icmp type 3 icmp code 4 "),
        (Rule(protocol="50", group="sg-a"), "ip saddr @m_sg_a meta l4proto 50 "),
    ],
)
def test_a_rule_becomes_a_match(rule: Rule, expected: str) -> None:
    """Peer first, then protocol and ports."""
    assert render_rule(rule, "saddr") == expected


@pytest.mark.parametrize("rule", [Rule(protocol="-1", cidr="::/0"), Rule(protocol="icmpv6", cidr="0.0.0.0/0")])
def test_a_rule_about_ipv6_matches_nothing(rule: Rule) -> None:
    """Tasks have no IPv6; the rule is no error."""
    assert render_rule(rule, "daddr") is None


@pytest.mark.parametrize(
    "rule",
    [
        Rule(protocol="tcp", from_port=90, to_port=80, cidr="10.0.0.0/8"),
        Rule(protocol="tcp", from_port=1, to_port=65536, cidr="10.0.0.0/8"),
        Rule(protocol="tcp", to_port=80, cidr="10.0.0.0/8"),
        Rule(protocol="udp", from_port=-1, to_port=80, cidr="10.0.0.0/8"),
        Rule(protocol="tcp; drop", cidr="10.0.0.0/8"),
        Rule(protocol="256", cidr="10.0.0.0/8"),
        Rule(protocol="²", cidr="10.0.0.0/8"),
        Rule(protocol="icmp", from_port=256, cidr="10.0.0.0/8"),
        Rule(protocol="-1", cidr="10.0.0.0/8 accept"),
        Rule(protocol="-1", group="sg-a } accept"),
        Rule(protocol="-1"),
    ],
)
def test_what_is_no_rule_is_refused(rule: Rule) -> None:
    """Nothing of what a caller says gets into a transaction unread."""
    with pytest.raises(NetworkFailure, match="cannot make"):
        render_rule(rule, "saddr")


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_gets_into_a_transaction(protocol: str, cidr: str, group: str) -> None:
    """Whatever the fields hold: a match is made of words that nft's language has for one match."""
    for rule in (
        Rule(protocol=protocol, cidr=cidr),
        Rule(protocol=protocol, group=group),
        Rule(protocol="-1", cidr=cidr),
    ):
        try:
            match = render_rule(rule, "saddr") or ""
        except NetworkFailure:
            continue
        assert not set(match) & set(";{}\n\"'#\\$,")
        assert len(match.split()) <= 6


def test_groups_add_up_and_the_rest_is_dropped() -> None:
    """The chains of two groups hold the rules of both, once each; an unknown group allows nothing."""
    anywhere, ssh = Rule(protocol="-1", cidr="0.0.0.0/0"), Rule(protocol="tcp", from_port=22, group="sg-b")
    specs = {
        "sg-a": SecurityGroupSpec(id="sg-a", ingress=(ssh,), egress=(anywhere,)),
        "sg-b": SecurityGroupSpec(id="sg-b", ingress=(ssh,), egress=(anywhere,)),
    }
    name = combination(("sg-b", "sg-a"))
    assert plan_chains(("sg-b", "sg-a"), specs) == {
        f"e_{name}": ("meta nfproto ipv4 return", "drop"),
        f"i_{name}": ("ip saddr @m_sg_b tcp dport 22 accept", "drop"),
    }
    assert set(plan_chains(("sg-unknown",), specs).values()) == {("drop",)}


def test_a_combination_is_a_set() -> None:
    """Order and repetition make no difference; other groups do."""
    assert combination(("sg-a", "sg-b")) == combination(("sg-b", "sg-a", "sg-b"))
    assert combination(("sg-a",)) != combination(("sg-b",)) != combination(())


def test_two_groups_never_share_a_set() -> None:
    """Names of sets are told apart as ids are."""
    assert set_name("sg-a-b") == "m_sg_a_b"
    with pytest.raises(NetworkFailure, match="cannot make rules for security group"):
        set_name("sg_a-b")
