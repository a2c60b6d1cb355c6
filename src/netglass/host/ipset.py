"""Sets of prefixes in the kernel, by ipset(8): read back and changed.

Source: ipset(8), type hash:net.  The kernel tells nobody of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_network

import msgspec

from netglass.base.errors import NetglassError
from netglass.host.run import Output, run

_FAMILIES = {4: "inet", 6: "inet6"}
_VERSIONS = {family: version for version, family in _FAMILIES.items()}
_MOST = 131072  # members, as Neutron has it; ipset's own limit is half of it


class SetsUnreadable(NetglassError):
    """``ipset save`` did not work; the message is its own."""


class Set(msgspec.Struct):
    """A set as it is; `ip_version` is 0 for one of another type."""

    ip_version: int
    members: list[str]


def save() -> dict[str, Set]:
    """Gives the sets of our network namespace by name, whoever made them; raises SetsUnreadable."""
    output = run(("ipset", "save"))
    if not output.ok:
        raise SetsUnreadable(output.evidence)
    found: dict[str, Set] = {}
    for line in output.stdout.splitlines():
        words = line.split()
        if len(words) >= 5 and words[0] == "create":
            version = _VERSIONS.get(words[4], 0) if words[2:4] == ["hash:net", "family"] else 0
            found[words[1]] = Set(version, [])
        elif len(words) >= 3 and words[0] == "add" and words[1] in found:
            found[words[1]].members.append(_canonical(words[2]))
    return found


def restore(lines: Sequence[str]) -> Output:
    """Does what `lines` say in the language of ``ipset restore``, up to the first that is refused.

    What is so already is no failure: a member that is there, or that is not.
    """
    return run(("ipset", "-exist", "restore"), "".join(f"{line}\n" for line in lines))


def create(name: str, ip_version: int) -> str:
    """Gives the line that makes a set."""
    return f"create {name} hash:net family {_FAMILIES[ip_version]} maxelem {_MOST}"


def destroy(name: str) -> str:
    """Gives the line that deletes a set, which no rule may refer to any more."""
    return f"destroy {name}"


def add(name: str, members: Iterable[str]) -> list[str]:
    """Gives the lines that put members in."""
    return [f"add {name} {member}" for member in members]


def delete(name: str, members: Iterable[str]) -> list[str]:
    """Gives the lines that take members out."""
    return [f"del {name} {member}" for member in members]


@lru_cache(maxsize=65536)
def _canonical(member: str) -> str:
    """Gives a member as `ipaddress` spells it; the kernel's spelling of IPv6 is another one in rare cases."""
    try:
        network = ip_network(member)
    except ValueError:
        return member
    return str(network.network_address) if network.num_addresses == 1 else str(network)
