"""Matches and actions in their canonical text: what ``ovs-ofctl --names dump-flows`` prints, as OpenFlow 1.0 words it.

Two flows are the same if and only if their texts are, so comparing what a switch has with what it should have needs
no understanding of either.  ``pipeline.text`` brings what OpenFlow 1.5 prints into this form.
Source: ovs-ofctl(8) and ovs-fields(7); tried on Open vSwitch 3.1 (tests/host/test_switch_prints.py).
"""

from __future__ import annotations

import msgspec

UNTAGGED = -1
"""In place of a VLAN: frames that carry no 802.1Q tag."""

NORMAL = "NORMAL"
DROP = "drop"
STRIP_VLAN = "strip_vlan"
BACK = "IN_PORT"  # the one port that `output` never goes to

UNICAST = "00:00:00:00:00:00/01:00:00:00:00:00"
MULTICAST = "01:00:00:00:00:00/01:00:00:00:00:00"
BROADCAST = "ff:ff:ff:ff:ff:ff"

ANY_PORT = "set_field:ANY->in_port"  # from here on, the frame came in by no port: NORMAL takes it, and learns nothing

_UNTAGGED_TEXT = "vlan_tci=0x0000/0x1fff"
TAGGED = (("vlan_tci", "0x1000/0x1000"),)  # frames that carry an 802.1Q tag, whatever it is
NO_VLAN = (("vlan_tci", "0x0000/0x0fff"),)  # frames of no VLAN: without a tag, or with one that only tells a priority

# In the order in which ovs-ofctl prints them; the kind of packet (ip, arp, …) stands behind the ct_ fields.
_BEFORE_KIND = (
    "conj_id",
    "ct_state",
    "ct_nw_src",
    "ct_ipv6_src",
    "ct_nw_dst",
    "ct_ipv6_dst",
    "ct_nw_proto",
    "ct_tp_src",
    "ct_tp_dst",
)
_AFTER_KIND = (
    *(f"reg{number}" for number in range(16)),
    "tun_id",
    "in_port",
    "dl_vlan",
    "vlan_tci",
    "dl_src",
    "dl_dst",
    "ipv6_src",
    "ipv6_dst",
    "arp_spa",
    "arp_tpa",
    "arp_op",
    "arp_sha",
    "nw_src",
    "nw_dst",
    "nw_proto",
    "nw_frag",
    "tp_src",
    "tp_dst",
    "icmp_type",
    "icmp_code",
    "nd_target",
)


class Match(msgspec.Struct, frozen=True):
    """Which packets a flow is for; with nothing set, all.

    in_port      name of the port that they came in by; empty: any
    tunnel       tunnel id that they came with; None: any
    vlan         1..4095, `UNTAGGED`, or None: any
    destination  MAC that they are for, or `UNICAST`, `MULTICAST`; empty: any
    arp_request  only ARP requests; `arp_target` is the IPv4 address that they ask for, empty for any
    kind         ip, ipv6, arp, icmp6, udp, …: ovs-fields(7)'s word for a sort of packet; empty: any
    fields       other fields by ovs-fields(7)'s names, in any order, each value as ``ovs-ofctl`` prints it
    """

    in_port: str = ""
    tunnel: int | None = None
    vlan: int | None = None
    destination: str = ""
    arp_request: bool = False
    arp_target: str = ""
    kind: str = ""
    fields: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """Gives the canonical text; empty for the match on all packets.  Raises KeyError for an unknown field."""
        values = dict(self.fields)
        unknown = values.keys() - {*_BEFORE_KIND, *_AFTER_KIND}
        if unknown:
            raise KeyError(f"no such fields are known: {sorted(unknown)}")
        if self.tunnel is not None:
            values["tun_id"] = f"{self.tunnel:#x}"
        if self.in_port:
            values["in_port"] = port_text(self.in_port)
        if self.vlan == UNTAGGED:
            values["vlan_tci"] = _UNTAGGED_TEXT.partition("=")[2]
        elif self.vlan is not None:
            values["dl_vlan"] = str(self.vlan)
        if self.destination:
            values["dl_dst"] = self.destination
        if self.arp_target:
            values["arp_tpa"] = self.arp_target
        if self.arp_request:
            values["arp_op"] = "1"
        kind = "arp" if self.arp_request else self.kind
        before = [f"{name}={values[name]}" for name in _BEFORE_KIND if name in values]
        after = [f"{name}={values[name]}" for name in _AFTER_KIND if name in values]
        return ",".join([*before, *([kind] if kind else []), *after])


def port_text(name: str) -> str:
    """Writes a port's name as ``ovs-ofctl --names`` does: bare when it is letters and digits after a letter."""
    plain = name.isascii() and name.isalnum() and name[0].isalpha()
    return name if plain else f'"{name}"'


def set_vlan(vlan: int) -> str:
    """Gives the action that puts a VLAN tag on a packet, or changes the one that it has."""
    return f"mod_vlan_vid:{vlan}"


def set_tunnel(number: int) -> str:
    """Gives the action that says with which tunnel id a packet leaves."""
    return f"set_field:{number:#x}->tun_id"


def output(port: str) -> str:
    """Gives the action that sends a packet out of a port, given by name."""
    return f"output:{port_text(port)}"


def goto(table: int) -> str:
    """Gives the action that goes on in another table."""
    return f"resubmit(,{table})"


def set_register(number: int, value: int) -> str:
    """Gives the action that notes a number beside the packet, for later tables."""
    return f"set_field:{value:#x}->reg{number}"


def clone(*parts: str) -> str:
    """Gives the action that does `parts` with a copy of the packet and goes on with the packet as it was."""
    return f"clone({','.join(parts)})"


def track(zone_register: int, table: int) -> str:
    """Gives the action that looks a packet up among the connections of a zone, and goes on in `table`."""
    return f"ct(table={table},zone=NXM_NX_REG{zone_register}[0..15])"


def track_in(zone: int, table: int) -> str:
    """Gives the same in a zone given by its number."""
    return f"ct(table={table},zone={zone})"


def commit(zone_register: int) -> str:
    """Gives the action that notes a packet's connection in a zone."""
    return f"ct(commit,zone=NXM_NX_REG{zone_register}[0..15])"


def conjunction(number: int, clause: int, clauses: int) -> str:
    """Gives the action that says: of conjunction `number`, clause `clause` (from 1) of `clauses` is fulfilled."""
    return f"conjunction({number},{clause}/{clauses})"


def learn(table: int, cookie: int, timeout_s: int) -> str:
    """Gives the action that notes in `table` by which tunnel, and with which id, the packet's sender is reached.

    What it noted goes when nobody was heard of it for `timeout_s` seconds, and when this action's own flow goes.
    """
    noted = (
        "NXM_OF_VLAN_TCI[0..11]",
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]",
        "load:0->NXM_OF_VLAN_TCI[]",
        "load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[]",
        "output:NXM_OF_IN_PORT[]",
    )
    where = (f"table={table}", f"hard_timeout={timeout_s}", "priority=1", "delete_learned", f"cookie={cookie:#x}")
    return f"learn({','.join((*where, *noted))})"


def answer_arp(mac: str, address: str) -> str:
    """Gives the actions that turn an ARP request into its answer, "`address` is at `mac`", and send it back."""
    return actions(
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
        f"set_field:{mac}->eth_src",
        "set_field:2->arp_op",
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[]",
        "move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
        f"set_field:{mac}->arp_sha",
        f"set_field:{address}->arp_spa",
        BACK,
    )


def actions(*parts: str) -> str:
    """Joins actions in their order of execution; none at all is `DROP`."""
    return ",".join(parts) or DROP


def knows_vlan(match: str) -> bool:
    """Says whether a canonical match leaves only packets with a VLAN tag."""
    return "dl_vlan=" in match


def knows_untagged(match: str) -> bool:
    """Says whether a canonical match leaves only packets without a VLAN tag.

    What comes out of a tunnel counts as such: the switch can only put a tag on it, whatever it carries.
    """
    return _UNTAGGED_TEXT in match or "tun_id=" in match
