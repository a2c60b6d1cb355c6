"""OVS output, bob and daisy: the same way, read off the switches' own output."""

from __future__ import annotations

from netglass.base.ids import qvo_name
from netglass.demo import cast
from netglass.demo.claims import Began, Broken, Said, Scene, Shown, equal, true, within
from netglass.demo.packet_flows.deployment import TUNNEL_ADDRESS
from netglass.demo.packet_flows.inter_vm_traffic import Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import switch
from netglass.demo.stage import Stage

_PATCHED = {"patch-tun": "patch-int", "patch-int": "patch-tun"}  # port -> its peer, on br-int and br-tun


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Follows a packet out of bob and into daisy by what the course has its reader type.

    Raises Broken where a guest's port is not on its switch.
    """
    first, second = guests
    yield Began(title=f"OVS output: {first.host}")
    yield Said(
        text="Between guest and switch stands a Linux bridge, for filters: so it is qvo…, not tap… as in the course,"
        " that is on br-int. Its tag is the network's number on this host. Out of br-tun leads a tunnel to each host"
        " that has the network."
    )
    shown = stage.on(first.host, "ovs-vsctl", "show")
    yield from _bridges(shown, first, second)
    yield Began(title=f"OVS output: {second.host}")
    yield Said(text="What becomes of a packet that comes in by br-tun, from table to table:")
    yield from _tables(stage, cloud, first, second)
    yield Said(
        text='"Inter-VM: VLAN", the course goes on, would be no different but for br-tun: the lab vlan, of the first'
        " document, is just that."
    )


def _bridges(shown: Shown, guest: cast.Guest, peer: cast.Guest) -> Scene[tuple[int, str]]:
    here, there = TUNNEL_ADDRESS[guest.host], TUNNEL_ADDRESS[peer.host]
    qvo = qvo_name(guest.port)
    found = switch.bridges(shown.output)
    inside, tunnels = found.get("br-int", {}), found.get("br-tun", {})
    name, tunnel = next(
        ((n, p) for n, p in tunnels.items() if p.options.get("remote_ip") == there), ("", switch.SwitchPort())
    )
    words = ("Bridge br-int", "Bridge br-tun", f"Port {qvo}", "Port patch-", "peer=", "tag:")
    printed = shown.cut(*words, f"Port {name}" if name else "remote_ip", f'remote_ip="{there}"')
    yield printed.marked(qvo, "peer=patch-int", "peer=patch-tun", name, "in_key=flow", "out_key=flow", here, there)
    yield within(f"{guest.host} has the two virtual switches", ["br-int", "br-tun"], found)
    tag = inside[qvo].tag if qvo in inside else None
    held = tag is not None and 1 <= tag <= 4094
    yield true(f"{guest.name}'s port is on br-int, with a tag", held, f"{qvo}, tag 1 to 4094", tag)
    peers = {
        port: both.get(port, switch.SwitchPort()).options.get("peer")
        for port, both in zip(_PATCHED, (inside, tunnels), strict=True)
    }
    yield equal("patch-tun and patch-int join them", _PATCHED, peers)
    wanted = {"in_key": "flow", "local_ip": here, "out_key": "flow", "remote_ip": there}
    options = {option: tunnel.options.get(option) for option in wanted}
    text = f"{name or 'a port'} is a GRE tunnel from {guest.host} to {peer.host}, its key set by the flow"
    yield equal(text, ("gre", wanted), (tunnel.type, options))
    if not held or tag is None or not name:
        raise Broken
    return tag, name


def _tables(stage: Stage, cloud: Cloud, first: cast.Guest, second: cast.Guest) -> Scene[None]:
    key, host = cloud.network.segment, second.host
    dumped = stage.on(host, "ovs-ofctl", "dump-flows", "br-tun")
    numbered = stage.on(host, "ovs-ofctl", "show", "br-tun")
    shown = stage.on(host, "ovs-vsctl", "show")
    flows, numbers = switch.flows(dumped.output), switch.numbers(numbered.output)
    yield dumped.cut("table=2,", "table=10,", "table=20,", "table=22,").marked(
        f"tun_id={key:#x}", "mod_vlan_vid", "resubmit(,10)", "output:1", first.mac
    )
    into = [flow for flow in flows if flow.table == 2 and flow.match.get("tun_id") == f"{key:#x}"]
    actions = into[0].actions if into else ""
    tag = actions.removeprefix("mod_vlan_vid:").removesuffix(",resubmit(,10)")
    text = f"table 2 gives what comes with key {key:#x} the tag {tag}, and goes on to table 10"
    yield true(text, tag.isdigit(), "mod_vlan_vid:TAG,resubmit(,10)", actions)
    yield true(
        "and packets took that way", bool(into and into[0].packets), "n_packets above 0", into[0].packets if into else 0
    )
    learns = [flow for flow in flows if flow.table == 10 and flow.packets]
    actions = learns[0].actions if learns else ""
    held = actions.startswith("learn(table=20,") and actions.endswith(",output:1")
    yield true("table 10 learns where it came from, and ends in output to port 1", held, "learn(…),output:1", actions)
    yield numbered.cut("addr:").marked("1(patch-int)")
    yield equal("port 1 is patch-int", 1, numbers.get("patch-int"))
    tag_of, tunnel = yield from _bridges(shown, second, first)
    yield equal(f"so what table 2 tags ends at {second.name}'s port", tag, str(tag_of))
    back = [flow for flow in flows if flow.table == 20 and flow.match.get("dl_dst") == first.mac]
    wanted = f"output:{numbers.get(tunnel)}"
    found = back[0].actions if back else ""
    text = f"the way back is learnt: table 20 sends what is for {first.name} into the tunnel to {first.host}"
    yield true(text, found.endswith(wanted), f"dl_dst={first.mac}, …{wanted}", found)
