"""The firewall as text: what is planned, before any kernel sees it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fixtures.networks import GROUPS, network_spec
from tidegate.model.spec import PublishedPort, Rule, SecurityGroupSpec
from tidegate.node.network.attachment import Attachment
from tidegate.node.network.firewall import (
    State,
    plan_attach,
    plan_detach,
    plan_groups,
    plan_removal,
    plan_surroundings,
    plan_tables,
)
from tidegate.node.network.names import Names
from tidegate.node.network.rules import combination
from tidegate.node.network.tables import Surroundings

NAMES = Names("00c0ffee")
TABLE = "inet tidegate_00c0ffee"
DEFAULT = combination(("sg-default",))
PORTS = (
    PublishedPort(host_port=8080, container_port=80),
    PublishedPort(host_port=53, container_port=5353, protocol="udp", host_address="0.0.0.0"),
)


def attachment(number: int, *groups: str, published: tuple[PublishedPort, ...] = ()) -> Attachment:
    spec = network_spec(number, *groups, published=published)
    return Attachment(task=f"task-{number}", port=NAMES.port(number), spec=spec)


def test_the_first_task_of_a_group_brings_the_groups_chains() -> None:
    """Sets first, then chains and rules, then the elements that refer to them."""
    assert plan_attach(NAMES, State().with_groups(GROUPS), attachment(10, published=PORTS)).splitlines() == [
        f"add chain {TABLE} e_{DEFAULT}",
        f"add rule {TABLE} e_{DEFAULT} meta nfproto ipv4 return",
        f"add rule {TABLE} e_{DEFAULT} drop",
        f"add chain {TABLE} i_{DEFAULT}",
        f"add rule {TABLE} i_{DEFAULT} ip saddr @m_sg_default accept",
        f"add rule {TABLE} i_{DEFAULT} drop",
        'add element bridge tidegate_00c0ffee bindings { "t00c0ffee00000a" . 0a:00:00:00:00:0a . 10.90.0.10 }',
        f"add element {TABLE} m_sg_default {{ 10.90.0.10 }}",
        f"add element {TABLE} selves {{ 10.90.0.10 . 10.90.0.10 }}",
        f"add element {TABLE} egress {{ 10.90.0.10 : goto e_{DEFAULT} }}",
        f"add element {TABLE} ingress {{ 10.90.0.10 : goto i_{DEFAULT} }}",
        f"add chain {TABLE} p_tcp_8080_127_0_0_1",
        f"add rule {TABLE} p_tcp_8080_127_0_0_1 meta l4proto tcp dnat ip to 10.90.0.10:80",
        f"add element {TABLE} published {{ 127.0.0.1 . tcp . 8080 : goto p_tcp_8080_127_0_0_1 }}",
        f"add chain {TABLE} p_udp_53",
        f"add rule {TABLE} p_udp_53 meta l4proto udp dnat ip to 10.90.0.10:5353",
        f"add element {TABLE} published_everywhere {{ udp . 53 : goto p_udp_53 }}",
    ]


def test_a_second_task_adds_elements_alone() -> None:
    """The chains are shared: an attachment costs the same with one task and with a thousand."""
    state = State().with_groups(GROUPS).with_task(attachment(10))
    assert plan_attach(NAMES, state, attachment(11)).splitlines() == [
        'add element bridge tidegate_00c0ffee bindings { "t00c0ffee00000b" . 0a:00:00:00:00:0b . 10.90.0.11 }',
        f"add element {TABLE} m_sg_default {{ 10.90.0.11 }}",
        f"add element {TABLE} selves {{ 10.90.0.11 . 10.90.0.11 }}",
        f"add element {TABLE} egress {{ 10.90.0.11 : goto e_{DEFAULT} }}",
        f"add element {TABLE} ingress {{ 10.90.0.11 : goto i_{DEFAULT} }}",
    ]


def test_the_last_task_of_a_group_takes_the_chains_along() -> None:
    """Elements first, then what they referred to; the set of a group that exists stays."""
    state = State().with_groups(GROUPS).with_task(attachment(10, published=PORTS[:1]))
    assert plan_detach(NAMES, state, "task-10").splitlines() == [
        'delete element bridge tidegate_00c0ffee bindings { "t00c0ffee00000a" . 0a:00:00:00:00:0a . 10.90.0.10 }',
        f"delete element {TABLE} egress {{ 10.90.0.10 }}",
        f"delete element {TABLE} ingress {{ 10.90.0.10 }}",
        f"delete element {TABLE} m_sg_default {{ 10.90.0.10 }}",
        f"delete element {TABLE} selves {{ 10.90.0.10 . 10.90.0.10 }}",
        f"delete element {TABLE} published {{ 127.0.0.1 . tcp . 8080 }}",
        f"flush chain {TABLE} p_tcp_8080_127_0_0_1",
        f"delete chain {TABLE} p_tcp_8080_127_0_0_1",
        f"flush chain {TABLE} e_{DEFAULT}",
        f"flush chain {TABLE} i_{DEFAULT}",
        f"delete chain {TABLE} e_{DEFAULT}",
        f"delete chain {TABLE} i_{DEFAULT}",
    ]


def test_a_changed_group_rewrites_the_chains_of_its_members_alone() -> None:
    """And a group that is named as a peer gets its set before the rule that asks for it."""
    state = State().with_groups(GROUPS).with_task(attachment(10)).with_task(attachment(11, "sg-other"))
    ingress = (Rule(protocol="tcp", from_port=80, group="sg-new"),)
    other = SecurityGroupSpec(id="sg-other", ingress=ingress, egress=GROUPS["sg-other"].egress)
    chain = f"i_{combination(('sg-other',))}"
    assert plan_groups(NAMES, state, {**GROUPS, "sg-other": other}).splitlines() == [
        f"add set {TABLE} m_sg_new {{ type ipv4_addr; }}",
        f"flush chain {TABLE} {chain}",
        f"add rule {TABLE} {chain} ip saddr @m_sg_new tcp dport 80 accept",
        f"add rule {TABLE} {chain} drop",
    ]


def test_groups_that_change_nothing_cost_nothing() -> None:
    """No transaction for what holds already."""
    state = State().with_groups(GROUPS).with_task(attachment(10))
    assert plan_groups(NAMES, state, dict(GROUPS)) == ""


def test_the_tables_are_replaced_in_one_transaction() -> None:
    """Both go and come in the same text, with every task in it."""
    state = State().with_groups(GROUPS).with_task(attachment(10))
    text = plan_tables(NAMES, Surroundings("10.90.0.0/16", ("eth0",), ("192.0.2.53",)), state)
    for family in ("bridge", "inet"):
        replaced = f"add table {family} tidegate_00c0ffee\ndelete table {family} tidegate_00c0ffee\ntable {family} "
        assert replaced in text
    assert "set resolvers { type ipv4_addr; elements = { 192.0.2.53 }; }" in text
    assert 'set uplinks { type ifname; elements = { "eth0" }; }' in text
    assert 'oifname != "tg-00c0ffee" ip saddr 10.90.0.0/16 masquerade' in text
    assert text.endswith(plan_attach(NAMES, State().with_groups(GROUPS), attachment(10)).split("drop\n")[-1])


def test_removal_works_on_tables_that_are_gone() -> None:
    """Adding a table that exists is no error; deleting one that doesn't would be."""
    assert plan_removal(NAMES).splitlines() == [
        "add table bridge tidegate_00c0ffee",
        "delete table bridge tidegate_00c0ffee",
        "add table inet tidegate_00c0ffee",
        "delete table inet tidegate_00c0ffee",
    ]


def test_the_hosts_interfaces_and_resolvers_are_exchanged_as_a_whole() -> None:
    """Empty sets stay empty: nft has no element list without elements."""
    assert plan_surroundings(NAMES, Surroundings("10.90.0.0/16", ("eth0", "br0"))).splitlines() == [
        f"flush set {TABLE} uplinks",
        f'add element {TABLE} uplinks {{ "eth0", "br0" }}',
        f"flush set {TABLE} resolvers",
    ]


@given(
    st.lists(st.tuples(st.integers(2, 9), st.lists(st.sampled_from(["sg-default", "sg-other", "sg-x"]), max_size=3)))
)
def test_whatever_comes_goes(tasks: list[tuple[int, list[str]]]) -> None:
    """What attachments add, detachments delete: every set, chain and element, in any order of coming and going."""
    state, present = State().with_groups(GROUPS), set(_things(plan_groups(NAMES, State(), GROUPS), "add"))
    before = set(present)
    for number, groups in tasks:
        task = f"task-{number}"
        if task in state.attachments:
            text = plan_detach(NAMES, state, task)
            state = state.without_task(task)
        else:
            text = plan_attach(NAMES, state, attachment(number, *groups))
            state = state.with_task(attachment(number, *groups))
        added, deleted = _things(text, "add"), _things(text, "delete")
        assert present.isdisjoint(added)
        assert present.issuperset(deleted)
        present = (present | added) - deleted
    for task in list(state.attachments):
        present -= _things(plan_detach(NAMES, state, task), "delete")
        state = state.without_task(task)
    assert present == before
    assert state == State().with_groups(GROUPS)


def _things(text: str, verb: str) -> set[str]:
    """What is added or deleted, without the data of an element."""
    lines = (line for line in text.splitlines() if line.startswith(verb) and " rule " not in line)
    things = (line.removeprefix(f"{verb} ").split(" : ")[0].split(" { type")[0] for line in lines)
    return {thing.removesuffix(" }") for thing in things}
