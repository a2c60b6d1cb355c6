"""What ``ofproto/trace`` prints, read: the tables that a packet went through on its bridges, and how it left by ports.

Source: ovs-vswitchd(8), ``ofproto/trace``; what Open vSwitch 3.1 prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netglass.trace.packet import ARP, ICMP, IPV4, IPV6, TCP, UDP, Packet

Visit = tuple[int, int | None]
"""A table's number and the priority of the flow that matched there; None: none did."""


@dataclass(frozen=True, order=True)
class Left:
    """How a frame left the switches of a host.

    device  a tunnel's type, for what leaves in one
    vlan    -1: none
    tunnel  key of the tunnel that it went into, and its two ends; -1: none
    """

    device: str
    vlan: int
    eth_src: str
    eth_dst: str
    tunnel: int = -1
    ends: str = ""
    arp: str = ""


def visits(said: str) -> list[tuple[str, tuple[Visit, ...]]]:
    """Gives each bridge that the packet came to with the tables that were looked at there, ascending."""
    found = []
    for part in re.split(r'^ *bridge\("', said, flags=re.MULTILINE)[1:]:
        name = part[: part.index('"')]
        text = part.partition("Final flow:")[0]
        tables = re.findall(r"^ *(\d+)\. (?:(No match)|(?:.*, )?priority (\d+))", text, re.MULTILINE)
        found.append((name, tuple((int(n), None if missed else int(priority)) for n, missed, priority in tables)))
    return sorted(found, key=str)


def outputs(said: str, packet: Packet) -> list[Left]:
    """Gives how `packet`, which was traced, left; ascending, each way once."""
    (actions,) = re.findall(r"^Datapath actions: (.*)$", said, re.MULTILINE)
    at = Left("", -1 if packet.vlan is None else packet.vlan, packet.eth_src, packet.eth_dst, arp=arp_of(packet))
    return sorted(set(_followed(actions, at)))


def _followed(actions: str, at: Left) -> Iterator[Left]:
    for word in split(actions):
        name, _, inner = word.partition("(")
        if name == "drop" or not word:
            continue
        if name == "push_vlan":
            at = replace(at, vlan=int(_value(inner, "vid")))
        elif name == "pop_vlan":
            at = replace(at, vlan=-1)
        elif name == "set" and inner.startswith("eth("):
            at = replace(at, eth_src=_value(inner, "src") or at.eth_src, eth_dst=_value(inner, "dst") or at.eth_dst)
        elif name == "set" and inner.startswith("arp("):
            at = replace(at, arp=_set_arp(at.arp, inner))
        elif name == "clone":
            yield from _followed(inner[:-1], at)
        elif name == "tnl_push":
            yield _pushed(word, at)
            return  # all that follows is the packet around it, on its way below the tunnel
        elif "(" in word:
            raise ValueError(f"{word!r} is not understood, in {actions}")
        else:
            yield replace(at, device=word)


def _pushed(word: str, at: Left) -> Left:
    (kind,) = re.findall(r"tnl_push\(tnl_port\(([a-z]+)_sys", word)
    src, dst = re.findall(r"ipv[46]\(src=([^,]+),dst=([^,]+),", word)[0]
    keys = re.findall(r"gre\(\(flags=0x2000,proto=0x6558\),key=(0x[0-9a-f]+)\)|vni=(0x[0-9a-f]+)", word)
    (key,) = (next(filter(None, one)) for one in keys)
    return replace(at, device=_TUNNELS[kind], tunnel=int(key, 16), ends=f"{src} {dst}")


_TUNNELS = {"gre": "gre", "vxlan": "vxlan", "genev": "geneve"}


def split(actions: str) -> list[str]:
    """Splits at the commas that are in no parentheses."""
    found, depth, word = [], 0, ""
    for letter in actions:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            found.append(word.strip())
            word = ""
        else:
            word += letter
    return [*found, word.strip()]


def _value(text: str, name: str) -> str:
    found = re.search(rf"\b{name}=([^,()]+)", text)
    return found[1] if found else ""


def arp_of(packet: Packet) -> str:
    """Gives an ARP message's fields as one text; empty for other packets."""
    if packet.eth_type != ARP:
        return ""
    tha = packet.arp_tha or "00:00:00:00:00:00"
    return f"sip={packet.ip_src},tip={packet.ip_dst},op={packet.arp_op},sha={packet.arp_sha},tha={tha}"


def _set_arp(before: str, inner: str) -> str:
    fields = dict(one.split("=") for one in before.split(","))
    fields |= {name: _value(inner, name) for name in fields if _value(inner, name)}
    return ",".join(f"{name}={value}" for name, value in fields.items())


def as_flow(in_port: str, packet: Packet, ends: tuple[str, str] | None = None) -> str:
    """Writes a packet as ovs-appctl reads it (ovs-fields(7)).

    `ends` are those of the tunnel that it comes out of, None where nothing asks for them: its key is `packet`'s own.
    """
    parts = [f'in_port="{in_port}"', f"dl_src={packet.eth_src}", f"dl_dst={packet.eth_dst}"]
    if packet.vlan is not None:
        parts.append(f"dl_vlan={packet.vlan}")
    if packet.tun_id is not None:
        parts.append(f"tun_id={packet.tun_id}")
    if ends is not None:
        parts += [f"tun_src={ends[0]}", f"tun_dst={ends[1]}"]
    if packet.eth_type == ARP:
        shas = [f"arp_sha={packet.arp_sha}", *([f"arp_tha={packet.arp_tha}"] if packet.arp_tha else [])]
        addresses = [f"arp_spa={packet.ip_src}", f"arp_tpa={packet.ip_dst}", f"arp_op={packet.arp_op}"]
        return ",".join(["arp", *parts, *addresses, *shas])
    if packet.eth_type not in (IPV4, IPV6):
        return ",".join([*parts, f"dl_type={packet.eth_type:#06x}"])
    six = "6" if packet.eth_type == IPV6 else ""
    kind = {ICMP: "icmp", TCP: f"tcp{six}", UDP: f"udp{six}"}.get(packet.ip_proto or 0, "icmp6")
    name = {TCP: "tcp", UDP: "udp"}.get(packet.ip_proto or 0, "")
    ports = [f"{name}_src={packet.port_src}", f"{name}_dst={packet.port_dst}"] if name else []
    v6 = "v6" if six else ""
    icmp = (
        [] if packet.icmp_type is None else [f"icmp{v6}_type={packet.icmp_type}", f"icmp{v6}_code={packet.icmp_code}"]
    )
    icmp += [f"nd_target={packet.nd_target}"] if packet.nd_target else []
    prefix = "ipv6" if six else "nw"
    addresses = [f"{prefix}_src={packet.ip_src}", f"{prefix}_dst={packet.ip_dst}", f"nw_ttl={packet.ttl}"]
    return ",".join([kind, *parts, *addresses, *ports, *icmp])
