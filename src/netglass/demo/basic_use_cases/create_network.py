"""Use case 1: create a network, and find on the hosts what that made."""

from __future__ import annotations

from netglass.base.ids import int_peer_name, phy_peer_name
from netglass.demo import cast, dhcp_server
from netglass.demo.basic_use_cases import deployment
from netglass.demo.claims import Began, Broken, Said, Scene, equal, true, within
from netglass.demo.objects import Wanted, chosen, made
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
    network = yield from dhcp_server.namespace(stage, network_id, deployment.SEGMENT, deployment.SERVER_HOST)
    tag = yield from _switches(stage, network)
    yield from veth_pair(stage, deployment.SERVER_HOST)
    yield from rewriting(stage, deployment.SERVER_HOST, tag)
    return network


def _create(stage: Stage) -> Scene[str]:
    yield Said(text=f"As a project user: a network, and one subnet {cast.CIDR}.")
    (shown,) = made(stage, Wanted(kind="network", name=cast.NETWORK, columns=_NETWORK_COLUMNS))
    said = client.fields(shown.output)
    yield shown.marked(said.get("id", ""))
    yield equal("the network is ACTIVE", "ACTIVE", said.get("status"))
    if "id" not in said:
        raise Broken
    yield equal("a project user is not shown where it runs", ("None",) * 3, tuple(said.get(n) for n in _PROVIDER))
    asked = ("--network", cast.NETWORK, "--subnet-range", cast.CIDR)
    subnet, seen = made(
        stage,
        Wanted(kind="subnet", name=cast.SUBNET, columns=_SUBNET_COLUMNS, asked=asked),
        # By id: an admin sees the networks of all projects, and names need not be unique.
        beside=(("admin", "network", "show", said["id"], *chosen(*_NETWORK_COLUMNS)),),
    )
    provider = tuple(client.fields(seen.output).get(name) for name in _PROVIDER)
    yield seen.marked(*(word for word in provider if word))
    wanted = ("vlan", deployment.PHYSICAL, str(deployment.SEGMENT))
    yield equal("an admin is: a VLAN of the physical network, with the first free segment", wanted, provider)
    yield subnet.marked(cast.CIDR, cast.POOL)
    got = client.fields(subnet.output)
    yield equal("the subnet belongs to it", said["id"], got.get("network_id"))
    wanted = (cast.POOL, cast.GATEWAY, "True")
    found = tuple(got.get(name) for name in ("allocation_pools", "gateway_ip", "enable_dhcp"))
    yield equal("with the whole range but the gateway to give out, by DHCP", wanted, found)
    if "id" not in got:
        raise Broken
    return said["id"]


def _switches(stage: Stage, network: cast.Network) -> Scene[int]:
    inner, outer = int_peer_name(deployment.NIC_BRIDGE), phy_peer_name(deployment.NIC_BRIDGE)
    shown = stage.on(deployment.SERVER_HOST, "ovs-vsctl", "show")
    found = switch.bridges(shown.output)
    yield shown.marked(network.device, inner, outer)
    integration = found.get("br-int", {})
    port = integration.get(network.device)
    yield true("the tap is an internal port of br-int", bool(port and port.type == "internal"), "type: internal", port)
    tag = port.tag if port and port.tag is not None else 0
    held = 1 <= tag <= 4094
    yield true("it carries the host's local VLAN tag of the network", held, "tag: 1 to 4094", f"tag: {tag}")
    yield within(f"br-int leads to {deployment.NIC_BRIDGE} through {inner}", [inner], integration)
    wanted = [outer, deployment.NIC]
    yield within(f"{deployment.NIC_BRIDGE} holds {outer} and the NIC", wanted, found.get(deployment.NIC_BRIDGE, {}))
    if not held:
        raise Broken
    return tag


def veth_pair(stage: Stage, host: str) -> Scene[None]:
    """Claims that the two bridges of `host` are joined by the ends of one veth pair."""
    inner, outer = int_peer_name(deployment.NIC_BRIDGE), phy_peer_name(deployment.NIC_BRIDGE)
    counted = stage.on(host, "ethtool", "-S", inner)
    yield counted.marked("peer_ifindex")
    peer = links.peer_index(counted.output)
    linked = stage.on(host, "ip", "link", "show", outer)
    yield linked.marked(f"{peer}: {outer}")
    end = links.devices(linked.output).get(outer)
    yield equal(f"{inner} and {outer} are one veth pair", end.index if end else "interface number of it", peer)


def rewriting(stage: Stage, host: str, tag: int) -> Scene[None]:
    """Claims that `host` writes the segment on frames that leave, and its local tag on those that come in."""
    inner, outer = int_peer_name(deployment.NIC_BRIDGE), phy_peer_name(deployment.NIC_BRIDGE)
    for bridge, port, vlan, becomes in (
        (deployment.NIC_BRIDGE, outer, tag, deployment.SEGMENT),
        ("br-int", inner, deployment.SEGMENT, tag),
    ):
        number = stage.on(host, "ovs-vsctl", "get", "Interface", port, "ofport").output.strip()
        shown = stage.on(host, "ovs-ofctl", "dump-flows", bridge)
        yield shown.marked(f"mod_vlan_vid:{becomes}", f"dl_vlan={vlan}")
        dumped = switch.flows(shown.output)
        found = switch.rewrites(dumped, (number, port)).get(vlan)
        yield equal(f"{bridge} rewrites VLAN {vlan} from {port} (port {number}) to {becomes}", becomes, found)
        text = f"{bridge} drops every other frame from {port}"
        yield true(text, switch.drops_the_rest(dumped, (number, port)), "a flow that drops the rest", shown.output)
