"""iptables of one namespace: read with iptables-save(8), changed with iptables-restore(8), and listened to.

The same for what it has its like for: frames that pass a Linux bridge (ebtables(8)).

Through the machine's own programs: what they accept and print is what operators see.  News comes from the kernel's
nf_tables, on which today's iptables is built (``host.nf_tables``): it costs no process, where ``xtables-monitor`` costs
one a namespace.  There, too, the kernel says at once of what there are no tables, so that no process need be asked:
most namespaces have none, or of one family only.  Where iptables is the older kind there is no news, and the slow look
at everything finds what changed.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, lru_cache
from typing import NamedTuple

import msgspec

from netglass.base.errors import NetglassError
from netglass.host import nf_tables
from netglass.host.namespaces import entered
from netglass.host.nf_tables import Edition
from netglass.host.run import Output, run

FRAMES = 0
"""In place of an IP version: frames that pass a Linux bridge, whatever they carry (ebtables(8))."""

_PROGRAMS = {4: "iptables", 6: "ip6tables", FRAMES: "ebtables"}
_FAMILIES = {4: 2, 6: 10, FRAMES: 7}  # NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_BRIDGE
_AT_ONCE = 4  # programs that read; they wait for the kernel as often as for a core
_DPORT = re.compile(r"\bdport=(\d+)")
_PROTOCOL = re.compile(r" -p (\S+) ")
# Those that rules are written with by name; the last are Ethernet types.
_NAMED = ("icmp", "tcp", "udp", "ipv6-icmp", "sctp", "IPv4", "IPv6", "ARP")
_WAIT_S = "5"  # for the lock of the older kind of iptables


class RulesUnreadable(NetglassError):
    """iptables-save did not work; the message is its own."""


class Table(msgspec.Struct):
    """One table as iptables-save prints it: its chains, and its rules as ``-A <chain> …``, both in their order."""

    chains: list[str] = []
    rules: list[str] = []


Tables = dict[int, dict[str, Table]]
"""Tables by IP version or `FRAMES`, then by name."""


class Saved(msgspec.Struct, frozen=True):
    """What was printed of one namespace.

    edition  that the rules were before they were printed; None where nobody says
    texts    by IP version or `FRAMES`; of what there are no tables there is none
    """

    edition: Edition | None
    texts: dict[int, str]

    def tables(self) -> Tables:
        """Gives the tables that were printed."""
        return {version: parse(text.splitlines()) for version, text in self.texts.items()}


def filled(versions: Iterable[int]) -> list[int]:
    """Gives those of the versions of which the caller's namespace may have tables; of the others it has none."""
    families = nf_tables.families() if built_on_nf_tables() else None
    return [version for version in versions if families is None or _FAMILIES[version] in families]


@cache
def built_on_nf_tables() -> bool:
    """Says whether the machine's iptables is today's, so that the kernel tells of changes, and of editions."""
    return "nf_tables" in run(("iptables", "--version")).stdout


def save_all(wanted: Mapping[str, Iterable[int]]) -> dict[str, Future[Saved]]:
    """Begins to read many namespaces at once, of each the versions named.

    The future of one has what was printed, or raises FileNotFoundError when there is no such namespace, and
    RulesUnreadable.
    """
    if not wanted:
        return {}
    pool = ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), "iptables")
    asked = {netns: pool.submit(_save_filled, netns, versions) for netns, versions in wanted.items()}
    pool.shutdown(wait=False)
    return asked


def _save_filled(netns: str, versions: Iterable[int]) -> Saved:
    texts: dict[int, str] = {}
    with entered(netns):
        edition = nf_tables.edition() if built_on_nf_tables() else None
        for version in filled(versions):
            output = run((f"{_PROGRAMS[version]}-save",))
            if not output.ok:
                raise RulesUnreadable(f"in {netns}: {output.evidence}")
            texts[version] = output.stdout
    return Saved(edition, texts)


def parse(lines: Iterable[str]) -> dict[str, Table]:
    """Reads what iptables-save printed; protocols but the common ones by number."""
    tables: dict[str, Table] = {}
    table = Table()
    for line in lines:
        if line.startswith("*"):
            table = tables[line[1:].strip()] = Table()
        elif line.startswith(":"):
            table.chains.append(line[1:].split(" ", 1)[0])
        elif line.startswith("-A "):
            table.rules.append(_numbered(line))
    return tables


@lru_cache(maxsize=16384)
def _numbered(rule: str) -> str:
    """Gives a rule with its protocol's number in place of its name, where rules are written with the number.

    iptables-save prints names out of /etc/protocols, which differ from one machine to the next.
    """
    found = _PROTOCOL.search(rule)
    if found is None or found[1] in _NAMED or found[1].isdigit():
        return rule
    try:
        return f"{rule[: found.start()]} -p {socket.getprotobyname(found[1])} {rule[found.end() :]}"
    except OSError:
        return rule


def restore(netns: str, version: int, lines: Sequence[str]) -> Output:
    """Does what `lines` say in the language of iptables-restore, each table at once or not at all.

    What they do not name is left as it is.  Raises FileNotFoundError when there is no such namespace.
    """
    text = "".join(f"{line}\n" for line in lines)
    waiting = () if version == FRAMES else ("--wait", _WAIT_S)  # ebtables has no lock
    with entered(netns):
        return run((f"{_PROGRAMS[version]}-restore", "--noflush", *waiting), text)


class Flows(NamedTuple):
    """Connections that are tracked.

    words  conntrack(8)'s, that tell them
    ports  first and last of the ports that they were meant for; None: any
    """

    words: tuple[str, ...]
    ports: tuple[int, int] | None = None


def forget_flows(netns: str, flows: Iterable[Flows]) -> list[Output]:
    """Deletes connection tracking entries of a namespace; none at all is no failure.

    Gives the outputs of those that failed.
    """
    failed: list[Output] = []
    # Each once: the rules of OUTPUT and PREROUTING tell the same ones.
    wanted = list(dict.fromkeys(flows))
    if not wanted:
        return failed
    with entered(netns):
        for words in [words for one in wanted for words in _by_port(one)]:
            output = run(("conntrack", "-D", *words))
            if not output.ok and "0 flow entries" not in output.stderr:
                failed.append(output)
    return failed


def _by_port(flows: Flows) -> list[tuple[str, ...]]:
    """Gives the words for each port that there are connections to: conntrack(8) knows no ranges."""
    if flows.ports is None:
        return [flows.words]
    first, last = flows.ports
    ports = {first}
    if first != last:
        listed = run(("conntrack", "-L", *flows.words)).stdout
        # Of each line's two ports by that name the first one is the original direction's.
        found = (_DPORT.search(line) for line in listed.splitlines())
        ports = {port for match in found if match and first <= (port := int(match[1])) <= last}
    return [(*flows.words, "--orig-port-dst", str(port)) for port in sorted(ports)]
