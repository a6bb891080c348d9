"""
Beside the host's own firewall: lets it pass the bridge's traffic on, for our table to judge.

nftables asks every table, and one that drops can't be overruled by another. Docker, ufw and many administrators set
the FORWARD chain of iptables to drop; so two accepts for our bridge go where such exceptions belong: DOCKER-USER if
Docker made it, else FORWARD, before the chain's first rule that ends it for all. What the administrator refuses
further up stays refused. Docker writes its chains anew when it restarts, so this is done again from time to time.
Chains of other tables that drop what is forwarded are reported, not changed.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tidegate.kernel.nftables import Nftables, NftablesError
from tidegate.node.network.names import Names

_DOCKER_CHAIN = "DOCKER-USER"
_LEGACY_TABLES = Path("/proc/thread-self/net/ip_tables_names")
_TIMEOUT_SECONDS = 10
_ENDINGS = ("DROP", "REJECT", "RETURN", "ACCEPT")
_TABLE = re.compile(r"table (\S+) (\S+) \{")


def reconcile(names: Names, nftables: Nftables) -> tuple[str, ...]:
    """Put the accepts where they are needed and missing; returns what stays in the way, in words for people."""
    problems = list(find_droppers(nftables.run("list chains"), names.table))
    for command in _commands(nftables):
        try:
            _add_accepts(command, names)
        except OSError as error:
            problems.append(f"cannot let {names.bridge} pass the host's firewall: {error}")
    if _find_command("nft") is None and _nft_forward_drops(nftables):
        problems.append("the host's FORWARD chain drops forwarded traffic and iptables is missing; install iptables")
    return tuple(problems)


def _add_accepts(command: str, names: Names) -> None:
    listing = _run([command, "-w", "5", "-S", "FORWARD"])
    if not is_in_the_way(listing):
        return
    chain = _DOCKER_CHAIN if f"-j {_DOCKER_CHAIN}" in listing else "FORWARD"
    rules = listing if chain == "FORWARD" else _run([command, "-w", "5", "-S", chain])
    for arguments in plan_accepts(rules, chain, names):
        _run([command, "-w", "5", *arguments])


def remove(names: Names) -> None:
    """Take our rules away, wherever they are. Raises OSError."""
    nftables = Nftables()
    try:
        for command in _commands(nftables):
            for arguments in plan_removals(_run([command, "-w", "5", "-S"]), names):
                _run([command, "-w", "5", *arguments])
    finally:
        nftables.close()


def is_in_the_way(listing: str) -> bool:
    """Whether FORWARD, as `iptables -S FORWARD` shows it, drops what nobody accepted, or Docker rules it."""
    lines = listing.splitlines()
    ends = any(_ends_chain(line, "FORWARD", ("DROP", "REJECT")) for line in lines)
    return "-P FORWARD DROP" in lines or ends or f"-j {_DOCKER_CHAIN}" in listing


def plan_accepts(listing: str, chain: str, names: Names) -> list[list[str]]:
    """The iptables arguments that add what is missing of our two rules to `chain`, as `iptables -S` shows it."""
    rules = [line for line in listing.splitlines() if line.startswith(f"-A {chain} ")]
    present = {tuple(shlex.split(line)[2:]) for line in rules}
    ending = next((at for at, line in enumerate(rules, 1) if _ends_chain(line, chain, _ENDINGS)), None)
    position = [str(ending)] if ending is not None else []
    verb = "-I" if position else "-A"
    return [[verb, chain, *position, *rule] for rule in _accepts(names) if tuple(rule) not in present]


def plan_removals(listing: str, names: Names) -> list[list[str]]:
    """The iptables arguments that delete every rule of ours in a listing of all chains."""
    rules = (shlex.split(line) for line in listing.splitlines() if names.table in line)
    return [["-D", *rule[1:]] for rule in rules if rule[0] == "-A" and rule[2:] in _accepts(names)]


def find_droppers(listing: str, own_table: str) -> tuple[str, ...]:
    """Chains of other tables that drop forwarded packets by policy, in words; `listing` is nft's `list chains`."""
    found, table = [], ("", "")
    for line in listing.splitlines():
        if match := _TABLE.match(line.strip()):
            table = (match[1], match[2])
        is_iptables = table == ("ip", "filter")
        is_other = table[0] in ("ip", "inet") and table[1] != own_table and not is_iptables
        if is_other and "hook forward" in line and "policy drop" in line:
            found.append(f"nftables table {table[0]} {table[1]} drops forwarded traffic; let it accept our bridge")
    return tuple(found)


def _accepts(names: Names) -> list[list[str]]:
    comment = ["-m", "comment", "--comment", names.table, "-j", "ACCEPT"]
    return [[side, names.bridge, *comment] for side in ("-i", "-o")]


def _ends_chain(line: str, chain: str, targets: Sequence[str]) -> bool:
    """Whether a rule matches everything and ends the chain."""
    words = line.split()
    return words[:3] == ["-A", chain, "-j"] and len(words) > 3 and words[3] in targets


def _commands(nftables: Nftables) -> list[str]:
    """The iptables programs whose tables are in use here; asking one that isn't could make its tables."""
    wanted = [("nft", _nft_has_forward(nftables)), ("legacy", _legacy_has_filter())]
    return [command for kind, is_used in wanted if is_used and (command := _find_command(kind)) is not None]


def _find_command(kind: str) -> str | None:
    return shutil.which(f"iptables-{kind}") or shutil.which("iptables")


def _nft_has_forward(nftables: Nftables) -> bool:
    return _nft_forward(nftables) != ""


def _nft_forward_drops(nftables: Nftables) -> bool:
    return "policy drop" in _nft_forward(nftables)


def _nft_forward(nftables: Nftables) -> str:
    try:
        return nftables.run("list chain ip filter FORWARD")
    except NftablesError:
        return ""


def _legacy_has_filter() -> bool:
    try:
        return "filter" in _LEGACY_TABLES.read_text().split()
    except OSError:
        return False


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise OSError(f"{' '.join(command)}: no answer in {_TIMEOUT_SECONDS} seconds") from error
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout
