"""
The firewall of one server's tasks, planned as nft commands: pure text, one transaction each.

Two tables, both named after the instance. `bridge`: a task sends from its own hardware and IP address or not at all.
`inet`: what goes from task to task, to and from the host and the world:

    forward:  running connections go on; what comes from a task must be allowed by `egress` (source -> chain of its
              groups' rules), and what goes to a task by `ingress`; what a host's published port brings is allowed;
              who has begun thousands of connections begins no more; an ICMP error about a connection comes from one of
              its ends or not at all (`selves` has each task's address twice: a rule can compare by lookup only)
    input:    of the host's services a task reaches none, but the resolvers it is told to use
    nat:      published ports lead to their task; what leaves for the world gets the host's address

The rules of a combination of groups are in two chains that its tasks share; adding a task adds elements only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.model.spec import PublishedPort, SecurityGroupSpec
from tidegate.node.network.attachment import Attachment
from tidegate.node.network.names import Names
from tidegate.node.network.rules import combination, plan_chains, referenced_groups, set_name
from tidegate.node.network.tables import Surroundings, quoted, render_bridge_table, render_inet_table

_EVERYWHERE = "0.0.0.0"  # noqa: S104  an address to compare with, nothing is bound


@dataclass(frozen=True, slots=True)
class State:
    """
    What the rules are made from. Group rules by id, attachments by task.

    users: how many tasks have each list of groups, so that a change costs nothing per task that is there.
    """

    groups: Mapping[str, SecurityGroupSpec] = field(default_factory=dict)
    attachments: Mapping[str, Attachment] = field(default_factory=dict)
    users: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def sets(self) -> set[str]:
        """The groups whose members must be known: all that exist, are named as peers, or have members."""
        members = (group for groups in self.users for group in groups)
        return {*self.groups, *referenced_groups(self.groups.values()), *members}

    def combinations(self) -> dict[str, tuple[str, ...]]:
        """The combinations of groups that tasks have, by name."""
        return {combination(groups): groups for groups in self.users}

    def with_task(self, attachment: Attachment) -> State:
        groups = attachment.spec.security_groups
        users = {**self.users, groups: self.users.get(groups, 0) + 1}
        return State(self.groups, {**self.attachments, attachment.task: attachment}, users)

    def without_task(self, task: str) -> State:
        groups = self.attachments[task].spec.security_groups
        users = {key: count - (key == groups) for key, count in self.users.items()}
        attachments = {key: value for key, value in self.attachments.items() if key != task}
        return State(self.groups, attachments, {key: count for key, count in users.items() if count})

    def with_groups(self, groups: Mapping[str, SecurityGroupSpec]) -> State:
        return State(dict(groups), self.attachments, self.users)


def plan_tables(names: Names, surroundings: Surroundings, state: State) -> str:
    """Replace both tables by new ones with everything in `state`."""
    empty = State()
    groups = empty.with_groups(state.groups)
    parts = [
        render_bridge_table(names, surroundings),
        render_inet_table(names, surroundings),
        _plan_change(names, empty, groups),
    ]
    for attachment in state.attachments.values():
        following = groups.with_task(attachment)
        parts.append(plan_attach(names, groups, attachment))
        groups = following
    return "".join(parts)


def plan_removal(names: Names) -> str:
    """Delete both tables, whether they are there or not."""
    table = names.table
    return "".join(f"add table {family} {table}\ndelete table {family} {table}\n" for family in ("bridge", "inet"))


def plan_surroundings(names: Names, surroundings: Surroundings) -> str:
    """Bring the interfaces and resolvers of the host up to date."""
    lines = []
    for name, elements in (("uplinks", quoted(surroundings.uplinks)), ("resolvers", surroundings.resolvers)):
        lines.append(f"flush set inet {names.table} {name}")
        if elements:
            lines.append(f"add element inet {names.table} {name} {{ {', '.join(elements)} }}")
    return _lines(lines)


def plan_attach(names: Names, state: State, attachment: Attachment) -> str:
    """Add a task that `state` doesn't have yet."""
    spec, table = attachment.spec, f"inet {names.table}"
    chains = combination(spec.security_groups)
    lines = [f"add element bridge {names.table} bindings {{ {_binding(attachment)} }}"]
    lines += [f"add element {table} {name} {{ {spec.address} }}" for name in _memberships(attachment)]
    lines.append(f"add element {table} selves {{ {spec.address} . {spec.address} }}")
    lines.append(f"add element {table} egress {{ {spec.address} : goto e_{chains} }}")
    lines.append(f"add element {table} ingress {{ {spec.address} : goto i_{chains} }}")
    for port in spec.published:
        chain, lookup, key = _publication(port)
        lines.append(f"add chain {table} {chain}")
        target = f"{spec.address}:{port.container_port}"
        lines.append(f"add rule {table} {chain} meta l4proto {port.protocol} dnat ip to {target}")
        lines.append(f"add element {table} {lookup} {{ {key} : goto {chain} }}")
    return _plan_change(names, state, state.with_task(attachment)) + _lines(lines)


def plan_detach(names: Names, state: State, task: str) -> str:
    """Take a task of `state` away, with the chains and sets that nobody else uses."""
    attachment = state.attachments[task]
    spec, table = attachment.spec, f"inet {names.table}"
    lines = [f"delete element bridge {names.table} bindings {{ {_binding(attachment)} }}"]
    keyed = ("egress", "ingress", *_memberships(attachment))
    lines += [f"delete element {table} {name} {{ {spec.address} }}" for name in keyed]
    lines.append(f"delete element {table} selves {{ {spec.address} . {spec.address} }}")
    for port in spec.published:
        chain, lookup, key = _publication(port)
        lines += [f"delete element {table} {lookup} {{ {key} }}"]
        lines += [f"flush chain {table} {chain}", f"delete chain {table} {chain}"]
    return _lines(lines) + _plan_change(names, state, state.without_task(task))


def plan_groups(names: Names, state: State, groups: Mapping[str, SecurityGroupSpec]) -> str:
    """Make `groups` the rules for all members; only chains whose rules differ are written anew."""
    return _plan_change(names, state, state.with_groups(groups))


def _plan_change(names: Names, before: State, after: State) -> str:
    """The sets and chains that groups need: make what is new, fill what differs, then remove what nobody needs."""
    table = f"inet {names.table}"
    old_sets, new_sets = before.sets(), after.sets()
    lines = [f"add set {table} {set_name(group)} {{ type ipv4_addr; }}" for group in sorted(new_sets - old_sets)]
    old_chains, new_chains = _all_chains(before), _all_chains(after)
    for chain, rules in new_chains.items():
        if rules == old_chains.get(chain):
            continue
        lines.append(f"{'flush' if chain in old_chains else 'add'} chain {table} {chain}")
        lines += [f"add rule {table} {chain} {rule}" for rule in rules]
    gone = sorted(old_chains.keys() - new_chains.keys())
    lines += [f"flush chain {table} {chain}" for chain in gone] + [f"delete chain {table} {chain}" for chain in gone]
    lines += [f"delete set {table} {set_name(group)}" for group in sorted(old_sets - new_sets)]
    return _lines(lines)


def _all_chains(state: State) -> dict[str, tuple[str, ...]]:
    chains: dict[str, tuple[str, ...]] = {}
    for _, groups in sorted(state.combinations().items()):
        chains.update(plan_chains(groups, state.groups))
    return chains


def _memberships(attachment: Attachment) -> list[str]:
    return [set_name(group) for group in dict.fromkeys(attachment.spec.security_groups)]


def _binding(attachment: Attachment) -> str:
    return f'"{attachment.port}" . {attachment.spec.mac} . {attachment.spec.address}'


def _publication(port: PublishedPort) -> tuple[str, str, str]:
    """Chain, map and key of a published port."""
    where = f"{port.protocol} . {port.host_port}"
    if port.host_address == _EVERYWHERE:
        return f"p_{port.protocol}_{port.host_port}", "published_everywhere", where
    chain = f"p_{port.protocol}_{port.host_port}_{port.host_address.replace('.', '_')}"
    return chain, "published", f"{port.host_address} . {where}"


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)
