"""Use case 1: create a network, and find on the hosts what that made."""

from __future__ import annotations

from netglass.base.ids import int_peer_name, phy_peer_name, qdhcp_name
from netglass.demo import cast
from netglass.demo.claims import Began, Broken, Said, Scene, Shown, Took, equal, true, within
from netglass.demo.reading import client, links, switch
from netglass.demo.stage import Stage

_PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
_NETWORK_COLUMNS = ("admin_state_up", "id", "name", *_PROVIDER, "shared", "status", "project_id")
_SUBNET_COLUMNS = ("allocation_pools", "cidr", "enable_dhcp", "gateway_ip", "id", "name", "network_id")


def play(stage: Stage) -> Scene[cast.Network]:
    """Creates the network and its subnet as the project user, and looks at the host that serves its DHCP.

    Raises Broken when there is no network, no subnet or no namespace to go on with.
    """
    yield Began(title="Use case 1: create a network")
    network_id = yield from _create(stage)
    network = yield from _namespace(stage, network_id)
    tag = yield from _switches(stage, network)
    yield from veth_pair(stage, cast.SERVER_HOST)
    yield from rewriting(stage, cast.SERVER_HOST, tag)
    return network


def _create(stage: Stage) -> Scene[str]:
    yield Said(text=f"As a project user: a network, and one subnet {cast.CIDR}.")
    made = _made(stage, "network", cast.NETWORK, _NETWORK_COLUMNS, ())
    said = client.fields(made.output)
    yield made.marked(said.get("id", ""))
    yield equal("the network is ACTIVE", "ACTIVE", said.get("status"))
    if "id" not in said:
        raise Broken
    yield equal("a project user is not shown where it runs", ("None",) * 3, tuple(said.get(n) for n in _PROVIDER))
    # By id: an admin sees the networks of all projects, and names need not be unique.
    seen = stage.client("admin", "network", "show", said["id"], *_columns(_NETWORK_COLUMNS))
    provider = tuple(client.fields(seen.output).get(name) for name in _PROVIDER)
    yield seen.marked(*(word for word in provider if word))
    wanted = ("vlan", cast.PHYSICAL, str(cast.SEGMENT))
    yield equal("an admin is: a VLAN of the physical network, with the first free segment", wanted, provider)
    asked = ("--network", cast.NETWORK, "--subnet-range", cast.CIDR)
    subnet = _made(stage, "subnet", cast.SUBNET, _SUBNET_COLUMNS, asked)
    yield subnet.marked(cast.CIDR, cast.POOL)
    got = client.fields(subnet.output)
    yield equal("the subnet belongs to it", said["id"], got.get("network_id"))
    wanted = (cast.POOL, cast.GATEWAY, "True")
    found = tuple(got.get(name) for name in ("allocation_pools", "gateway_ip", "enable_dhcp"))
    yield equal("with the whole range but the gateway to give out, by DHCP", wanted, found)
    if "id" not in got:
        raise Broken
    return said["id"]


def _made(stage: Stage, kind: str, name: str, columns: tuple[str, ...], asked: tuple[str, ...]) -> Shown:
    # Running the demo again uses what the last run made; a lab that just came up is not asked in vain.
    if not stage.fresh:
        there = stage.client("demo", kind, "show", name, *_columns(columns))
        if "found for" not in there.output:  # "No Network found for net1": all else is there, or a failure to show
            return there
    return stage.client("demo", kind, "create", *asked, name, *_columns(columns))


def _columns(names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in ("-c", name)]


def _namespace(stage: Stage, network_id: str) -> Scene[cast.Network]:
    namespace, host = qdhcp_name(network_id), cast.SERVER_HOST
    yield Said(text=f"Under the hood: {host} serves the network's DHCP out of a namespace of its own.")
    looked = stage.until(
        lambda: stage.on(host, "ip", "netns", "exec", namespace, "ip", "addr"),
        lambda shown: any(d.name.startswith("tap") and d.addresses for d in links.devices(shown.output).values()),
    )
    listed = stage.on(host, "ip", "netns", "list")
    yield listed.marked(namespace)
    yield within("a namespace of the network's name", [namespace], links.namespaces(listed.output))
    found = links.devices(looked.output)
    taps = [device for device in found.values() if device.name.startswith("tap")]
    yield looked.marked(*(device.name for device in taps))
    yield equal("in it the loopback and one tap", 2 if taps else 0, len(found))
    if not taps or not taps[0].addresses:
        raise Broken
    tap, cidr = taps[0], taps[0].addresses[0]
    held = cidr.endswith("/24") and cidr.startswith("10.0.0.")
    yield true("the tap has an address of the subnet", held, f"one of {cast.CIDR}", cidr)
    yield Took(what="subnet create returned, until its DHCP namespace has an address", seconds=looked.seconds)
    return cast.Network(id=network_id, namespace=namespace, device=tap.name, address=cidr.partition("/")[0])


def _switches(stage: Stage, network: cast.Network) -> Scene[int]:
    inner, outer = int_peer_name(cast.NIC_BRIDGE), phy_peer_name(cast.NIC_BRIDGE)
    shown = stage.on(cast.SERVER_HOST, "ovs-vsctl", "show")
    found = switch.bridges(shown.output)
    yield shown.marked(network.device, inner, outer)
    integration = found.get("br-int", {})
    port = integration.get(network.device)
    yield true("the tap is an internal port of br-int", bool(port and port.type == "internal"), "type: internal", port)
    tag = port.tag if port and port.tag is not None else 0
    held = 1 <= tag <= 4094
    yield true("it carries the host's local VLAN tag of the network", held, "tag: 1 to 4094", f"tag: {tag}")
    yield within(f"br-int leads to {cast.NIC_BRIDGE} through {inner}", [inner], integration)
    wanted = [outer, cast.NIC]
    yield within(f"{cast.NIC_BRIDGE} holds {outer} and the NIC", wanted, found.get(cast.NIC_BRIDGE, {}))
    if not held:
        raise Broken
    return tag


def veth_pair(stage: Stage, host: str) -> Scene[None]:
    """Claims that the two bridges of `host` are joined by the ends of one veth pair."""
    inner, outer = int_peer_name(cast.NIC_BRIDGE), phy_peer_name(cast.NIC_BRIDGE)
    counted = stage.on(host, "ethtool", "-S", inner)
    yield counted.marked("peer_ifindex")
    peer = links.peer_index(counted.output)
    linked = stage.on(host, "ip", "link", "show", outer)
    yield linked.marked(f"{peer}: {outer}")
    end = links.devices(linked.output).get(outer)
    yield equal(f"{inner} and {outer} are one veth pair", end.index if end else "interface number of it", peer)


def rewriting(stage: Stage, host: str, tag: int) -> Scene[None]:
    """Claims that `host` writes the segment on frames that leave, and its local tag on those that come in."""
    inner, outer = int_peer_name(cast.NIC_BRIDGE), phy_peer_name(cast.NIC_BRIDGE)
    for bridge, port, vlan, becomes in (
        (cast.NIC_BRIDGE, outer, tag, cast.SEGMENT),
        ("br-int", inner, cast.SEGMENT, tag),
    ):
        number = stage.on(host, "ovs-vsctl", "get", "Interface", port, "ofport").output.strip()
        shown = stage.on(host, "ovs-ofctl", "dump-flows", bridge)
        yield shown.marked(f"mod_vlan_vid:{becomes}", f"dl_vlan={vlan}")
        dumped = switch.flows(shown.output)
        found = switch.rewrites(dumped, (number, port)).get(vlan)
        yield equal(f"{bridge} rewrites VLAN {vlan} from {port} (port {number}) to {becomes}", becomes, found)
        text = f"{bridge} drops every other frame from {port}"
        yield true(text, switch.drops_the_rest(dumped, (number, port)), "a flow that drops the rest", shown.output)
