"""Lowers a router's translation and filtering to iptables rules.

    nat     PREROUTING   -> neutron-l3-agent-PREROUTING     floating address to fixed address
                         -> neutron-l3-agent-fip-pf
                            -> neutron-l3-agent-pf-<id8>    ports of a floating address to ports of a fixed one
            OUTPUT       -> neutron-l3-agent-OUTPUT         the same for what the router itself sends
            POSTROUTING  -> neutron-l3-agent-POSTROUTING    what stays inside, untranslated, bears its own address
                         -> neutron-postrouting-bottom -> neutron-l3-agent-snat
                            -> neutron-l3-agent-float-snat  fixed address to floating address
                            the gateway's address for all else that goes out, and for what was turned back inside
    mangle  PREROUTING   -> neutron-l3-agent-PREROUTING -> neutron-l3-agent-mark   0x2: came in from outside
                            0x1: a guest's request for its metadata
    filter  FORWARD      -> neutron-filter-top, neutron-l3-agent-FORWARD
            INPUT        -> neutron-l3-agent-INPUT           nobody else reaches the metadata proxy's port

Where subnets are in address scopes, mangle and filter have a chain neutron-l3-agent-scope: see compile.router_scopes.
What was marked as come in from outside keeps its source when it is turned to a guest, so that guests see who calls.
Called by compile.routing.  Source: DATAPLANE.md, "Routing"; chains and marks are Neutron's l3 agent's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from netglass.compile.iptables import arrange, dnat, dnat_ports, host_prefix, snat
from netglass.compile.metadata import ADDRESS, ROUTER_PORT
from netglass.compile.router_scopes import Scopes, keeping_apart, leaving_as_it_is, marking
from netglass.desired.state import RuleSet

WRAP = "neutron-l3-agent"
_BOTTOM = "neutron-postrouting-bottom"
_TOP = "neutron-filter-top"
_FORWARDINGS = f"{WRAP}-fip-pf"
_SCOPE = f"{WRAP}-scope"
_OUTSIDE_MARK = "0x2/0xffff"
_METADATA_MARK = "0x1/0xffff"
_METADATA = f"-d {host_prefix(ADDRESS)} -i qr-+ -p tcp -m tcp --dport 80"
_PROXY_ONLY = (f"-m mark --mark {_METADATA_MARK} -j ACCEPT", f"-p tcp -m tcp --dport {ROUTER_PORT} -j DROP")

Rules = Mapping[str, Sequence[str]]


class Forwarded(msgspec.Struct, frozen=True):
    """Ports of a floating address that lead to ports of a fixed one; all values are good ones.

    ports, to_ports  first and last; `to_ports` as many, or a single one
    """

    id: str
    address: str
    protocol: str
    ports: tuple[int, int]
    to_address: str
    to_ports: tuple[int, int]

    @property
    def chain(self) -> str:
        """Gives the name of its chain; two may share one, for names are short."""
        return f"{WRAP}-pf-{self.id[:8]}"

    @property
    def rule(self) -> str:
        """Gives the rule that translates."""
        outer = (self.protocol, self.address, self.ports)
        return dnat_ports(outer, self.to_address, self.to_ports)


class Translation(msgspec.Struct, frozen=True):
    """What a router translates.

    device     its device outside; empty without a gateway
    source     the gateway's own address; empty: none
    hides      what goes out bears it
    floating   (floating address, fixed address), ascending
    forwarded  ports of further floating addresses
    scopes     address scopes by IP version, where there are any
    """

    device: str = ""
    source: str = ""
    hides: bool = True
    floating: tuple[tuple[str, str], ...] = ()
    forwarded: tuple[Forwarded, ...] = ()
    scopes: Mapping[int, Scopes] = {}


def rule_sets(owner: str, intent: tuple[str, ...], netns: str, translation: Translation) -> Iterator[RuleSet]:
    """Gives a router's rules; raises ValueError for an address that is none."""
    wanted: list[tuple[int, str, Rules]] = [
        (4, "nat", _nat(translation)),
        (4, "mangle", _mangle(translation)),
        (4, "filter", _filter(translation, 4)),
        (6, "filter", _filter(translation, 6)),
    ]
    if 6 in translation.scopes:
        wanted.append((6, "mangle", {"PREROUTING": (f"-j {WRAP}-PREROUTING",), **_scoping(translation, 6)}))
    for version, table, rules in wanted:
        chains = tuple(sorted(chain for chain in rules if chain.startswith("neutron-")))
        yield RuleSet(
            owner=owner,
            intent=intent,
            netns=netns,
            ip_version=version,
            table=table,
            chains=chains,
            rules=arrange(rules),
        )


def _nat(wanted: Translation) -> Rules:
    inward = [*(dnat(floating, fixed) for floating, fixed in wanted.floating), *_to_ports(wanted)]
    return {
        "PREROUTING": (f"-j {WRAP}-PREROUTING",),
        "OUTPUT": (f"-j {WRAP}-OUTPUT",),
        "POSTROUTING": (f"-j {WRAP}-POSTROUTING", f"-j {_BOTTOM}"),
        f"{WRAP}-PREROUTING": [
            f"{_METADATA} -j REDIRECT --to-ports {ROUTER_PORT}",
            *inward,
        ],
        f"{WRAP}-OUTPUT": inward,
        **_forwarding(wanted),
        f"{WRAP}-POSTROUTING": _staying_inside(wanted),
        f"{WRAP}-snat": (f"-j {WRAP}-float-snat", *_leaving(wanted)),
        f"{WRAP}-float-snat": [snat(floating, f"-s {host_prefix(fixed)}") for floating, fixed in wanted.floating],
        _BOTTOM: (f"-j {WRAP}-snat",),
    }


def _to_ports(wanted: Translation) -> Sequence[str]:
    return (f"-j {_FORWARDINGS}",) if wanted.forwarded else ()


def _forwarding(wanted: Translation) -> Rules:
    chains: dict[str, list[str]] = {}
    for one in wanted.forwarded:
        chains.setdefault(one.chain, []).append(one.rule)
    return {_FORWARDINGS: [f"-j {chain}" for chain in chains], **chains} if chains else {}


def _staying_inside(wanted: Translation) -> Sequence[str]:
    if not wanted.device:
        return ()
    return (f"! -o {wanted.device} -m conntrack ! --ctstate DNAT -j ACCEPT",)


def _leaving(wanted: Translation) -> Sequence[str]:
    if not wanted.device or not wanted.source:
        return ()
    # Else who is turned back to would answer directly, from an address that was never asked.
    turned_back = f"-m mark ! --mark {_OUTSIDE_MARK} -m conntrack --ctstate DNAT"
    alone = leaving_as_it_is(wanted.scopes.get(4), wanted.device)
    hidden = [f"-o {wanted.device}"] if wanted.hides else []
    return (*alone, *(snat(wanted.source, match) for match in (*hidden, turned_back)))


def _mangle(wanted: Translation) -> Rules:
    marks = (f"-i {wanted.device} -j MARK --set-xmark {_OUTSIDE_MARK}",) if wanted.device else ()
    scoping = _scoping(wanted, 4)
    return {
        "PREROUTING": (f"-j {WRAP}-PREROUTING",),
        **scoping,
        f"{WRAP}-PREROUTING": (
            f"-j {WRAP}-mark",
            *scoping.get(f"{WRAP}-PREROUTING", ()),
            f"{_METADATA} -j MARK --set-xmark {_METADATA_MARK}",
        ),
        f"{WRAP}-mark": marks,
    }


def _scoping(wanted: Translation, version: int) -> Rules:
    scopes = wanted.scopes.get(version)
    return {f"{WRAP}-PREROUTING": (f"-j {_SCOPE}",), _SCOPE: marking(scopes)} if scopes is not None else {}


def _filter(wanted: Translation, version: int) -> Rules:
    return {
        "FORWARD": (f"-j {_TOP}", f"-j {WRAP}-FORWARD"),
        "INPUT": (f"-j {WRAP}-INPUT",),
        _TOP: (f"-j {WRAP}-local",),
        f"{WRAP}-FORWARD": (),
        f"{WRAP}-INPUT": _PROXY_ONLY if version == 4 else (),
        f"{WRAP}-local": (),
        **_apart(wanted, version),
    }


def _apart(wanted: Translation, version: int) -> Rules:
    """Gives the chains that keep address scopes apart; nothing where there are none."""
    scopes = wanted.scopes.get(version)
    if scopes is None:
        return {}
    translated_at = wanted.device if version == 4 and wanted.source and wanted.hides else ""
    floating = [fixed for _, fixed in wanted.floating] if version == 4 else []
    rules = keeping_apart(scopes, translated_at, floating, wanted.device)
    return {f"{WRAP}-FORWARD": (f"-j {_SCOPE}",), _SCOPE: rules}
